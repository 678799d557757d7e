/*
 * Tasks: their life, the order that they run in, what they own, and their ends.
 */

#include "tests/unit/tasks.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>

/* Running */

static int note_and_yield(struct inko_mailbox *mailbox, void *argument)
{
	struct record *record = argument;
	char letter = *inko_task_name(NULL);

	(void)mailbox;
	for (int i = 0; i < 3; i++) {
		record_add(record, letter);
		assert_int_equal(inko_task_yield(), 0);
	}
	return letter;
}

static void test_tasks_take_turns(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct record record = {0};

	(void)state;
	start_detached(runtime, "a", note_and_yield, &record);
	start_detached(runtime, "b", note_and_yield, &record);
	start_detached(runtime, "c", note_and_yield, &record);
	assert_int_equal(inko_runtime_count_tasks(runtime), 3);
	assert_string_equal(record.text, "");
	finish(runtime);
	assert_string_equal(record.text, "abcabcabc");
}

static int spawn_others(struct inko_mailbox *mailbox, void *argument)
{
	struct record *record = argument;

	(void)mailbox;
	record_add(record, 'm');
	start_detached(NULL, "x", note_and_yield, record);
	record_add(record, 'n');
	return 0;
}

static void test_spawn_in_own_runtime(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct record record = {0};

	(void)state;
	start_detached(runtime, "main", spawn_others, &record);
	finish(runtime);
	assert_string_equal(record.text, "mnxxx");
}

static int never_called(struct inko_mailbox *mailbox, void *argument)
{
	(void)mailbox, (void)argument;
	fail();
	return 0;
}

static void test_spawn_refuses(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct inko_task *task;

	(void)state;
	assert_int_equal(inko_task_spawn(NULL, "x", never_called, NULL, &task), -EINVAL);
	assert_int_equal(inko_task_spawn(runtime, NULL, never_called, NULL, &task), -EINVAL);
	assert_int_equal(inko_task_spawn(runtime, "x", NULL, NULL, &task), -EINVAL);
	assert_int_equal(inko_task_join(NULL, NULL), -EINVAL);
	finish(runtime);
}

static int return_name(struct inko_mailbox *mailbox, void *argument)
{
	(void)mailbox, (void)argument;
	return *inko_task_name(NULL);
}

static void test_stack_size(void **state)
{
	struct inko_runtime *runtime = runtime_make();

	(void)state;
	assert_int_equal(inko_runtime_set_stack_size(runtime, 1), -EINVAL);
	assert_int_equal(inko_runtime_set_stack_size(runtime, SIZE_MAX), -EINVAL);
	assert_int_equal(inko_runtime_set_stack_size(runtime, 1 << 20), 0);
	start_detached(runtime, "a", return_name, NULL);
	assert_int_equal(inko_runtime_set_stack_size(runtime, 1 << 16), -EBUSY);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(inko_runtime_set_stack_size(runtime, 1 << 16), 0);
	start_detached(runtime, "a", return_name, NULL);
	finish(runtime);
}

static void test_names(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	char name[] = "somebody";
	struct inko_task *task = start(runtime, name, return_name, NULL);
	int result;

	(void)state;
	name[0] = 'x';
	assert_string_equal(inko_task_name(task), "somebody");
	assert_null(inko_task_name(NULL));
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_string_equal(inko_task_name(task), "somebody");
	assert_int_equal(inko_task_join(task, &result), 0);
	assert_int_equal(result, 's');
	finish(runtime);
}

/* A frame for each level, so that the stack really grows. */
static int __attribute__((noinline)) descend(int depth)
{
	volatile char frame[512];

	frame[0] = (char)depth;
	return depth == 0 ? 0 : descend(depth - 1) + (frame[0] == (char)depth);
}

static int use_stack(struct inko_mailbox *mailbox, void *argument)
{
	(void)mailbox, (void)argument;
	assert_int_equal(inko_task_yield(), 0);
	return descend(64);
}

static void test_a_stack_is_used_again(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	int result;

	(void)state;
	for (int i = 0; i < 300; i++) {
		struct inko_task *task = start(runtime, "deep", use_stack, NULL);

		assert_int_equal(inko_runtime_run(runtime), 0);
		assert_int_equal(inko_task_join(task, &result), 0);
		assert_int_equal(result, 64);
	}
	finish(runtime);
}

