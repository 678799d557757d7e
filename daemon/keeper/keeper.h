#pragma once

/*
 * What inkod does once it has its place: start the supervisor, hold what it says, reap.
 */

#include <stddef.h>

struct keeper_start {
	size_t max_fds; /* that it may hold */
	int lock_fd;	/* of the directory; borrowed. -1 when it stands in carried_fd */
	int link_fd;	/* to a supervisor that lost its keeper and has begun to say what it has;
			 * taken. -1 when there is none. */
	int carried_fd; /* the state that this process left itself; taken. Else -1. */
	unsigned int replaced; /* how often this process executed itself so far */
	char **argv;	       /* to execute itself with */
};

/* Runs until the service has ended (0), is given up (-ECANCELED) or was lost while it was taken
 * over (-ECONNRESET). -EPROTO: what is in carried_fd cannot be gone on with; nothing was
 * done. Changes the process's signal mask and dispositions. */
int keeper_run(const struct keeper_start *start);
