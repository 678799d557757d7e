#pragma once

/*
 * The life of an instance as a table, without effects: which state follows which event, and what
 * has to be done on the way. instance-life.c does it.
 */

enum lifecycle_state {
	LIFECYCLE_STOPPED,
	LIFECYCLE_STARTING,    /* a process runs and has not said READY=1 yet */
	LIFECYCLE_READY,       /* in its routes */
	LIFECYCLE_LEAVING,     /* ends by itself, and said so: out of its routes */
	LIFECYCLE_DRAINING,    /* told to stop, serves what stands in its mailbox */
	LIFECYCLE_TERMINATING, /* was sent its stop signal */
	LIFECYCLE_KILLING,     /* was sent SIGKILL */
	LIFECYCLE_WAITING,     /* ended by itself, starts again after its backoff */
	LIFECYCLE_FAILED,      /* ended too often, or cannot be started */
	LIFECYCLE_ENDED,       /* ended by itself as it should, and is not started again */
	LIFECYCLE_STATES,
};

enum lifecycle_event {
	LIFECYCLE_START,    /* somebody wants it to run */
	LIFECYCLE_STOP,	    /* somebody wants it to end */
	LIFECYCLE_NOTIFIED, /* READY=1 */
	LIFECYCLE_STOPPING, /* STOPPING=1 */
	LIFECYCLE_EXITED,   /* its process ended */
	LIFECYCLE_EXCEEDED, /* its process ended, once more than is allowed */
	LIFECYCLE_FINISHED, /* its process ended well, and shall not be started again */
	LIFECYCLE_TIMEOUT,  /* the state's own time is over */
	LIFECYCLE_EVENTS,
};

enum lifecycle_effect {
	LIFECYCLE_NOTHING,
	LIFECYCLE_SPAWN,     /* start a process */
	LIFECYCLE_JOIN,	     /* join the routes */
	LIFECYCLE_LEAVE,     /* leave the routes */
	LIFECYCLE_DRAIN,     /* leave the routes, say stop */
	LIFECYCLE_TERMINATE, /* send the stop signal */
	LIFECYCLE_ABORT,     /* it gives no sign of life: end it, with a trace of where it hangs */
	LIFECYCLE_KILL,	     /* send SIGKILL to everything it started */
	LIFECYCLE_BURY,	     /* its process is gone: hand on what waits */
};

struct lifecycle_step {
	enum lifecycle_state next;
	enum lifecycle_effect effect;
};

struct lifecycle_step lifecycle_step(enum lifecycle_state state, enum lifecycle_event event);
/* What a supervisor that finds an instance in state does again: a state is held before what leads
 * to it is done, so that the former one may have ended between the two. SPAWN only where there is
 * no process. */
enum lifecycle_effect lifecycle_repeat(enum lifecycle_state state);

const char *lifecycle_name(enum lifecycle_state state);
/* The state of that name, or -EINVAL. */
int lifecycle_find(const char *name);
/* Does a process run in this state? */
int lifecycle_is_alive(enum lifecycle_state state);