/* The processor's and libc's state */

static int keep_errno(struct inko_mailbox *mailbox, void *argument)
{
	int mine = *(int *)argument;

	(void)mailbox;
	assert_int_equal(errno, 0);
	errno = mine;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(inko_task_yield(), 0);
		assert_int_equal(errno, mine);
	}
	assert_int_equal(inko_task_sleep(wait_now_usec() + 1000), 0);
	assert_int_equal(errno, mine);
	return 0;
}

static void test_errno_is_the_tasks(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	int one = ENOENT, other = EDOM;

	(void)state;
	start_detached(runtime, "a", keep_errno, &one);
	start_detached(runtime, "b", keep_errno, &other);
	errno = EISDIR;
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(errno, EISDIR);
	finish(runtime);
}

/* More than the registers that a call may change. */
static int keep_numbers(struct inko_mailbox *mailbox, void *argument)
{
	volatile double start_at = *(double *)argument;
	double a = start_at, b = a * 2, c = a * 3;
	long d = (long)a, e = d * 5, f = d * 7, g = d * 11, h = d * 13;

	(void)mailbox;
	for (int i = 0; i < 100; i++) {
		a += 1, b += 2, c += 3, d += 1, e += 2, f += 3, g += 4, h += 5;
		assert_int_equal(inko_task_yield(), 0);
	}
	assert_true(a == start_at + 100 && b == start_at * 2 + 200 && c == start_at * 3 + 300);
	assert_int_equal(d, (long)start_at + 100);
	assert_int_equal(e + f + g + h, (long)start_at * 36 + 1400);
	return 0;
}

static void test_registers_are_the_tasks(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	double one = 1, other = 1000;

	(void)state;
	start_detached(runtime, "a", keep_numbers, &one);
	start_detached(runtime, "b", keep_numbers, &other);
	finish(runtime);
}

static int look_at_mask(struct inko_mailbox *mailbox, void *argument)
{
	sigset_t mask;

	(void)mailbox;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
		((bool *)argument)[i] = sigismember(&mask, SIGUSR1);
		assert_int_equal(inko_task_yield(), 0);
	}
	return 0;
}

static void test_the_signal_mask_is_the_runtimes(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	bool seen[2] = {true, false};
	sigset_t user;

	(void)state;
	(void)sigemptyset(&user);
	(void)sigaddset(&user, SIGUSR1);
	start_detached(runtime, "a", look_at_mask, seen);
	assert_int_equal(inko_runtime_get_fd(runtime) >= 0, 1);
	assert_int_equal(pthread_sigmask(SIG_UNBLOCK, &user, NULL), 0);
	/* Its two halves are run under two masks. */
	start_detached(runtime, "b", return_name, NULL);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &user, NULL), 0);
	finish(runtime);
	assert_int_equal(pthread_sigmask(SIG_UNBLOCK, &user, NULL), 0);
	assert_true(seen[0]);
	assert_true(seen[1]);
}

/* The clock */

struct nap {
	struct record *record;
	uint64_t at_usec;
};

static int nap(struct inko_mailbox *mailbox, void *argument)
{
	struct nap *own = argument;

	(void)mailbox;
	assert_int_equal(inko_task_sleep(own->at_usec), 0);
	assert_true(wait_now_usec() >= own->at_usec);
	record_add(own->record, *inko_task_name(NULL));
	return 0;
}

static void test_sleepers_wake_in_order(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	uint64_t now_usec = wait_now_usec();
	struct record record = {0};
	struct nap naps[] = {
		{&record, now_usec + 30000},
		{&record, now_usec + 10000},
		{&record, 1},
		{&record, now_usec + 20000},
	};

	(void)state;
	start_detached(runtime, "a", nap, &naps[0]);
	start_detached(runtime, "b", nap, &naps[1]);
	start_detached(runtime, "c", nap, &naps[2]);
	start_detached(runtime, "d", nap, &naps[3]);
	finish(runtime);
	assert_string_equal(record.text, "cbda");
}

static void test_sleep_outside(void **state)
{
	uint64_t until_usec = wait_now_usec() + 2000;

	(void)state;
	assert_int_equal(inko_task_sleep(until_usec), 0);
	assert_true(wait_now_usec() >= until_usec);
	assert_int_equal(inko_task_yield(), 0);
}

/* Ends */

