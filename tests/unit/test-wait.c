/*
 * Waiting for sockets whose error queue holds something (ip(7), IP_RECVERR), which poll calls an
 * error until the program takes it.
 */

#include "tests/unit/error-queue.h"
#include "tests/unit/sockets.h"
#include "tests/unit/tasks.h"

#define PATIENCE_USEC (15 * SOON_USEC)
/* What took so long goes on for ever. */
#define HANGS_SECONDS 20

/* A datagram socket that is told of errors, and of which one was, its own that nobody hears it. */
static struct inko_socket *open_refused(enum inko_socket_family family)
{
	struct inko_socket *socket = sockets_open(family, INKO_DATAGRAM);
	struct place nowhere = sockets_nowhere(family);
	char byte;

	error_queue_ask(socket);
	assert_int_equal(sockets_connect(socket, &nowhere), 0);
	assert_int_equal(inko_socket_write(socket, "x", 1), 1);
	assert_int_equal(inko_socket_read(socket, &byte, 1), -ECONNREFUSED);
	assert_true(error_queue_is_told(socket));
	return socket;
}

/* A connection that is full, and has its timestamps in the queue. */
static void open_full(enum inko_socket_family family, struct pair *pair)
{
	char bytes[4096] = {0};

	sockets_open_pair(family, pair);
	error_queue_fill(pair->a);
	inko_socket_set_deadline(pair->a, 1);
	while (inko_socket_write(pair->a, bytes, sizeof(bytes)) > 0)
		;
	inko_socket_reset_deadline(pair->a);
}

/* One wait in vain, of either direction. */

struct waiting {
	struct inko_socket *socket;
	bool writes;
};

static int wait_in_vain(struct inko_mailbox *mailbox, void *argument)
{
	struct waiting *waiting = argument;
	char byte = 'x';

	(void)mailbox;
	inko_socket_set_deadline(waiting->socket, wait_now_usec() + PATIENCE_USEC);
	return waiting->writes ? (int)inko_socket_write(waiting->socket, &byte, 1)
			       : (int)inko_socket_read(waiting->socket, &byte, 1);
}

static void expect_quiet(struct inko_socket *socket, bool writes, bool in_task)
{
	struct waiting waiting = {.socket = socket, .writes = writes};
	uint64_t begin = wait_now_usec(), cpu_begin = sockets_cpu_usec();

	(void)alarm(HANGS_SECONDS);
	assert_int_equal(in_task ? in_a_task(wait_in_vain, &waiting) : wait_in_vain(NULL, &waiting),
		-ETIMEDOUT);
	assert_true(sockets_cpu_usec() - cpu_begin < PATIENCE_USEC / 2);
	(void)alarm(0);
	assert_true(wait_now_usec() >= begin + PATIENCE_USEC);
	assert_true(error_queue_is_told(socket));
}

static void reading_does_not_spin(enum inko_socket_family family)
{
	for (int in_task = 0; in_task < 2; in_task++) {
		struct inko_socket *socket = open_refused(family);

		expect_quiet(socket, false, in_task);
		inko_socket_close(socket);
	}
}
ip_families_of(reading_does_not_spin)

	static void writing_does_not_spin(enum inko_socket_family family)
{
	for (int in_task = 0; in_task < 2; in_task++) {
		struct pair pair;

		open_full(family, &pair);
		expect_quiet(pair.a, true, in_task);
		sockets_close_pair(&pair);
	}
}
ip_families_of(writing_does_not_spin)

	/* What comes while it waits is not missed: a datagram, and another error. */

	static int read_byte(struct inko_mailbox *mailbox, void *argument)
{
	char byte;

	(void)mailbox;
	return (int)inko_socket_read(argument, &byte, 1);
}

static int read_after(struct inko_socket *socket, bool in_task,
	void (*does)(struct inko_socket *by, const struct place *to), struct inko_socket *by)
{
	struct place to;
	int result;

	assert_int_equal(sockets_get_local(socket, &to), 0);
	if (fork() == 0) {
		usleep(SOON_USEC);
		does(by, &to);
		_exit(0);
	}
	result = in_task ? in_a_task(read_byte, socket) : read_byte(NULL, socket);
	sockets_reap();
	return result;
}

static void send_there(struct inko_socket *by, const struct place *to)
{
	(void)sockets_send_to(by, "y", 1, to);
}

/* Nobody hears it where the socket is connected to. */
static void send_nowhere(struct inko_socket *by, const struct place *to)
{
	(void)to;
	(void)inko_socket_write(by, "x", 1);
}

static void what_comes_ends_the_wait(enum inko_socket_family family)
{
	(void)alarm(HANGS_SECONDS);
	for (int in_task = 0; in_task < 2; in_task++) {
		struct place there;
		struct inko_socket *socket, *peer;

		socket = open_refused(family);
		assert_int_equal(read_after(socket, in_task, send_nowhere, socket), -ECONNREFUSED);
		/* The same socket, still with its errors, where somebody is. */
		peer = sockets_open_bound(family, INKO_DATAGRAM, &there);
		assert_int_equal(sockets_connect(socket, &there), 0);
		assert_true(error_queue_is_told(socket));
		assert_int_equal(read_after(socket, in_task, send_there, peer), 1);
		inko_socket_close(peer);
		inko_socket_close(socket);
	}
	(void)alarm(0);
}
ip_families_of(what_comes_ends_the_wait)

	int main(void)
{
	const struct CMUnitTest tests[] = {
		ip_families_test(reading_does_not_spin),
		ip_families_test(writing_does_not_spin),
		ip_families_test(what_comes_ends_the_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
