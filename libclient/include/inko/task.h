#pragma once

/*
 * Tasks: code that reads top to bottom while thousands of them share a thread (process.spawn).
 *
 * A task is a function with a stack and a mailbox of its own. In a task every call of libinko that
 * has to wait parks the task and lets others run; outside of tasks the same call blocks the
 * thread and runs none. A runtime runs its tasks in the thread that calls it. Several runtimes
 * share nothing: each is used by one thread at a time, and so is all that belongs to its tasks.
 *
 * What a task makes or receives, sockets and messages, is its own until it is closed, freed,
 * released or sent; what is left when its function returns is closed.
 *
 * Unless said otherwise a call returns 0 or a negative errno. In dispatch but outside of a task, as
 * in what inko_task_on_end calls, whatever has to wait is -EDEADLK.
 */

#include <stddef.h>
#include <stdint.h>

#include <inko/mailbox.h>

#ifdef __cplusplus
extern "C" {
#endif

struct inko_runtime;
struct inko_task;

int inko_runtime_new(struct inko_runtime **ret_runtime);
/* Cancels all tasks, runs them to their end, and frees the runtime. NULL is allowed. Returns NULL;
 * called inside a dispatch it does nothing and returns the runtime. */
struct inko_runtime *inko_runtime_free(struct inko_runtime *runtime);
/* How large the stacks of later tasks are: 64 KiB unless set, at least 8 KiB. -EBUSY while there
 * are tasks. */
int inko_runtime_set_stack_size(struct inko_runtime *runtime, size_t bytes);
size_t inko_runtime_count_tasks(const struct inko_runtime *runtime);

/* Runs tasks until all have ended, and waits in between. -EDEADLK when those that are left wait for
 * each other and nothing else, and when called inside a dispatch. */
int inko_runtime_run(struct inko_runtime *runtime);
/* For a program with a loop of its own: a descriptor to poll for reading, level-triggered, which
 * stays the runtime's; then call inko_runtime_dispatch. */
int inko_runtime_get_fd(struct inko_runtime *runtime);
/* Runs what is ready and never waits: how many tasks are left. -EDEADLK inside a dispatch. */
int inko_runtime_dispatch(struct inko_runtime *runtime);

/* A task that runs function(its mailbox, argument) in runtime, or NULL in a task: in its own
 * (process.spawn). It begins in the next round. *ret_task is a handle for inko_task_join or
 * inko_task_unref; without one (NULL) nobody learns the result. name is copied. -EINVAL without
 * runtime, name or function. -ENOMEM also where the limits of mappings allow no more stacks.
 * -ECANCELED in a runtime that is being freed. */
int inko_task_spawn(struct inko_runtime *runtime, const char *name,
	int (*function)(struct inko_mailbox *mailbox, void *argument), void *argument,
	struct inko_task **ret_task);
/* Where to send to the task. It stays the task's, and lives as long as the handle. */
struct inko_mailbox *inko_task_get_mailbox(struct inko_task *task);
/* Waits until the task has ended and takes the handle; *ret_result, which may be NULL, is what its
 * function returned. On failure the handle stays the caller's: -ECANCELED, -EDEADLK by the task
 * itself, and outside of tasks if it has not ended yet, -EXDEV in a task of another runtime,
 * -EINVAL without a handle. */
int inko_task_join(struct inko_task *take_task, int *ret_result);
/* Ends the wait that the task is in, and each later one, with -ECANCELED. */
void inko_task_cancel(struct inko_task *task);
struct inko_task *inko_task_ref(struct inko_task *task);
/* NULL is allowed. Returns NULL. The task itself goes on. */
struct inko_task *inko_task_unref(struct inko_task *task);
/* The name of task, or with NULL of the task that runs: NULL outside of tasks. */
const char *inko_task_name(const struct inko_task *task);
/* Calls function(result, context) once the task has ended, in dispatch, outside of tasks; one
 * function a task. -ESRCH when it has ended. */
int inko_task_on_end(
	struct inko_task *task, void (*function)(int result, void *context), void *context);

/* Waits until deadline_usec of CLOCK_MONOTONIC (0: for ever). -ECANCELED. */
int inko_task_sleep(uint64_t deadline_usec);
/* Lets all others that are ready run first. -ECANCELED. Outside of tasks nothing. */
int inko_task_yield(void);

/* Installs a handler of SIGSEGV, for this thread and what it runs, that says on standard error
 * which task's stack overflowed, and then lets the signal do what it does. */
int inko_task_report_overflow(void);

#ifdef __cplusplus
}
#endif
