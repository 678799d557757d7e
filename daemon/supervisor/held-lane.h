#pragma once

/*
 * The lanes that the supervisor made: it keeps both ends of each, so that no death of a sender or
 * a receiver loses what waits. Who gets which is routing.c's concern.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "proto/keep.h"

struct actor;
struct supervisor;

/* Senders that are no instances. */
#define HELD_LANE_SUPERVISOR ""	  /* lanes, listeners, stop */
#define HELD_LANE_CONTROL "inkod" /* what clients of the control socket send */

struct held_lane {
	TAILQ_ENTRY(held_lane) entries;
	struct supervisor *supervisor;
	int64_t number;
	char *from; /* an instance, or one of the above */
	char *to; /* an instance, or all of an actor, which pull from it: its name, a slash, a star
		   */
	bool answers; /* from answers here what to asked */
	bool revoked; /* nothing comes any more; what waits is for any instance of its actor */
	bool told_from, told_to; /* was handed its end */
	bool is_counted;	 /* what waited when it was revoked: see routing.c */
	int write_fd, read_fd;
	sd_event_source *watch; /* see lane-watch.h */
	bool is_waited_on;	/* something waits in it: which message is first, and since when */
	uint64_t head_usec, head_since_usec;
};

/* Makes a lane of queue messages and holds it. *ret_lane belongs to the list of lanes. Errors of
 * lane_open, -ENOMEM. */
int held_lane_new(struct supervisor *supervisor, const char *from, const char *to, bool answers,
	unsigned int queue, struct held_lane **ret_lane);
/* Forgets the lane: its ends here are closed. Nothing is done for NULL. Returns NULL. */
struct held_lane *held_lane_free(struct held_lane *lane);
/* The lane between the two that is not revoked, or NULL. */
struct held_lane *held_lane_find(
	struct supervisor *supervisor, const char *from, const char *to, bool answers);
/* Has it held as it is now. */
void held_lane_put(struct held_lane *lane);
/* Takes over what a former supervisor held: message's two ends. -EBADMSG, -EINVAL, -ENOMEM. */
int held_lane_adopt(struct supervisor *supervisor, struct keep_message *message);

/* Ends sending on it for good; what waits is still received. It is told anew to who may. */
void held_lane_revoke(struct held_lane *lane);
/* Notes who was handed its end, so that the next supervisor does not do it again. */
void held_lane_set_told(struct held_lane *lane, bool told_from, bool told_to);

/* Notes that what waited in it when it was revoked has been counted (routing.c). */
void held_lane_set_counted(struct held_lane *lane);

/* Do several instances read from it? */
bool held_lane_is_shared(const struct held_lane *lane);
/* Does it lead to (any instance of) the actor of that name? */
bool held_lane_is_to_actor(const struct held_lane *lane, const char *actor);
/* The actor that it leads to, or NULL when that is gone. */
struct actor *held_lane_find_target(const struct held_lane *lane);
/* Is its sender one that inkod trusts to stamp a message with its real time? */
bool held_lane_is_trusted(const struct held_lane *lane);
