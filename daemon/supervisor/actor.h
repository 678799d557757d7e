#pragma once

/*
 * An actor: a spec, what is wanted of it, and its instances.
 */

#include <stdbool.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "daemon/supervisor/counters.h"
#include "daemon/supervisor/instance.h"
#include "daemon/supervisor/roll.h"
#include "proto/spec.h"
#include "daemon/supervisor/supervisor.h"

/* Who wants a new one. */
enum actor_origin { ACTOR_BY_HAND, ACTOR_CONFIGURED, ACTOR_BUILTIN };

/* What becomes of the instances of one that changes. */
enum actor_renewal {
	ACTOR_KEEPS,
	ACTOR_ROLLS,	/* as actor_roll(actor, 1) does */
	ACTOR_RESTARTS, /* as actor_restart does */
};

struct actor {
	TAILQ_ENTRY(actor) entries;
	struct supervisor *supervisor;
	struct spec spec;
	bool is_builtin;
	bool is_wanted;		/* should its instances run? */
	bool is_removing;	/* is it forgotten as soon as the last has ended? */
	bool is_configured;	/* has the configuration that was applied last got it? */
	bool is_endpoint_told;	/* was the gateway that runs told of its endpoint? */
	bool has_endpoint;	/* does the gateway listen for it, or cannot? */
	int64_t next_mail;	/* the instance whose turn it is to get a message from a client */
	bool has_failed;	/* the state that its listeners were told of */
	const char *said_state; /* to monitors */
	struct counters former; /* what instances that are forgotten had counted, */
	char *forgetting;	/* this one, which may be there still, included */
	int64_t generation;	/* 1, and one more for each restart; new instances are of it */
	struct roll roll;
	TAILQ_HEAD(instances, instance) instances; /* by number */
	sd_event_source *settle;
};

/* A new actor, held; *ret_actor belongs to the supervisor's list. Takes spec, on success only. Its
 * instances are made and started by actor_start. Errors of sd_event, -EEXIST, -ENOMEM. */
int actor_new(struct supervisor *supervisor, struct spec *take_spec, enum actor_origin origin,
	struct actor **ret_actor);
/* Forgets it and its instances, which have stopped: nobody is stopped by it. Returns NULL. */
struct actor *actor_free(struct actor *actor);
/* Has it held as it is now, without its instances. */
void actor_put(struct actor *actor);
/* Takes over what a former supervisor held: the actor without its instances, which come after.
 * -EBADMSG, -EINVAL, -ENOMEM. */
int actor_adopt(struct supervisor *supervisor, struct keep_message *message);
/* After everything was adopted, and before instances go on: finishes what was begun. */
void actor_resume(struct actor *actor);
/* The actor of that name, inkod's own too, or NULL. */
struct actor *actor_find(struct supervisor *supervisor, const char *name);
/* Puts instance, which has its name, among its others by its number. -EEXIST, -ENOMEM. */
int actor_link_instance(struct actor *actor, struct instance *instance);
/* Takes it out again. */
void actor_unlink_instance(struct instance *instance);
/* The instance of that name ("web/0"), or NULL. */
struct instance *actor_find_instance(struct supervisor *supervisor, const char *name);

/* What somebody wants of it. Each is held, and begun when it returns: actor-state.h tells how far
 * it has come. An instance that cannot be made is the error (those of instance_new). */

/* Makes the instances that are missing, and starts all that do not run. On failure none is. */
int actor_start(struct actor *actor);
/* Lets its instances end, and starts none until somebody wants it again. */
void actor_stop(struct actor *actor);
/* Lets its instances end and starts them again; those that do not run are started. On failure none
 * is. */
int actor_restart(struct actor *actor);
/* Replaces its instances by new ones, with up to max_extra more than it shall have, see roll.h. */
int actor_roll(struct actor *actor, int64_t max_extra);
/* From now on it has so many instances: those of the highest numbers are retired, missing ones are
 * started if it is wanted. On failure the number stands, and they are made when something about it
 * changes. */
int actor_scale(struct actor *actor, int64_t instances);
/* From now on *take_spec, which is taken, is its spec; it has the same name. Instances that run are
 * replaced as renewal says, if it is wanted. What is held of it then is all
 * of that or nothing. Errors of instance_new: those that are missing are made when something about
 * it changes. */
int actor_change(struct actor *actor, struct spec *take_spec, enum actor_renewal renewal);
/* Stops it and forgets it then; at_once kills. */
void actor_remove(struct actor *actor, bool at_once);

/* One instance more, of its generation, with the lowest number that is free; it is not started.
 * Errors of instance_new, -EUSERS while there are INSTANCE_INDEX_MAX. */
int actor_add_instance(struct actor *actor, struct instance **ret_instance);

/* Something about it changed: what follows is done when the loop comes round. */
void actor_touch(struct actor *actor);
