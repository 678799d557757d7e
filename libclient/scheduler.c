/*
 * One thread, one queue: a round looks at the clock and, mostly, at what epoll has, and then runs
 * the tasks that are ready, each until it waits. Who becomes ready meanwhile comes in the next
 * round, so that tasks that wake each other do not keep the others waiting.
 */

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "libclient/scheduler.h"
#include "libclient/task.h"
#include "libclient/wait.h"
#include "proto/descriptor.h"

#define STACK_DEFAULT_BYTES (64 * 1024)
#define STACK_MIN_BYTES (8 * 1024)
#define SCHEDULER_EVENTS 256
/* So many rounds are dispatched before the loop that it stands in has its turn. */
#define DISPATCH_ROUNDS 64
/* So many calls a task makes that might wait and need not, before the others have theirs. Few: what
 * one that accepts has just accepted is still in the caches when the others come to serve it. */
#define TURN_CALLS 8
#define USEC_PER_MSEC 1000
#define USEC_PER_SEC 1000000
#define NSEC_PER_USEC 1000

/* What runs in this thread: the only thing that libinko knows without being told. */
static _Thread_local struct inko_runtime *current;

/* Not inlined: a task that waits comes back, and where a thread's variables are must be asked anew
 * by then. */
__attribute__((noinline)) struct inko_runtime *scheduler_current(void)
{
	return current;
}

struct inko_task *scheduler_running_task(void)
{
	struct inko_runtime *runtime = scheduler_current();

	return runtime ? runtime->running : NULL;
}

int scheduler_can_park(void)
{
	struct inko_runtime *runtime = scheduler_current();

	if (!runtime)
		return 0;
	return runtime->running ? 1 : -EDEADLK;
}

/* Lifecycle */

int inko_runtime_new(struct inko_runtime **ret_runtime)
{
	struct inko_runtime *runtime = malloc(sizeof(*runtime));

	if (!runtime)
		return -ENOMEM;
	*runtime = (struct inko_runtime){.alarm_fd = -1, .nudge_fd = -1};
	runtime->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (runtime->epoll_fd < 0) {
		int r = -errno;

		free(runtime);
		return r;
	}
	awaited_init(&runtime->awaited);
	stack_pool_init(&runtime->stacks, STACK_DEFAULT_BYTES);
	*ret_runtime = runtime;
	return 0;
}

int inko_runtime_set_stack_size(struct inko_runtime *runtime, size_t bytes)
{
	if (bytes < STACK_MIN_BYTES || bytes > INT_MAX)
		return -EINVAL;
	if (runtime->n_tasks > 0)
		return -EBUSY;
	stack_pool_done(&runtime->stacks);
	stack_pool_init(&runtime->stacks, bytes);
	return 0;
}

size_t inko_runtime_count_tasks(const struct inko_runtime *runtime)
{
	return runtime->n_tasks;
}

/* The queue */

static void scheduler_nudge(struct inko_runtime *runtime)
{
	if (runtime->nudge_fd < 0 || runtime->nudged)
		return;
	(void)eventfd_write(runtime->nudge_fd, 1);
	runtime->nudged = true;
}

static void scheduler_push(struct inko_runtime *runtime, struct inko_task *task)
{
	task->next_ready = NULL;
	*(runtime->last_ready ? &runtime->last_ready->next_ready : &runtime->first_ready) = task;
	runtime->last_ready = task;
	runtime->n_ready++;
	/* Within dispatch that is done at its end. */
	if (!runtime->dispatching)
		scheduler_nudge(runtime);
}

static struct inko_task *scheduler_take(struct inko_runtime *runtime)
{
	struct inko_task *task = runtime->first_ready;

	runtime->first_ready = task->next_ready;
	if (!runtime->first_ready)
		runtime->last_ready = NULL;
	runtime->n_ready--;
	return task;
}

void scheduler_start(struct inko_runtime *runtime, struct inko_task *task)
{
	task->runtime = runtime;
	task->next = runtime->tasks;
	if (task->next)
		task->next->previous = task;
	runtime->tasks = task;
	runtime->n_tasks++;
	scheduler_push(runtime, task);
}

/* Parking and waking */

/* Until somebody lets it go on; errno is the task's. */
static int scheduler_switch(struct inko_runtime *runtime, struct inko_task *task)
{
	int saved = errno;

	switch_to(&task->context, &runtime->context);
	errno = saved;
	return task->woken_with;
}