static int join_it(struct inko_mailbox *mailbox, void *argument)
{
	struct inko_task *other = argument;
	int result = -1;

	(void)mailbox;
	assert_int_equal(inko_task_join(other, &result), 0);
	return result;
}

static int yield_then_seven(struct inko_mailbox *mailbox, void *argument)
{
	(void)mailbox, (void)argument;
	assert_int_equal(inko_task_yield(), 0);
	return 7;
}

static void test_join(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct inko_task *first = start(runtime, "first", yield_then_seven, NULL);
	struct inko_task *second = start(runtime, "second", join_it, inko_task_ref(first));
	struct inko_task *third = start(runtime, "third", join_it, first);
	int result;

	(void)state;
	assert_int_equal(inko_task_join(second, &result), -EDEADLK);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(inko_task_join(second, &result), 0);
	assert_int_equal(result, 7);
	assert_int_equal(inko_task_join(third, NULL), 0);
	finish(runtime);
}

static int join_self(struct inko_mailbox *mailbox, void *argument)
{
	struct inko_task **self = argument;

	(void)mailbox;
	return inko_task_join(*self, NULL);
}

static void test_join_self(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct inko_task *self;
	int result;

	(void)state;
	self = start(runtime, "self", join_self, &self);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(inko_task_join(self, &result), 0);
	assert_int_equal(result, -EDEADLK);
	finish(runtime);
}

static int join_stranger(struct inko_mailbox *mailbox, void *argument)
{
	(void)mailbox;
	return inko_task_join(argument, NULL);
}

static void test_join_across_runtimes(void **state)
{
	struct inko_runtime *one = runtime_make(), *other = runtime_make();
	struct inko_task *stranger = start(one, "stranger", yield_then_seven, NULL);
	struct inko_task *task = start(other, "task", join_stranger, stranger);
	int result;

	(void)state;
	assert_int_equal(inko_runtime_run(other), 0);
	assert_int_equal(inko_task_join(task, &result), 0);
	assert_int_equal(result, -EXDEV);
	assert_int_equal(inko_runtime_run(one), 0);
	assert_int_equal(inko_task_join(stranger, &result), 0);
	assert_int_equal(result, 7);
	finish(one);
	finish(other);
}

static int wait_for_mail(struct inko_mailbox *mailbox, void *argument)
{
	struct inko_message *message;

	(void)argument;
	return inko_mailbox_receive(mailbox, &message);
}

static void test_run_tells_a_deadlock(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct inko_task *task = start(runtime, "waits", wait_for_mail, NULL);
	int result;

	(void)state;
	assert_int_equal(inko_runtime_run(runtime), -EDEADLK);
	assert_int_equal(inko_runtime_count_tasks(runtime), 1);
	inko_task_cancel(task);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(inko_task_join(task, &result), 0);
	assert_int_equal(result, -ECANCELED);
	finish(runtime);
}

static void note_end(int result, void *context)
{
	*(int *)context = result;
}

static void test_on_end(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct inko_task *task = start(runtime, "x", return_name, NULL);
	int seen = 0;

	(void)state;
	assert_int_equal(inko_task_on_end(task, note_end, &seen), 0);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(seen, 'x');
	assert_int_equal(inko_task_on_end(task, note_end, &seen), -ESRCH);
	assert_null(inko_task_unref(task));
	assert_null(inko_task_unref(NULL));
	finish(runtime);
}

/* In dispatch, outside of a task */

struct outside {
	struct inko_runtime *runtime;
	struct inko_task *other;
	struct inko_socket *a, *b;
	bool called;
};

static void try_all_waits(int result, void *context)
{
	struct outside *outside = context;
	char byte;

	(void)result;
	assert_int_equal(inko_task_sleep(1), -EDEADLK);
	assert_int_equal(inko_task_yield(), -EDEADLK);
	assert_int_equal(inko_socket_read(outside->a, &byte, 1), -EDEADLK);
	assert_int_equal(inko_task_join(outside->other, NULL), -EDEADLK);
	assert_int_equal(inko_runtime_run(outside->runtime), -EDEADLK);
	assert_int_equal(inko_runtime_dispatch(outside->runtime), -EDEADLK);
	assert_ptr_equal(inko_runtime_free(outside->runtime), outside->runtime);
	assert_null(inko_task_name(NULL));
	/* What need not wait works. */
	assert_int_equal(inko_socket_write_string(outside->b, "x"), 0);
	assert_int_equal(inko_socket_read(outside->a, &byte, 1), 1);
	inko_task_cancel(outside->other);
	outside->called = true;
}

