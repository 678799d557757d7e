#pragma once

/*
 * An actor: a spec, what is wanted of it, and its instances.
 */

#include <stdbool.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "daemon/supervisor/instance.h"
#include "daemon/supervisor/spec.h"
#include "daemon/supervisor/supervisor.h"

struct actor {
	TAILQ_ENTRY(actor) entries;
	struct supervisor *supervisor;
	struct spec spec;
	bool is_builtin;
	bool is_wanted;	   /* should its instances run? */
	bool is_removing;  /* is it forgotten as soon as the last has ended? */
	bool has_endpoint; /* does the gateway listen for it, or cannot? */
	int64_t next_mail; /* the instance whose turn it is to get a message from a client */
	bool has_failed;   /* the state that its listeners were told of */
	TAILQ_HEAD(, instance) instances;
	sd_event_source *settle;
};

/* Takes spec. Its instances are made and started by actor_start. */
int actor_new(struct supervisor *supervisor, struct spec *take_spec, bool is_builtin,
	struct actor **ret_actor);
/* Forgets it and its instances, which are stopped; the supervisor itself does not stop them. */
struct actor *actor_free(struct actor *actor);
int actor_adopt(struct supervisor *supervisor, struct keep_message *message);
struct actor *actor_find(struct supervisor *supervisor, const char *name);
/* The instance of that name ("web/0"), or NULL. */
struct instance *actor_find_instance(struct supervisor *supervisor, const char *name);

int actor_start(struct actor *actor);
void actor_stop(struct actor *actor);
int actor_restart(struct actor *actor);
int actor_scale(struct actor *actor, int64_t instances);
/* Stops it and forgets it then; at_once kills. */
void actor_remove(struct actor *actor, bool at_once);

/* Something about it changed: what follows is done when the loop comes round. */
void actor_touch(struct actor *actor);

/* stopped, starting, ready, degraded, stopping or failed: what its instances' states add up to. */
const char *actor_state(const struct actor *actor);
bool actor_is_ready(const struct actor *actor);
bool actor_is_stopped(const struct actor *actor);
/* An instance that ended before it was ready, or has failed: the actor will not be ready. */
const struct instance *actor_find_failure(const struct actor *actor);
