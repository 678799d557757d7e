#pragma once

/*
 * What inkod does once it has its place: start the supervisor, hold what it says, reap.
 */

#include <stddef.h>

#include "daemon/keeper/inherit.h"

/* Everything goes on without this process, until another inkod comes. */
#define KEEPER_LEFT 1

struct keeper_start {
	size_t max_fds; /* that it may hold */
	int lock_fd;	/* of the directory; borrowed. -1 when it stands in carried_fd */
	int link_fd;	/* to a supervisor that lost its keeper and has begun to say what it has;
			 * taken. -1 when there is none. */
	struct inherited inherited; /* what it was given; taken */
	int carried_fd;		    /* the state that this process left itself; taken. Else -1. */
	unsigned int replaced;	    /* how often this process executed itself so far */
	char **argv;		    /* to execute itself with */
	int exit_status;	    /* filled: what to end with when the service has ended */
};

/* Runs until the service has ended (0), this process is to leave it (KEEPER_LEFT), it is given up
 * (-ECANCELED) or was lost while it was taken over (-ECONNRESET). -EPROTO: what is in carried_fd
 * cannot be gone on with; nothing was done. The signals are blocked (see signal-mask.h). */
int keeper_run(struct keeper_start *start);