static void test_no_waiting_in_dispatch(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct outside outside = {.runtime = runtime};
	struct inko_task *task = start(runtime, "x", return_name, NULL);

	(void)state;
	pair_make(&outside.a, &outside.b);
	outside.other = start(runtime, "waits", wait_for_mail, NULL);
	assert_int_equal(inko_task_on_end(task, try_all_waits, &outside), 0);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_true(outside.called);
	inko_task_unref(task);
	inko_task_unref(outside.other);
	inko_socket_close(outside.a);
	inko_socket_close(outside.b);
	finish(runtime);
}

static int nest(struct inko_mailbox *mailbox, void *argument)
{
	struct inko_runtime **runtimes = argument;

	(void)mailbox;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(inko_runtime_run(runtimes[i]), -EDEADLK);
		assert_int_equal(inko_runtime_dispatch(runtimes[i]), -EDEADLK);
		assert_ptr_equal(inko_runtime_free(runtimes[i]), runtimes[i]);
	}
	return 0;
}

static void test_no_dispatch_in_a_task(void **state)
{
	struct inko_runtime *runtimes[] = {runtime_make(), runtime_make()};

	(void)state;
	start_detached(runtimes[0], "x", nest, runtimes);
	finish(runtimes[0]);
	finish(runtimes[1]);
}

/* What a task owns */

static int leave_all_open(struct inko_mailbox *mailbox, void *argument)
{
	struct inko_socket *a, *b, *c, *d;
	struct inko_message *message;

	(void)mailbox, (void)argument;
	pair_make(&a, &b);
	pair_make(&c, &d);
	message = message_make("with a socket");
	assert_int_equal(inko_message_push_socket(message, a), 0);
	(void)message_make("without");
	inko_socket_close(d);
	return -EIO;
}

static void test_what_is_left_is_closed(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	uintptr_t before = leaks_count_fds();

	(void)state;
	start_detached(runtime, "careless", leave_all_open, NULL);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(leaks_count_fds(), before);
	finish(runtime);
}

static int keep_descriptor(struct inko_mailbox *mailbox, void *argument)
{
	struct inko_socket *a, *b;

	(void)mailbox;
	pair_make(&a, &b);
	*(int *)argument = inko_socket_release(a);
	return 0;
}

static void test_what_is_released_stays(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	int fd = -1;

	(void)state;
	start_detached(runtime, "x", keep_descriptor, &fd);
	finish(runtime);
	assert_true(fcntl(fd, F_GETFD) >= 0);
	assert_int_equal(close(fd), 0);
}

static int use_outsiders(struct inko_mailbox *mailbox, void *argument)
{
	struct inko_socket **sockets = argument;
	char byte;

	(void)mailbox;
	assert_int_equal(inko_socket_write_string(sockets[0], "x"), 0);
	assert_int_equal(inko_socket_read(sockets[1], &byte, 1), 1);
	return 0;
}

static void test_what_it_did_not_make_stays(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct inko_socket *sockets[2];
	char byte;

	(void)state;
	pair_make(&sockets[0], &sockets[1]);
	start_detached(runtime, "x", use_outsiders, sockets);
	finish(runtime);
	assert_int_equal(inko_socket_write_string(sockets[1], "y"), 0);
	assert_int_equal(inko_socket_read(sockets[0], &byte, 1), 1);
	inko_socket_close(sockets[0]);
	inko_socket_close(sockets[1]);
}

/* Cancelling */

static int sleep_for_ever(struct inko_mailbox *mailbox, void *argument)
{
	struct inko_message *message;
	int *n_cancelled = argument;

	*n_cancelled += inko_task_sleep(0) == -ECANCELED;
	/* It stays so. */
	*n_cancelled += inko_task_sleep(1) == -ECANCELED;
	*n_cancelled += inko_task_yield() == -ECANCELED;
	*n_cancelled += inko_mailbox_receive(mailbox, &message) == -ECANCELED;
	return -ECANCELED;
}

