#pragma once

/*
 * What an instance's process started and left behind. Who stays in its process group is killed with
 * it; who left that group, as a daemon does, would keep its lanes and listeners for ever. Such
 * orphans are children of whoever collects orphans, and have the environment that their ancestor
 * was started with.
 */

#include <stddef.h>
#include <sys/types.h>

/* The processes of instances, which are none's leftovers. */
struct leftovers_known {
	pid_t *pids; /* in any order; it is sorted here */
	size_t n;
};

/* Kills what the process of that number left behind that was instance ("web/0") under the inkod in
 * runtime; keeper is the pid of the keeper, or 0. How many there were. */
unsigned int leftovers_kill(const char *runtime, const char *instance, pid_t pid, pid_t keeper,
	struct leftovers_known *known);
