#pragma once

/*
 * An instance of an actor: its process, its life (lifecycle.h), and what it tells and is told.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "daemon/supervisor/lifecycle.h"
#include "proto/envelope.h"
#include "proto/keep.h"

struct actor;
struct supervisor;

#define INSTANCE_NAME_BYTES (LIMIT_NAME_CHARS + 8)

struct instance {
	TAILQ_ENTRY(instance) entries;
	struct actor *actor;
	char *name; /* web/0 */
	int64_t index;
	enum lifecycle_state state;
	char *state_name; /* of state, while it is written and read */
	int64_t restarts;
	char *status;	 /* STATUS= */
	char *last_exit; /* how its last process ended, for a person */
	bool was_ready;	 /* did this process, or the last, ever say READY=1? */
	bool is_late;	 /* was killed because it did not become ready */
	bool is_stalled; /* has not read its mailbox for long: not in its routes */

	int64_t pid; /* of its process, 0 if none runs */
	int pidfd, notify_fd, gate_fd;
	uint32_t held_exit;    /* how it ended while there was no supervisor, see KEEP_EXITED */
	uint64_t ready_usec;   /* when it said READY=1 */
	uint64_t backoff_usec; /* before the next start */
	uint64_t *deaths;      /* when it ended, the last spec.intensity times */
	size_t n_deaths;

	sd_event_source *on_exit, *on_notify, *timer, *on_room;
};

/* A stopped instance, with its notify socket, held. */
int instance_new(struct actor *actor, int64_t index, struct instance **ret_instance);
/* Forgets a stopped instance. Returns NULL. */
struct instance *instance_free(struct instance *instance);
/* Takes over what a former supervisor held: the instance, then its process. */
int instance_adopt(struct actor *actor, struct keep_message *message);
int instance_adopt_process(struct instance *instance, struct keep_message *message);
/* After everything was adopted: goes on where the former supervisor stopped. */
void instance_resume(struct instance *instance);

/* What somebody wants of it. */
void instance_start(struct instance *instance);
void instance_stop(struct instance *instance);
void instance_restart(struct instance *instance);
/* Ends its process and all that it started at once. */
void instance_kill(struct instance *instance);

/* Its process ended, as the keeper says (see KEEP_EXITED). */
void instance_tell_exited(struct instance *instance, uint32_t status);

/* Sends a message on the supervisor's lane. -EAGAIN: routing_sync is called when there is room. */
int instance_tell(struct instance *instance, struct envelope *envelope, const char *body,
	const int *fds, size_t n_fds);

/* Is it one that may be handed something now or soon? */
bool instance_is_serving(const struct instance *instance);
