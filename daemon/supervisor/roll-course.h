#pragma once

/*
 * The course of a rolling restart, without effects: what is to be done next follows from how many
 * instances there are of which generation, and from nothing that is remembered, so that a
 * supervisor that takes over goes on with it. roll.c does it.
 */

#include <stdbool.h>
#include <stdint.h>

/* Instances that are retiring are not counted: what they do holds up nothing. */
struct roll_census {
	int64_t wanted;	     /* how many there shall be */
	int64_t max_extra;   /* so many more there may be meanwhile, 1 at least */
	int64_t old;	     /* of an older generation, in whatever state */
	int64_t fresh;	     /* of the new one, in whatever state */
	int64_t fresh_ready; /* those of them that are ready, and have been for settleUSec */
	bool has_failed;     /* did one of the new ones end before that, or fail? */
};

enum roll_action {
	ROLL_WAIT,	   /* something has to become ready, or to end */
	ROLL_START,	   /* start one more new one */
	ROLL_RETIRE_OLD,   /* an old one can be spared */
	ROLL_RETIRE_FRESH, /* there are too many new ones: fewer are wanted than before */
	ROLL_FINISH,	   /* all are new, and ready */
	ROLL_FAIL,	   /* the new ones are no good: keep what serves */
	ROLL_ACTIONS,
};

/* One step; it is done, and the census taken again, until there is to wait. */
enum roll_action roll_course(const struct roll_census *census);
