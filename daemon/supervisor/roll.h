#pragma once

/*
 * Rolling restarts: an actor's instances are replaced by new ones a few at a time, each old one
 * when a new one is ready, so that at any moment as many serve as shall. roll-course.h says what
 * follows what, this does it.
 */

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct actor;

/* What a failure ends with, where the actor's name belongs: what to do. */
#define ROLL_ADVICE ": put it right, then 'inkoctl restart %s --rolling' again"

/* Of an actor. What is held of it is in the actor's own JSON. */
struct roll {
	int64_t max_extra;     /* how many more instances there may be meanwhile; 0: none goes on */
	char *failed_instance; /* of the last roll: whose failure stopped it; NULL if none did */
	char *failure;	       /* and why, for a person */
	sd_event_source *timer; /* until a new instance has been ready for long enough */
};

/* Lets go of what it holds. */
void roll_done(struct roll *roll);
/* From now on the actor's instances are replaced by those of its generation, which is a new one. */
void roll_begin(struct actor *actor, int64_t max_extra);
/* It is given up: instances stay as they are. */
void roll_cancel(struct actor *actor);
bool roll_is_under_way(const struct actor *actor);
/* Does what follows from the states of the instances. Whether the roll has ended by it: then the
 * actor's new state has to be held. Nothing where no roll is under way. */
bool roll_go_on(struct actor *actor);
