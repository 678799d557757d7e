#pragma once

/*
 * The lanes that a process was started with: the first that it receives from.
 */

#include <stdbool.h>

/* Goes through them, in the order of their descriptors. */
struct inherited {
	int fd, end_fd;
	const char *names; /* of fd and those after it */
};

/* Keeps all that was passed from the programs that this one executes. The environment stays as it
 * is, and must until the last is taken. -ENOENT when nothing was passed to this process, -EBADF
 * when not all that is announced is there. */
int inherited_init(struct inherited *inherited);
/* The descriptor of that name among those that are left, which is the caller's then, or -1: for
 * what is passed once and is no lane. */
int inherited_find(const struct inherited *inherited, const char *name);
/* The next lane, whose descriptor is the caller's then, and whether siblings read it too: 1; 0
 * after the last; -EPROTOTYPE, -ENOTSOCK for what is named like a lane and is none. */
int inherited_take(struct inherited *inherited, int *ret_fd, bool *ret_shared);
