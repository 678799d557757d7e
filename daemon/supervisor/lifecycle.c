#include <errno.h>
#include <string.h>

#include "daemon/supervisor/lifecycle.h"

/* clang-format off */
static const char *const names[LIFECYCLE_STATES] = {
	[LIFECYCLE_STOPPED]	= "stopped",
	[LIFECYCLE_STARTING]	= "starting",
	[LIFECYCLE_READY]	= "ready",
	[LIFECYCLE_LEAVING]	= "leaving",
	[LIFECYCLE_DRAINING]	= "draining",
	[LIFECYCLE_TERMINATING]	= "terminating",
	[LIFECYCLE_KILLING]	= "killing",
	[LIFECYCLE_WAITING]	= "waiting",
	[LIFECYCLE_FAILED]	= "failed",
	[LIFECYCLE_ENDED]	= "ended",
};

#define STAY(state) { LIFECYCLE_##state, LIFECYCLE_NOTHING }
#define TO(state, effect) { LIFECYCLE_##state, LIFECYCLE_##effect }

/* An instance that is not ready has nothing to drain, so that its stop begins with the signal.
 * A stopped one that exits is one whose spawn failed: it never had a process. */
static const struct lifecycle_step steps[LIFECYCLE_STATES][LIFECYCLE_EVENTS] = {
	/*			  START			STOP				NOTIFIED
	 *			  STOPPING			EXITED				EXCEEDED
	 *			  FINISHED			TIMEOUT */
	[LIFECYCLE_STOPPED]	= { TO(STARTING, SPAWN),	STAY(STOPPED),			STAY(STOPPED),
				    STAY(STOPPED),		STAY(STOPPED),			STAY(STOPPED),
				    STAY(STOPPED),		STAY(STOPPED) },
	[LIFECYCLE_STARTING]	= { STAY(STARTING),		TO(TERMINATING, TERMINATE),	TO(READY, JOIN),
				    TO(LEAVING, LEAVE),		TO(WAITING, BURY),		TO(FAILED, BURY),
				    TO(ENDED, BURY),		TO(STARTING, KILL) },
	[LIFECYCLE_READY]	= { STAY(READY),		TO(DRAINING, DRAIN),		STAY(READY),
				    TO(LEAVING, LEAVE),		TO(WAITING, BURY),		TO(FAILED, BURY),
				    TO(ENDED, BURY),		TO(READY, ABORT) },
	[LIFECYCLE_LEAVING]	= { STAY(LEAVING),		TO(DRAINING, DRAIN),		STAY(LEAVING),
				    STAY(LEAVING),		TO(WAITING, BURY),		TO(FAILED, BURY),
				    TO(ENDED, BURY),		TO(LEAVING, KILL) },
	[LIFECYCLE_DRAINING]	= { STAY(DRAINING),		STAY(DRAINING),			STAY(DRAINING),
				    STAY(DRAINING),		TO(STOPPED, BURY),		TO(STOPPED, BURY),
				    TO(STOPPED, BURY),		TO(TERMINATING, TERMINATE) },
	[LIFECYCLE_TERMINATING]	= { STAY(TERMINATING),		STAY(TERMINATING),		STAY(TERMINATING),
				    STAY(TERMINATING),		TO(STOPPED, BURY),		TO(STOPPED, BURY),
				    TO(STOPPED, BURY),		TO(KILLING, KILL) },
	[LIFECYCLE_KILLING]	= { STAY(KILLING),		STAY(KILLING),			STAY(KILLING),
				    STAY(KILLING),		TO(STOPPED, BURY),		TO(STOPPED, BURY),
				    TO(STOPPED, BURY),		TO(KILLING, KILL) },
	[LIFECYCLE_WAITING]	= { TO(STARTING, SPAWN),	TO(STOPPED, NOTHING),		STAY(WAITING),
				    STAY(WAITING),		STAY(WAITING),			STAY(WAITING),
				    STAY(WAITING),		TO(STARTING, SPAWN) },
	[LIFECYCLE_FAILED]	= { TO(STARTING, SPAWN),	TO(STOPPED, NOTHING),		STAY(FAILED),
				    STAY(FAILED),		STAY(FAILED),			STAY(FAILED),
				    STAY(FAILED),		STAY(FAILED) },
	[LIFECYCLE_ENDED]	= { TO(STARTING, SPAWN),	TO(STOPPED, NOTHING),		STAY(ENDED),
				    STAY(ENDED),		STAY(ENDED),			STAY(ENDED),
				    STAY(ENDED),		STAY(ENDED) },
};
/* clang-format on */

/* Who is ready is told of its lanes by routing_resume, as everybody is. */
static const enum lifecycle_effect repeats[LIFECYCLE_STATES] = {
	[LIFECYCLE_STOPPED] = LIFECYCLE_BURY,
	[LIFECYCLE_STARTING] = LIFECYCLE_SPAWN,
	[LIFECYCLE_READY] = LIFECYCLE_NOTHING,
	[LIFECYCLE_LEAVING] = LIFECYCLE_LEAVE,
	[LIFECYCLE_DRAINING] = LIFECYCLE_DRAIN,
	[LIFECYCLE_TERMINATING] = LIFECYCLE_TERMINATE,
	[LIFECYCLE_KILLING] = LIFECYCLE_KILL,
	[LIFECYCLE_WAITING] = LIFECYCLE_BURY,
	[LIFECYCLE_FAILED] = LIFECYCLE_BURY,
	[LIFECYCLE_ENDED] = LIFECYCLE_BURY,
};

struct lifecycle_step lifecycle_step(enum lifecycle_state state, enum lifecycle_event event)
{
	return steps[state][event];
}

enum lifecycle_effect lifecycle_repeat(enum lifecycle_state state)
{
	return repeats[state];
}

const char *lifecycle_name(enum lifecycle_state state)
{
	return names[state];
}

int lifecycle_find(const char *name)
{
	for (int state = 0; state < LIFECYCLE_STATES; state++)
		if (strcmp(names[state], name) == 0)
			return state;
	return -EINVAL;
}

int lifecycle_is_alive(enum lifecycle_state state)
{
	return state >= LIFECYCLE_STARTING && state <= LIFECYCLE_KILLING;
}