int scheduler_yield(void)
{
	struct inko_runtime *runtime = scheduler_current();
	struct inko_task *task = runtime->running;

	if (task->cancelled)
		return -ECANCELED;
	task->woken_with = 0;
	scheduler_push(runtime, task);
	return scheduler_switch(runtime, task);
}

bool scheduler_turn_is_over(void)
{
	struct inko_runtime *runtime = scheduler_current();

	return runtime && runtime->running && ++runtime->turn_calls > TURN_CALLS;
}

uint64_t scheduler_turn(void)
{
	struct inko_runtime *runtime = scheduler_current();

	return runtime && runtime->running ? runtime->n_turns : 0;
}

int scheduler_park(uint64_t deadline_usec, bool by_kernel)
{
	struct inko_runtime *runtime = scheduler_current();
	struct inko_task *task = runtime->running;
	bool reachable = by_kernel || deadline_usec > 0;
	int r;

	if (task->cancelled)
		return -ECANCELED;
	if (deadline_usec > 0)
		timers_add(&runtime->timers, &task->timer, deadline_usec);
	runtime->n_reachable += reachable;
	task->parked = true;
	r = scheduler_switch(runtime, task);
	runtime->n_reachable -= reachable;
	return r;
}

bool scheduler_wake(struct inko_task *task, int result)
{
	if (!task->parked)
		return false;
	task->parked = false;
	task->woken_with = result;
	timers_remove(&task->runtime->timers, &task->timer);
	scheduler_push(task->runtime, task);
	return true;
}

/* Rounds */

static void scheduler_on_event(struct inko_runtime *runtime, const struct epoll_event *event)
{
	uint64_t value;

	switch (event->data.u64) {
	case SCHEDULER_AWAITED:
		awaited_dispatch(runtime);
		break;
	case SCHEDULER_NUDGE:
		(void)eventfd_read(runtime->nudge_fd, &value);
		runtime->nudged = false;
		break;
	case SCHEDULER_ALARM:
		(void)!read(runtime->alarm_fd, &value, sizeof(value));
		runtime->alarm_usec = 0;
		break;
	default:
		watch_on_event(runtime, (uint32_t)event->data.u64,
			(uint32_t)(event->data.u64 >> 32), event->events);
	}
}

static void scheduler_collect_events(struct inko_runtime *runtime, int wait_msec)
{
	struct epoll_event events[SCHEDULER_EVENTS];
	int n = epoll_wait(runtime->epoll_fd, events, SCHEDULER_EVENTS, wait_msec);

	for (int i = 0; i < n; i++)
		scheduler_on_event(runtime, &events[i]);
}

static struct inko_task *task_of_timer(struct timer *timer)
{
	return (struct inko_task *)((char *)timer - offsetof(struct inko_task, timer));
}

static void scheduler_collect_timers(struct inko_runtime *runtime)
{
	struct timer *timer;
	uint64_t now_usec;

	if (!timers_peek(&runtime->timers))
		return;
	now_usec = wait_now_usec();
	while ((timer = timers_take(&runtime->timers, now_usec)))
		(void)scheduler_wake(task_of_timer(timer), -ETIMEDOUT);
}

static void scheduler_run_task(struct inko_runtime *runtime, struct inko_task *task)
{
	runtime->running = task;
	runtime->n_turns++;
	runtime->turn_calls = 0;
	switch_to(&runtime->context, &task->context);
	runtime->running = NULL;
	if (!task->returned)
		return;
	if (task->previous)
		task->previous->next = task->next;
	else
		runtime->tasks = task->next;
	if (task->next)
		task->next->previous = task->previous;
	runtime->n_tasks--;
	stack_pool_return(&runtime->stacks, task->stack);
	task_end(task);
}

/* While tasks are ready every other round does without epoll: what a connection that was just
 * accepted needs is there, and asking each time would cost it a system call more. */
static bool scheduler_must_look(struct inko_runtime *runtime)
{
	runtime->has_looked = runtime->n_ready == 0 || !runtime->has_looked;
	return runtime->has_looked;
}

static void scheduler_round(struct inko_runtime *runtime, int wait_msec)
{
	int saved = errno;

	if (scheduler_must_look(runtime))
		scheduler_collect_events(runtime, wait_msec);
	scheduler_collect_timers(runtime);
	for (size_t left = runtime->n_ready; left > 0; left--)
		scheduler_run_task(runtime, scheduler_take(runtime));
	errno = saved;
}

/* For how long epoll may sleep: until a task can go on. Rounded up, since nobody is to be woken
 * before their time. */
