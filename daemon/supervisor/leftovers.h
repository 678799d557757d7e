#pragma once

/*
 * What an instance's process started and left behind. Who stays in its process group is killed with
 * it; who left that group, as a daemon does, would keep its lanes and listeners for ever. Such
 * orphans are children of whoever collects orphans.
 *
 * They are known by a mark that the process is given before its program: a number of its own as its
 * soft RLIMIT_LOCKS, which Linux does not heed since 2.4.25 (getrlimit(2)). All that is started
 * after that inherits it, whatever becomes of environment, session and parent; anybody may read it
 * (proc(5), /proc/PID/limits); nobody has a reason to change it.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The processes of instances, which are none's leftovers: with marks of their own they are not
 * mistaken for some, but a thousand need not be looked at each time. */
struct leftovers_known {
	pid_t *pids; /* in any order; it is sorted here */
	size_t n;
};

/* Who collects its orphans, besides whoever is the supervisor's parent. */
struct leftovers_collectors {
	pid_t keeper; /* or 0 */
	pid_t own;    /* the parent of a process that a former supervisor started, or 0 */
};

/* A mark that nobody else has; 0 where this process may give none. */
int64_t leftovers_new_mark(void);
/* In the child; nothing for 0. */
void leftovers_set_mark(int64_t mark);

/* Kills what has that mark, and all that this started. How many that were but for those in the
 * process group, which were killed with its leader. Nothing for a mark of 0. */
unsigned int leftovers_kill(int64_t mark, pid_t group,
	const struct leftovers_collectors *collectors, struct leftovers_known *known);
