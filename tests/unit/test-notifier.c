/*
 * Notifiers, before and during accept, from everywhere.
 */

#include "tests/unit/close-under.h"
#include "tests/unit/sockets.h"

#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#include <inko/notifier.h>
#include <inko/task.h>

struct notified {
	struct inko_notifier *notifier;
	struct inko_socket *listener;
	struct place place;
};

static void notified_open(struct notified *notified, enum inko_socket_family family)
{
	notified->listener = sockets_open_listener(family, &notified->place);
	assert_int_equal(inko_notifier_new(&notified->notifier), 0);
	inko_socket_set_notifier(notified->listener, notified->notifier);
}

static void notified_close(struct notified *notified)
{
	inko_socket_close(notified->listener);
	assert_null(inko_notifier_free(notified->notifier));
}

static int accept_none(struct notified *notified)
{
	struct inko_socket *none = NULL;
	int r = inko_socket_accept(notified->listener, &none);

	assert_null(none);
	return r;
}

static void before_accept(enum inko_socket_family family)
{
	struct notified notified;

	notified_open(&notified, family);
	errno = EXDEV;
	inko_notifier_notify(notified.notifier);
	assert_int_equal(errno, EXDEV);
	assert_int_equal(accept_none(&notified), -EINTR);
	/* It is over then. */
	inko_socket_set_deadline(notified.listener, inko_deadline_after(SOON_USEC));
	assert_int_equal(accept_none(&notified), -ETIMEDOUT);
	notified_close(&notified);
}
families_of(before_accept)

	static void each_ends_one_accept(enum inko_socket_family family)
{
	struct notified notified;

	notified_open(&notified, family);
	for (int i = 0; i < 3; i++)
		inko_notifier_notify(notified.notifier);
	inko_socket_set_deadline(notified.listener, 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(accept_none(&notified), -EINTR);
	assert_int_equal(accept_none(&notified), -ETIMEDOUT);
	notified_close(&notified);
}
families_of(each_ends_one_accept)

	static void *notify_soon(void *argument)
{
	usleep(SOON_USEC);
	inko_notifier_notify(argument);
	return NULL;
}

static void from_another_thread(enum inko_socket_family family)
{
	struct notified notified;
	pthread_t thread;

	notified_open(&notified, family);
	assert_int_equal(pthread_create(&thread, NULL, notify_soon, notified.notifier), 0);
	assert_int_equal(accept_none(&notified), -EINTR);
	assert_int_equal(pthread_join(thread, NULL), 0);
	notified_close(&notified);
}
families_of(from_another_thread)

	static struct inko_notifier *on_signal_notifier;

static void on_signal(int number)
{
	(void)number;
	inko_notifier_notify(on_signal_notifier);
}

static void from_a_signal_handler(enum inko_socket_family family)
{
	struct itimerval soon = {.it_value = {.tv_usec = SOON_USEC}};
	struct sigaction action = {.sa_handler = on_signal}, before;
	struct notified notified;

	notified_open(&notified, family);
	on_signal_notifier = notified.notifier;
	sigaction(SIGALRM, &action, &before);
	setitimer(ITIMER_REAL, &soon, NULL);
	assert_int_equal(accept_none(&notified), -EINTR);
	sigaction(SIGALRM, &before, NULL);
	notified_close(&notified);
}
families_of(from_a_signal_handler)

	/* Connections that wait must not hide it. */
	static void before_a_connection(enum inko_socket_family family)
{
	struct inko_socket *client = sockets_open(family, INKO_STREAM), *server;
	struct notified notified;

	notified_open(&notified, family);
	assert_int_equal(sockets_connect(client, &notified.place), 0);
	inko_notifier_notify(notified.notifier);
	assert_int_equal(accept_none(&notified), -EINTR);
	assert_int_equal(inko_socket_accept(notified.listener, &server), 0);
	inko_socket_close(server);
	inko_socket_close(client);
	notified_close(&notified);
}
families_of(before_a_connection)

	static void connections_come_as_before(enum inko_socket_family family)
{
	struct inko_socket *client, *server;
	struct notified notified;

	notified_open(&notified, family);
	if (fork() == 0) {
		usleep(SOON_USEC);
		client = sockets_open(family, INKO_STREAM);
		_exit(sockets_connect(client, &notified.place) == 0 ? 0 : 1);
	}
	assert_int_equal(inko_socket_accept(notified.listener, &server), 0);
	sockets_reap();
	inko_socket_close(server);
	notified_close(&notified);
}
families_of(connections_come_as_before)

	static void shut_down_beside_a_notifier(enum inko_socket_family family)
{
	struct notified notified;

	notified_open(&notified, family);
	if (fork() == 0) {
		usleep(SOON_USEC);
		_exit(inko_socket_shutdown(notified.listener) == 0 ? 0 : 1);
	}
	assert_int_equal(accept_none(&notified), -ESHUTDOWN);
	sockets_reap();
	notified_close(&notified);
}
families_of(shut_down_beside_a_notifier)

	static void taken_off(enum inko_socket_family family)
{
	struct notified notified;

	notified_open(&notified, family);
	inko_notifier_notify(notified.notifier);
	inko_socket_set_notifier(notified.listener, NULL);
	inko_socket_set_deadline(notified.listener, 1);
	assert_int_equal(accept_none(&notified), -ETIMEDOUT);
	/* It was not lost. */
	inko_socket_set_notifier(notified.listener, notified.notifier);
	assert_int_equal(accept_none(&notified), -EINTR);
	notified_close(&notified);
}
families_of(taken_off)

	/* One notifier of two listeners, in two processes: each notification ends one of both. */
	static void test_shared(void **state)
{
	struct notified a, b;

	(void)state;
	notified_open(&a, INKO_IPV4);
	b = (struct notified){.notifier = a.notifier};
	b.listener = sockets_open_listener(INKO_UNIX, &b.place);
	inko_socket_set_notifier(b.listener, b.notifier);
	if (fork() == 0)
		_exit(accept_none(&b) == -EINTR ? 0 : 1);
	inko_notifier_notify(a.notifier);
	inko_notifier_notify(a.notifier);
	assert_int_equal(accept_none(&a), -EINTR);
	sockets_reap();
	inko_socket_close(b.listener);
	notified_close(&a);
}

static void test_only_listeners_are_ended(void **state)
{
	struct inko_notifier *notifier;
	struct pair pair;
	char byte;

	(void)state;
	assert_int_equal(inko_notifier_new(&notifier), 0);
	sockets_open_pair(INKO_UNIX, &pair);
	inko_socket_set_notifier(pair.a, notifier);
	inko_notifier_notify(notifier);
	inko_socket_set_deadline(pair.a, 1);
	assert_int_equal(inko_socket_read(pair.a, &byte, 1), -ETIMEDOUT);
	sockets_close_pair(&pair);
	assert_null(inko_notifier_free(notifier));
	assert_null(inko_notifier_free(NULL));
}

static int accept_in_a_task(struct inko_mailbox *mailbox, void *argument)
{
	(void)mailbox;
	return accept_none(argument);
}

static int notify_in_a_task(struct inko_mailbox *mailbox, void *argument)
{
	(void)mailbox;
	inko_notifier_notify(((struct notified *)argument)->notifier);
	return 0;
}

static void from_another_task(enum inko_socket_family family)
{
	struct inko_runtime *runtime;
	struct notified notified;
	struct inko_task *task;
	int result = 0;

	notified_open(&notified, family);
	assert_int_equal(inko_runtime_new(&runtime), 0);
	assert_int_equal(inko_task_spawn(runtime, "accept", accept_in_a_task, &notified, &task), 0);
	assert_int_equal(inko_task_spawn(runtime, "notify", notify_in_a_task, &notified, NULL), 0);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(inko_task_join(task, &result), 0);
	assert_int_equal(result, -EINTR);
	assert_null(inko_runtime_free(runtime));
	notified_close(&notified);
}
families_of(from_another_task)

	/* As without a notifier. */
	static void a_second_task_is_busy(enum inko_socket_family family)
{
	struct inko_runtime *runtime;
	struct inko_task *first, *second;
	struct notified notified;
	int result = 0;

	notified_open(&notified, family);
	assert_int_equal(inko_runtime_new(&runtime), 0);
	assert_int_equal(inko_task_spawn(runtime, "first", accept_in_a_task, &notified, &first), 0);
	assert_int_equal(
		inko_task_spawn(runtime, "second", accept_in_a_task, &notified, &second), 0);
	assert_int_equal(inko_runtime_dispatch(runtime), 1);
	assert_int_equal(inko_task_join(second, &result), 0);
	assert_int_equal(result, -EBUSY);
	inko_notifier_notify(notified.notifier);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(inko_task_join(first, &result), 0);
	assert_int_equal(result, -EINTR);
	assert_null(inko_runtime_free(runtime));
	notified_close(&notified);
}
families_of(a_second_task_is_busy)

	static void closed_under_a_task(enum inko_socket_family family)
{
	struct notified notified;

	notified_open(&notified, family);
	assert_int_equal(close_under(accept_in_a_task, &notified, &notified.listener), -EBADF);
	notified_close(&notified);
}
families_of(closed_under_a_task)

	int main(void)
{
	const struct CMUnitTest tests[] = {
		families_test(before_accept),
		families_test(each_ends_one_accept),
		families_test(from_another_thread),
		families_test(from_a_signal_handler),
		families_test(from_another_task),
		families_test(a_second_task_is_busy),
		families_test(closed_under_a_task),
		families_test(before_a_connection),
		families_test(connections_come_as_before),
		families_test(shut_down_beside_a_notifier),
		families_test(taken_off),
		leaks_test(test_shared),
		leaks_test(test_only_listeners_are_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
