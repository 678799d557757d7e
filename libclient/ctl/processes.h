#pragma once

/*
 * The two processes that an inkod is, as the kernel shows them.
 */

#include <stdbool.h>
#include <sys/types.h>

struct process {
	pid_t pid; /* 0: there is none, or the caller may not see it */
	bool is_stopped;
};

/* Those of the inkod that runs in directory. */
void processes_find(
	const char *directory, struct process *ret_keeper, struct process *ret_supervisor);
