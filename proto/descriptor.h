#pragma once

/*
 * Ownership of descriptors and heap memory by scope.
 */

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Closes *fd unless it is negative, keeps errno, and sets it to -1. */
static inline void descriptor_close(int *fd)
{
	if (*fd >= 0) {
		int saved = errno;
		(void)close(*fd);
		errno = saved;
	}
	*fd = -1;
}

/* Moves the descriptor out of *fd. */
static inline int descriptor_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static inline void descriptor_free_pointer(void *pointer)
{
	free(*(void **)pointer);
}

#define _cleanup_close_ __attribute__((cleanup(descriptor_close)))
#define _cleanup_free_ __attribute__((cleanup(descriptor_free_pointer)))
