/*
 * Tasks. What a task is lives on the heap and not on its stack: a handle may outlive the stack, and
 * a stack that is returned keeps nothing.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libclient/scheduler.h"
#include "libclient/task.h"
#include "libclient/wait.h"

/* Its stack's first function. */
static void task_main(void *context)
{
	struct inko_task *task = context;

	switch_arrive(&task->runtime->context);
	errno = 0;
	task->result = task->function(&task->mailbox, task->argument);
	task->returned = true;
	switch_for_good(&task->context, &task->runtime->context);
}

static struct inko_task *task_new(const char *name)
{
	size_t size = strlen(name) + 1;
	struct inko_task *task = malloc(sizeof(*task) + size);

	if (!task)
		return NULL;
	*task = (struct inko_task){.n_references = 1};
	task->mailbox = (struct inko_mailbox){
		.transport = &task_mailbox_transport, .context = task, .of_task = true};
	belongings_init(&task->belongings);
	memcpy(task->name, name, size);
	return task;
}

/* Which runtime a task that is spawned with this one belongs to, or NULL. */
static struct inko_runtime *choose_runtime(struct inko_runtime *runtime)
{
	struct inko_task *running = scheduler_running_task();

	if (runtime || !running)
		return runtime;
	return running->runtime;
}

int inko_task_spawn(struct inko_runtime *runtime, const char *name,
	int (*function)(struct inko_mailbox *mailbox, void *argument), void *argument,
	struct inko_task **ret_task)
{
	struct inko_task *task;
	int r;

	runtime = choose_runtime(runtime);
	if (!runtime || !name || !function)
		return -EINVAL;
	if (runtime->ending)
		return -ECANCELED;
	if (timers_reserve(&runtime->timers, runtime->n_tasks + 1) < 0)
		return -ENOMEM;
	task = task_new(name);
	if (!task)
		return -ENOMEM;
	r = stack_pool_take(&runtime->stacks, &task->stack);
	if (r < 0)
		return inko_task_unref(task), r;
	task->function = function;
	task->argument = argument;
	switch_prepare(
		&task->context, task->stack->bottom, runtime->stacks.size_bytes, task_main, task);
	scheduler_start(runtime, task);
	if (ret_task)
		*ret_task = inko_task_ref(task);
	return 0;
}

void task_end(struct inko_task *task)
{
	task->runtime = NULL;
	belongings_close(&task->belongings);
	task_mailbox_end(task);
	wait_list_wake_all(&task->joining);
	if (task->on_end)
		task->on_end(task->result, task->on_end_context);
	inko_task_unref(task);
}

/* Handles */

struct inko_task *inko_task_ref(struct inko_task *task)
{
	task->n_references++;
	return task;
}

struct inko_task *inko_task_unref(struct inko_task *task)
{
	if (task && --task->n_references == 0)
		free(task);
	return NULL;
}

const char *inko_task_name(const struct inko_task *task)
{
	if (!task)
		task = scheduler_running_task();
	return task ? task->name : NULL;
}

struct inko_mailbox *inko_task_get_mailbox(struct inko_task *task)
{
	return &task->mailbox;
}

int inko_task_on_end(
	struct inko_task *task, void (*function)(int result, void *context), void *context)
{
	if (!task->runtime)
		return -ESRCH;
	task->on_end = function;
	task->on_end_context = context;
	return 0;
}

void inko_task_cancel(struct inko_task *task)
{
	task->cancelled = true;
	(void)scheduler_wake(task, -ECANCELED);
}

/* Waiting */

static int task_wait_for_end(struct inko_task *task)
{
	struct inko_task *running = scheduler_running_task();

	if (!running || running == task)
		return -EDEADLK;
	if (running->runtime != task->runtime)
		return -EXDEV;
	return wait_in(&task->joining, NULL, 0, 0);
}

int inko_task_join(struct inko_task *take_task, int *ret_result)
{
	int r = 0;

	if (!take_task)
		return -EINVAL;
	if (take_task->runtime)
		r = task_wait_for_end(take_task);
	if (r < 0)
		return r;
	if (ret_result)
		*ret_result = take_task->result;
	inko_task_unref(take_task);
	return 0;
}

int inko_task_sleep(uint64_t deadline_usec)
{
	int r = wait_for(NULL, 0, deadline_usec);

	return r == -ETIMEDOUT ? 0 : r;
}

int inko_task_yield(void)
{
	int r = scheduler_can_park();

	return r > 0 ? scheduler_yield() : r;
}
