#pragma once

/*
 * The clock that waits are measured by, which nobody sets.
 */

#include <stdint.h>
#include <time.h>

static inline int64_t clock_usec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}
