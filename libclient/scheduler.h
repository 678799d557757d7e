#pragma once

/*
 * What runs tasks: a queue of those that can go on, and what wakes the others.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libclient/awaited.h"
#include "libclient/resolver.h"
#include "libclient/stack.h"
#include "libclient/switch.h"
#include "libclient/timers.h"
#include "libclient/watch.h"

#include <inko/task.h>

/* What epoll tells beside watches, which are an index below a generation: indexes that no watch
 * has. */
#define SCHEDULER_AWAITED UINT64_C(0xffffffff)
#define SCHEDULER_NUDGE UINT64_C(0xfffffffe)
#define SCHEDULER_ALARM UINT64_C(0xfffffffd)

struct inko_runtime {
	struct switch_context context; /* of dispatch, while a task runs */
	struct inko_task *running;     /* NULL: dispatch itself */

	struct inko_task *first_ready, *last_ready;
	size_t n_ready;
	struct inko_task *tasks; /* all that have not ended */
	size_t n_tasks;
	uint64_t n_turns;
	unsigned int turn_calls; /* that the running task made since it was switched to */
	size_t n_reachable;	 /* that wait for a descriptor or a point in time */

	struct stack_pool stacks;
	struct timers timers;
	int epoll_fd;
	struct watches watches;
	struct awaited awaited;
	struct resolver *resolver; /* from the first name on */

	/* Once somebody polls it from outside: else -1. */
	int alarm_fd, nudge_fd;
	uint64_t alarm_usec;
	bool nudged;
	bool dispatching;
	bool has_looked; /* at epoll, in the last round */
	bool ending;
};

/* The runtime that is in dispatch in this thread, or NULL. */
struct inko_runtime *scheduler_current(void);
/* The task that runs in this thread, or NULL. */
struct inko_task *scheduler_running_task(void);

/* Can the caller wait? 1 in a task, 0 outside of any dispatch: wait in poll; -EDEADLK in dispatch
 * but outside a task. */
int scheduler_can_park(void);

/* Parks the running task until it is woken: what it was woken with; or -ETIMEDOUT after
 * deadline_usec (0: never), or -ECANCELED. by_kernel: a descriptor may wake it. errno stays. */
int scheduler_park(uint64_t deadline_usec, bool by_kernel);
/* Parks the running task until all that are ready have run. 0, or -ECANCELED. */
int scheduler_yield(void);
/* To be called by each call that may wait: has the running task made so many of them that it is
 * another's turn? Outside of tasks it is nobody's. */
bool scheduler_turn_is_over(void);
/* Which turn of which task this is: a number that does not come again in this runtime; 0 outside of
 * tasks. */
uint64_t scheduler_turn(void);
/* Lets a task that is parked go on with result: true. False when it runs, or was woken already. */
bool scheduler_wake(struct inko_task *task, int result);

/* A new task, which has a stack, is ready to run. Its timer has room. */
void scheduler_start(struct inko_runtime *runtime, struct inko_task *task);
