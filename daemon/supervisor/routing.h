#pragma once

/*
 * Who is handed which lane: the lanes of routes, endpoints and `opens`, and what becomes of them
 * when an instance starts, is ready, stalls or ends. What waits in a lane is never moved by hand:
 * the lane is revoked, which the kernel does at once for all senders, and its read end is given
 * to the siblings.
 */

#include <stddef.h>

#include "daemon/supervisor/adapter.h"
#include "daemon/supervisor/stored.h"
#include "proto/lane.h"

struct actor;
struct held_lane;
struct instance;

#define ROUTING_LANES_MAX 240
/* Room for descriptors that are no lanes: the page of counters, and what was stored. */
#define ROUTING_OTHERS_MAX (1 + STORED_MAX)

/* What an instance is given at its start, lanes first, as descriptors (borrowed) and
 * LISTEN_FDNAMES. */
struct routing_start {
	int fds[ROUTING_LANES_MAX + ROUTING_OTHERS_MAX];
	size_t n_fds;
	char names[ADAPTER_LISTENERS_MAX * (LIMIT_NAME_CHARS + sizeof(":")) +
		   (ROUTING_LANES_MAX + 1) * sizeof(LANE_FD_NAME_SHARED ":") +
		   STORED_MAX * (STORED_NAME_CHARS + sizeof(":"))];
};

/* Makes the lanes that a starting instance needs, and says which it is given. Errors of
 * held_lane_new; what was made until then stays, and is used by the next start. */
int routing_prepare(struct instance *instance, struct routing_start *ret_start);
/* One descriptor more: the page, a listener, or one that was stored. */
void routing_add_other(struct routing_start *start, int fd, const char *name);
/* Tells instance, and others of it, what they were not told yet. */
void routing_sync(struct instance *instance);
/* The instance no longer takes part: its lanes are revoked. */
void routing_leave(struct instance *instance);
/* Its process has ended: siblings get what waits. */
void routing_bury(struct instance *instance);
/* A new listener or a new opener: makes and tells the lanes to the instances of actor. Errors of
 * held_lane_new. */
int routing_open(struct actor *actor);
/* After everything was adopted: makes the lanes that are missing, and tells of all that are to be
 * told. */
void routing_resume(struct supervisor *supervisor);
/* The lane that clients of the control socket send to instance on, made if there is none; borrowed.
 * Errors of held_lane_new. */
int routing_open_control(struct instance *instance, struct held_lane **ret_lane);
/* Closes whatever waits for actor (it has failed, or is forgotten). */
void routing_refuse(struct actor *actor);
/* Lets go of all lanes that instance, which is forgotten, sends on. */
void routing_forget(struct instance *instance);
/* Was its process started with a mailbox? Another adapter of its actor counts from its next start
 * on. */
bool routing_has_mailbox(const struct instance *instance);
/* Counts what waits in the mailbox of each instance, or of those of only, into its n_waiting: in
 * one look at all lanes. */
void routing_count_waiting(struct supervisor *supervisor, const struct actor *only);