static void test_cancel_is_sticky(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	int n_cancelled = 0, result;
	struct inko_task *task = start(runtime, "x", sleep_for_ever, &n_cancelled);

	(void)state;
	assert_int_equal(inko_runtime_dispatch(runtime), 1);
	assert_int_equal(n_cancelled, 0);
	inko_task_cancel(task);
	assert_int_equal(inko_runtime_dispatch(runtime), 0);
	assert_int_equal(n_cancelled, 4);
	inko_task_cancel(task);
	assert_int_equal(inko_task_join(task, &result), 0);
	assert_int_equal(result, -ECANCELED);
	finish(runtime);
}

static void test_cancel_before_it_began(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	int n_cancelled = 0;
	struct inko_task *task = start(runtime, "x", sleep_for_ever, &n_cancelled);

	(void)state;
	inko_task_cancel(task);
	inko_task_unref(task);
	finish(runtime);
	assert_int_equal(n_cancelled, 4);
}

static int join_until_cancelled(struct inko_mailbox *mailbox, void *argument)
{
	(void)mailbox;
	return inko_task_join(argument, NULL);
}

static void test_cancel_a_join(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	int n_cancelled = 0, result;
	struct inko_task *sleeper = start(runtime, "sleeper", sleep_for_ever, &n_cancelled);
	struct inko_task *joiner = start(runtime, "joiner", join_until_cancelled, sleeper);

	(void)state;
	assert_int_equal(inko_runtime_dispatch(runtime), 2);
	inko_task_cancel(joiner);
	assert_int_equal(inko_runtime_dispatch(runtime), 1);
	assert_int_equal(inko_task_join(joiner, &result), 0);
	assert_int_equal(result, -ECANCELED);
	/* The handle stayed the caller's. */
	inko_task_cancel(sleeper);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(inko_task_join(sleeper, &result), 0);
	finish(runtime);
}

static int spawn_at_the_end(struct inko_mailbox *mailbox, void *argument)
{
	(void)mailbox;
	assert_int_equal(inko_task_sleep(0), -ECANCELED);
	*(int *)argument = inko_task_spawn(NULL, "late", never_called, NULL, NULL);
	return 0;
}

static void test_free_ends_all(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	int n_cancelled = 0, spawned = 0, result;
	struct inko_task *task = start(runtime, "x", sleep_for_ever, &n_cancelled);

	(void)state;
	start_detached(runtime, "y", spawn_at_the_end, &spawned);
	assert_int_equal(inko_runtime_dispatch(runtime), 2);
	assert_null(inko_runtime_free(runtime));
	assert_int_equal(n_cancelled, 4);
	assert_int_equal(spawned, -ECANCELED);
	assert_int_equal(inko_task_join(task, &result), 0);
	assert_int_equal(result, -ECANCELED);
	assert_null(inko_runtime_free(NULL));
}

/* In somebody's loop */

static bool is_readable(int fd, int wait_msec)
{
	struct pollfd readable = {.fd = fd, .events = POLLIN};

	return poll(&readable, 1, wait_msec) == 1;
}

static void test_descriptor_tells_of_ready_tasks(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct record record = {0};
	int fd = inko_runtime_get_fd(runtime);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(inko_runtime_get_fd(runtime), fd);
	assert_false(is_readable(fd, 0));
	start_detached(runtime, "a", note_and_yield, &record);
	assert_true(is_readable(fd, 0));
	assert_int_equal(inko_runtime_dispatch(runtime), 0);
	assert_false(is_readable(fd, 0));
	assert_string_equal(record.text, "aaa");
	finish(runtime);
}

static int yield_often(struct inko_mailbox *mailbox, void *argument)
{
	(void)mailbox;
	for (int i = 0; i < 1000; i++, ++*(int *)argument)
		assert_int_equal(inko_task_yield(), 0);
	return 0;
}

/* A task that is always ready does not keep the loop for itself. */
static void test_dispatch_has_a_budget(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	int fd = inko_runtime_get_fd(runtime), n = 0, n_dispatched = 0;

	(void)state;
	start_detached(runtime, "busy", yield_often, &n);
	do {
		assert_true(is_readable(fd, 0));
		n_dispatched++;
	} while (inko_runtime_dispatch(runtime) > 0);
	assert_int_equal(n, 1000);
	assert_true(n_dispatched > 1);
	finish(runtime);
}

