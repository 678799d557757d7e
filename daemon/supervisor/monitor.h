#pragma once

/*
 * The stream of what happens, for clients that called Monitor. Each event has a position, which
 * only grows, from one supervisor to the next too; the last ones are remembered, so that who
 * comes again after a supervisor was replaced misses none of this one's. A client that does not
 * read in time holds up nobody: it misses events, and is told how many.
 */

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/keep.h"

struct call;
struct instance;
struct monitor;
struct supervisor;

/* What is held of it, see monitor_adopt. */
#define MONITOR_KEY "milestones"

enum monitor_kind {
	MONITOR_ACTOR,	  /* its state changed: from, to */
	MONITOR_INSTANCE, /* the same, pid, why */
	MONITOR_KILL,	  /* an instance is killed: pid, why */
	MONITOR_STALL,	  /* an instance does not read its mailbox, or does again: to, pid */
	MONITOR_LISTENER, /* to: open, closed, refusing…; why: its address */
	MONITOR_ROLL,	  /* of an actor: to, why */
	MONITOR_ADOPTION, /* a supervisor took over: pid, count of instances */
	MONITOR_KEEPER,	  /* to: lost or replaced (pid) */
	MONITOR_OVERRUN,  /* made here */
	MONITOR_KINDS,
};

/* Strings are borrowed; what is NULL or 0 is left out, but for kind and name. */
struct monitor_event {
	enum monitor_kind kind;
	const char *name; /* of what it is about */
	const char *from, *to, *why;
	int64_t pid, count;
};

/* -ENOMEM. */
int monitor_new(struct monitor **ret_monitor);

/* Takes over what a former supervisor held: that it took over itself, and the like. Several may end
 * before any client comes again. -EBADMSG, -EINVAL, -ENOMEM. */
int monitor_adopt(struct supervisor *supervisor, struct keep_message *message);
/* Has it held. */
void monitor_put(struct supervisor *supervisor);

/* Tells all that listen. Nothing where there is no monitor yet. */
void monitor_say(struct supervisor *supervisor, const struct monitor_event *event);
/* That instance is killed, and why. */
void monitor_say_kill(const struct instance *instance, const char *why);
/* That instance has come to another state, unless that was said. */
void monitor_say_state(struct instance *instance);

/* The position of the last event. */
int64_t monitor_get_position(const struct monitor *monitor);

/* Answers call, which asked for more, with what happens from now on; before that with what is
 * remembered of what came behind the position after, unless that is negative. -EUSERS when the
 * client's user has LIMIT_MONITORS_PER_UID, -ENOMEM: the call is not answered. */
int monitor_add(struct monitor *monitor, struct call *call, int64_t after);
/* The client of call has gone; nothing if it is none of those here. */
void monitor_forget(struct monitor *monitor, const struct call *call);
/* The client of call has read all it was told. */
void monitor_on_drained(struct monitor *monitor, struct call *call);