static int scheduler_idle_msec(const struct inko_runtime *runtime)
{
	const struct timer *timer = timers_peek(&runtime->timers);
	uint64_t now_usec, left_msec;

	if (runtime->n_ready > 0)
		return 0;
	if (!timer)
		return -1;
	now_usec = wait_now_usec();
	if (timer->at_usec <= now_usec)
		return 0;
	left_msec = (timer->at_usec - now_usec - 1) / USEC_PER_MSEC + 1;
	return left_msec < INT_MAX ? (int)left_msec : INT_MAX;
}

static void scheduler_enter(struct inko_runtime *runtime)
{
	current = runtime;
	runtime->dispatching = true;
	runtime->has_looked = false;
}

static void scheduler_leave(struct inko_runtime *runtime)
{
	current = NULL;
	runtime->dispatching = false;
}

int inko_runtime_run(struct inko_runtime *runtime)
{
	if (scheduler_current())
		return -EDEADLK;
	scheduler_enter(runtime);
	while (runtime->n_tasks > 0 && (runtime->n_ready > 0 || runtime->n_reachable > 0))
		scheduler_round(runtime, scheduler_idle_msec(runtime));
	scheduler_leave(runtime);
	return runtime->n_tasks > 0 ? -EDEADLK : 0;
}

/* In somebody's loop */

static int scheduler_add_source(struct inko_runtime *runtime, int fd, uint64_t name)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = name};

	return epoll_ctl(runtime->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* Has the descriptor tell what epoll does not know: the clock, and tasks that are ready. */
static void scheduler_announce(struct inko_runtime *runtime)
{
	const struct timer *timer = timers_peek(&runtime->timers);
	uint64_t at_usec = timer ? timer->at_usec : 0;
	struct itimerspec when = {
		.it_value = {.tv_sec = (time_t)(at_usec / USEC_PER_SEC),
			.tv_nsec = (long)(at_usec % USEC_PER_SEC * NSEC_PER_USEC)},
	};

	if (runtime->nudge_fd < 0)
		return;
	if (runtime->n_ready > 0)
		scheduler_nudge(runtime);
	if (at_usec == runtime->alarm_usec)
		return;
	(void)timerfd_settime(runtime->alarm_fd, TFD_TIMER_ABSTIME, &when, NULL);
	runtime->alarm_usec = at_usec;
}

int inko_runtime_get_fd(struct inko_runtime *runtime)
{
	_cleanup_close_ int alarm_fd = -1, nudge_fd = -1;
	int r;

	if (runtime->nudge_fd >= 0)
		return runtime->epoll_fd;
	alarm_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (alarm_fd < 0)
		return -errno;
	nudge_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (nudge_fd < 0)
		return -errno;
	r = scheduler_add_source(runtime, alarm_fd, SCHEDULER_ALARM);
	if (r == 0)
		r = scheduler_add_source(runtime, nudge_fd, SCHEDULER_NUDGE);
	if (r < 0)
		return r;
	runtime->alarm_fd = descriptor_take(&alarm_fd);
	runtime->nudge_fd = descriptor_take(&nudge_fd);
	scheduler_announce(runtime);
	return runtime->epoll_fd;
}

int inko_runtime_dispatch(struct inko_runtime *runtime)
{
	size_t rounds = 0;

	if (scheduler_current())
		return -EDEADLK;
	scheduler_enter(runtime);
	do
		scheduler_round(runtime, 0);
	while (runtime->n_ready > 0 && ++rounds < DISPATCH_ROUNDS);
	scheduler_leave(runtime);
	scheduler_announce(runtime);
	return runtime->n_tasks < INT_MAX ? (int)runtime->n_tasks : INT_MAX;
}

/* The end */

static void scheduler_cancel_all(struct inko_runtime *runtime)
{
	for (struct inko_task *task = runtime->tasks; task; task = task->next)
		inko_task_cancel(task);
}

struct inko_runtime *inko_runtime_free(struct inko_runtime *runtime)
{
	if (!runtime)
		return NULL;
	if (scheduler_current())
		return runtime;
	runtime->ending = true;
	scheduler_cancel_all(runtime);
	scheduler_enter(runtime);
	while (runtime->n_tasks > 0)
		scheduler_round(runtime, 0);
	scheduler_leave(runtime);
	resolver_free(runtime->resolver);
	watches_done(&runtime->watches);
	awaited_done(&runtime->awaited);
	timers_done(&runtime->timers);
	stack_pool_done(&runtime->stacks);
	descriptor_close(&runtime->alarm_fd);
	descriptor_close(&runtime->nudge_fd);
	descriptor_close(&runtime->epoll_fd);
	free(runtime);
	return NULL;
}