static void test_descriptor_tells_the_time(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	uint64_t now_usec = wait_now_usec();
	struct record record = {0};
	struct nap naps[] = {{&record, now_usec + 40000}, {&record, now_usec + 20000}};
	int fd, n_left;

	(void)state;
	start_detached(runtime, "a", nap, &naps[0]);
	start_detached(runtime, "b", nap, &naps[1]);
	assert_int_equal(inko_runtime_dispatch(runtime), 2);
	/* Asked for only now: what is due is told all the same. */
	fd = inko_runtime_get_fd(runtime);
	do {
		assert_true(is_readable(fd, -1));
		n_left = inko_runtime_dispatch(runtime);
	} while (n_left > 0);
	assert_string_equal(record.text, "ba");
	assert_false(is_readable(fd, 0));
	finish(runtime);
}

static void test_message_from_the_loop(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct inko_task *task = start(runtime, "x", wait_for_mail, NULL);
	int fd = inko_runtime_get_fd(runtime);
	int result;

	(void)state;
	assert_int_equal(inko_runtime_dispatch(runtime), 1);
	assert_false(is_readable(fd, 0));
	assert_int_equal(inko_mailbox_send(inko_task_get_mailbox(task), message_make("go")), 0);
	assert_true(is_readable(fd, 0));
	assert_int_equal(inko_runtime_dispatch(runtime), 0);
	assert_int_equal(inko_task_join(task, &result), 0);
	assert_int_equal(result, 0);
	finish(runtime);
}

static int read_one(struct inko_mailbox *mailbox, void *argument)
{
	char byte;

	(void)mailbox;
	return (int)inko_socket_read(argument, &byte, 1);
}

/* As in a loop of epoll's, one level deeper. */
static void test_in_an_epoll(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct epoll_event event = {.events = EPOLLIN};
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	struct inko_socket *a, *b;

	(void)state;
	pair_make(&a, &b);
	start_detached(runtime, "reader", read_one, a);
	assert_int_equal(
		epoll_ctl(epoll_fd, EPOLL_CTL_ADD, inko_runtime_get_fd(runtime), &event), 0);
	assert_int_equal(epoll_wait(epoll_fd, &event, 1, 0), 1);
	assert_int_equal(inko_runtime_dispatch(runtime), 1);
	assert_int_equal(epoll_wait(epoll_fd, &event, 1, 0), 0);
	assert_int_equal(inko_socket_write_string(b, "x"), 0);
	assert_int_equal(epoll_wait(epoll_fd, &event, 1, -1), 1);
	assert_int_equal(inko_runtime_dispatch(runtime), 0);
	inko_socket_close(a);
	inko_socket_close(b);
	assert_int_equal(close(epoll_fd), 0);
	finish(runtime);
}

/* In threads */

static int ping(struct inko_mailbox *mailbox, void *argument)
{
	struct inko_socket *socket = argument;
	char byte = 'x';

	(void)mailbox;
	for (int i = 0; i < 200; i++)
		if (inko_socket_write_bytes(socket, &byte, 1) < 0 ||
			inko_socket_read(socket, &byte, 1) != 1 || inko_task_yield() < 0)
			return 1;
	return 0;
}

static void *run_one_thread(void *argument)
{
	struct inko_runtime *runtime;
	struct inko_task *tasks[2];
	int *failures = argument, result;
	struct inko_socket *a, *b;

	*failures = 1;
	if (inko_runtime_new(&runtime) < 0)
		return NULL;
	pair_make(&a, &b);
	*failures = inko_task_spawn(runtime, "a", ping, a, &tasks[0]) < 0 ||
		    inko_task_spawn(runtime, "b", ping, b, &tasks[1]) < 0 ||
		    inko_runtime_run(runtime) < 0;
	for (int i = 0; i < 2; i++)
		*failures += inko_task_join(tasks[i], &result) < 0 || result != 0;
	inko_socket_close(a);
	inko_socket_close(b);
	inko_runtime_free(runtime);
	return NULL;
}

static void test_a_runtime_a_thread(void **state)
{
	pthread_t threads[4];
	int failures[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, run_one_thread, &failures[i]), 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(failures[i], 0);
	}
}

/* Limits */

static int overflow(struct inko_mailbox *mailbox, void *argument)
{
	(void)mailbox, (void)argument;
	return descend(1 << 20);
}

static void overflow_in_child(void)
{
	struct inko_runtime *runtime;

	if (inko_runtime_new(&runtime) == 0 && inko_task_report_overflow() == 0 &&
		inko_task_spawn(runtime, "greedy", overflow, NULL, NULL) == 0)
		(void)inko_runtime_run(runtime);
}

static void crash_in_child(void)
{
	if (inko_task_report_overflow() == 0)
		(void)raise(SIGSEGV);
}

/* What a child says on standard error until a fault in function ends it. */
static void run_to_a_fault(void (*function)(void), char *text, size_t size)
{
	struct rlimit no_core = {0};
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)setrlimit(RLIMIT_CORE, &no_core);
		(void)dup2(fds[1], STDERR_FILENO);
		function();
		_exit(0);
	}
	(void)close(fds[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSEGV);
	n = read(fds[0], text, size - 1);
	assert_true(n >= 0);
	text[n] = '\0';
	(void)close(fds[0]);
}

static void test_overflow_names_the_task(void **state)
{
	char text[4096];

	(void)state;
	run_to_a_fault(overflow_in_child, text, sizeof(text));
	assert_non_null(strstr(text, "libinko: the stack of task greedy overflowed\n"));
}

static void test_other_faults_name_nobody(void **state)
{
	char text[4096];

	(void)state;
	run_to_a_fault(crash_in_child, text, sizeof(text));
	assert_null(strstr(text, "libinko"));
}

/* In a child: 0 when spawning ends with -ENOMEM and those that were spawned run. */
static int exhaust(void)
{
	struct rlimit limit = {.rlim_cur = 1 << 30, .rlim_max = 1 << 30};
	struct inko_runtime *runtime;
	int r = 0;

	if (setrlimit(RLIMIT_AS, &limit) < 0 || inko_runtime_new(&runtime) < 0 ||
		inko_runtime_set_stack_size(runtime, 1 << 20) < 0)
		return 1;
	for (int i = 0; i < 4096 && r == 0; i++)
		r = inko_task_spawn(runtime, "x", return_name, NULL, NULL);
	if (r != -ENOMEM || inko_runtime_count_tasks(runtime) == 0)
		return 2;
	if (inko_runtime_run(runtime) < 0)
		return 3;
	r = inko_task_spawn(runtime, "x", return_name, NULL, NULL);
	inko_runtime_free(runtime);
	return r < 0 ? 4 : 0;
}

static void test_no_memory_for_stacks(void **state)
{
	pid_t pid;
	int status;

	(void)state;
#ifdef __SANITIZE_ADDRESS__
	print_message("the sanitizer's shadow needs more address space than the limit\n");
	skip();
#endif
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(exhaust());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(test_tasks_take_turns),
		leaks_test(test_spawn_in_own_runtime),
		leaks_test(test_spawn_refuses),
		leaks_test(test_stack_size),
		leaks_test(test_names),
		leaks_test(test_a_stack_is_used_again),
		leaks_test(test_errno_is_the_tasks),
		leaks_test(test_registers_are_the_tasks),
		leaks_test(test_the_signal_mask_is_the_runtimes),
		leaks_test(test_sleepers_wake_in_order),
		leaks_test(test_sleep_outside),
		leaks_test(test_join),
		leaks_test(test_join_self),
		leaks_test(test_join_across_runtimes),
		leaks_test(test_run_tells_a_deadlock),
		leaks_test(test_on_end),
		leaks_test(test_no_waiting_in_dispatch),
		leaks_test(test_no_dispatch_in_a_task),
		leaks_test(test_what_is_left_is_closed),
		leaks_test(test_what_is_released_stays),
		leaks_test(test_what_it_did_not_make_stays),
		leaks_test(test_cancel_is_sticky),
		leaks_test(test_cancel_before_it_began),
		leaks_test(test_cancel_a_join),
		leaks_test(test_free_ends_all),
		leaks_test(test_descriptor_tells_of_ready_tasks),
		leaks_test(test_dispatch_has_a_budget),
		leaks_test(test_descriptor_tells_the_time),
		leaks_test(test_message_from_the_loop),
		leaks_test(test_in_an_epoll),
		leaks_test(test_a_runtime_a_thread),
		leaks_test(test_overflow_names_the_task),
		leaks_test(test_other_faults_name_nobody),
		leaks_test(test_no_memory_for_stacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
