/*
 * Connecting, and what connect(2) does that surprises.
 */

#include "tests/unit/close-under.h"
#include "tests/unit/error-queue.h"
#include "tests/unit/sockets.h"
#include "tests/unit/tasks.h"

#include <signal.h>
#include <stdio.h>
#include <sys/time.h>

#include "libclient/wait.h"

static void connect_makes_a_connection(enum inko_socket_family family)
{
	struct pair pair;
	char buffer[4];

	sockets_open_pair(family, &pair);
	assert_int_equal(inko_socket_write_string(pair.a, "ping"), 0);
	assert_int_equal(inko_socket_read_bytes(pair.b, buffer, 4), 4);
	assert_memory_equal(buffer, "ping", 4);
	/* Neither end is other than a program expects that is given it. */
	assert_false(sockets_flags(pair.a) & O_NONBLOCK);
	assert_false(sockets_flags(pair.b) & O_NONBLOCK);
	sockets_close_pair(&pair);
}
families_of(connect_makes_a_connection)

	static void connect_leaves_nonblocking(enum inko_socket_family family)
{
	struct inko_socket *listener, *client;
	struct place place;

	listener = sockets_open_listener(family, &place);
	client = sockets_open(family, INKO_STREAM);
	assert_int_equal(fcntl(inko_socket_get_fd(client), F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(sockets_connect(client, &place), 0);
	assert_true(sockets_flags(client) & O_NONBLOCK);
	inko_socket_close(client);
	inko_socket_close(listener);
}
families_of(connect_leaves_nonblocking)

	/* A second connect(2) would say 0, and the bytes would go to the first. */
	static void connect_twice(enum inko_socket_family family)
{
	struct inko_socket *first, *second, *client, *server;
	struct place one, two, peer;

	first = sockets_open_listener(family, &one);
	second = sockets_open_listener(family, &two);
	client = sockets_open(family, INKO_STREAM);
	assert_int_equal(sockets_connect(client, &one), 0);
	assert_int_equal(sockets_connect(client, &two), -EISCONN);
	assert_int_equal(sockets_connect(client, &one), -EISCONN);
	assert_int_equal(sockets_get_peer(client, &peer), 0);
	assert_true(sockets_same_place(&peer, &one));
	assert_int_equal(inko_socket_accept(first, &server), 0);
	assert_int_equal(sockets_connect(server, &two), -EISCONN);
	inko_socket_set_deadline(second, 1);
	inko_socket_close(server);
	assert_int_equal(inko_socket_accept(second, &server), -ETIMEDOUT);
	inko_socket_close(client);
	inko_socket_close(first);
	inko_socket_close(second);
}
families_of(connect_twice)

	static void connect_to_nobody(enum inko_socket_family family)
{
	struct inko_socket *listener, *client = sockets_open(family, INKO_STREAM), *server;
	struct place nowhere = sockets_nowhere(family), place;

	assert_int_equal(sockets_connect(client, &nowhere), -ECONNREFUSED);
	/* The next attempt is a new one, and does not hear of the last. */
	assert_int_equal(sockets_connect(client, &nowhere), -ECONNREFUSED);
	listener = sockets_open_listener(family, &place);
	assert_int_equal(sockets_connect(client, &place), 0);
	assert_int_equal(inko_socket_accept(listener, &server), 0);
	inko_socket_close(server);
	inko_socket_close(client);
	inko_socket_close(listener);
}
families_of(connect_to_nobody)

	static void connect_of_listener(enum inko_socket_family family)
{
	struct inko_socket *listener, *other;
	struct place place, there;

	listener = sockets_open_listener(family, &place);
	other = sockets_open_listener(family, &there);
	assert_int_equal(
		sockets_connect(listener, &there), family == INKO_UNIX ? -EINVAL : -EISCONN);
	inko_socket_close(other);
	inko_socket_close(listener);
}
families_of(connect_of_listener)

	static void unconnected_has_no_peer_to_talk_to(enum inko_socket_family family)
{
	struct inko_socket *made = sockets_open(family, INKO_STREAM);
	bool is_unix = family == INKO_UNIX;
	char byte;

	assert_int_equal(inko_socket_read(made, &byte, 1), is_unix ? -EINVAL : -ENOTCONN);
	assert_int_equal(inko_socket_read_bytes(made, &byte, 1), is_unix ? -EINVAL : -ENOTCONN);
	assert_int_equal(inko_socket_write(made, "x", 1), is_unix ? -ENOTCONN : -EPIPE);
	assert_int_equal(inko_socket_write_string(made, "x"), is_unix ? -ENOTCONN : -EPIPE);
	inko_socket_close(made);
}
families_of(unconnected_has_no_peer_to_talk_to)

	static void datagrams_are_connected_again(enum inko_socket_family family)
{
	struct inko_socket *sender, *first, *second;
	struct place one, two, from;
	char byte;

	first = sockets_open_bound(family, INKO_DATAGRAM, &one);
	second = sockets_open_bound(family, INKO_DATAGRAM, &two);
	sender = sockets_open_bound(family, INKO_DATAGRAM, &from);
	assert_int_equal(sockets_connect(sender, &one), 0);
	assert_int_equal(inko_socket_write_string(sender, "1"), 0);
	assert_int_equal(sockets_connect(sender, &two), 0);
	assert_int_equal(inko_socket_write_string(sender, "2"), 0);
	assert_int_equal(inko_socket_read(first, &byte, 1), 1);
	assert_int_equal(byte, '1');
	assert_int_equal(inko_socket_read(second, &byte, 1), 1);
	assert_int_equal(byte, '2');
	inko_socket_close(sender);
	inko_socket_close(second);
	inko_socket_close(first);
}
families_of(datagrams_are_connected_again)

	static void unconnected_datagrams_have_no_destination(enum inko_socket_family family)
{
	struct inko_socket *made = sockets_open(family, INKO_DATAGRAM);

	assert_int_equal(
		inko_socket_write(made, "x", 1), family == INKO_UNIX ? -ENOTCONN : -EDESTADDRREQ);
	inko_socket_close(made);
}
families_of(unconnected_datagrams_have_no_destination)

	/* A listener on IP with a backlog of none: the kernel drops what comes after the first, and
	 * who connects hears nothing. */
	struct deaf {
	struct inko_socket *listener;
	struct place place;
	struct inko_socket *fillers[8];
};

static void deaf_open(struct deaf *deaf, enum inko_socket_family family)
{
	bool is_full = false;

	deaf->listener = sockets_open_bound(family, INKO_STREAM, &deaf->place);
	assert_int_equal(inko_socket_listen(deaf->listener, 0), 0);
	for (size_t i = 0; i < 8; i++) {
		deaf->fillers[i] = sockets_open(family, INKO_STREAM);
		inko_socket_set_deadline(deaf->fillers[i], inko_deadline_after(SOON_USEC));
		is_full = sockets_connect(deaf->fillers[i], &deaf->place) == -ETIMEDOUT;
	}
	assert_true(is_full);
}

static void deaf_close(struct deaf *deaf)
{
	for (size_t i = 0; i < 8; i++)
		inko_socket_close(deaf->fillers[i]);
	inko_socket_close(deaf->listener);
}

static void deadline_of_connect(enum inko_socket_family family)
{
	struct inko_socket *listener, *client;
	struct place place, peer;
	struct deaf deaf;
	uint64_t begin;

	deaf_open(&deaf, family);
	client = sockets_open(family, INKO_STREAM);
	begin = wait_now_usec();
	inko_socket_set_deadline(client, begin + SOON_USEC);
	assert_int_equal(sockets_connect(client, &deaf.place), -ETIMEDOUT);
	assert_true(wait_now_usec() >= begin + SOON_USEC);
	assert_false(sockets_flags(client) & O_NONBLOCK);
	/* That attempt is given up: the next goes where it says. */
	inko_socket_reset_deadline(client);
	listener = sockets_open_listener(family, &place);
	assert_int_equal(sockets_connect(client, &place), 0);
	assert_int_equal(sockets_get_peer(client, &peer), 0);
	assert_true(sockets_same_place(&peer, &place));
	inko_socket_close(client);
	inko_socket_close(listener);
	deaf_close(&deaf);
}
families_of(deadline_of_connect)

	struct closed {
	struct inko_socket *client;
	const struct place *place;
};

static int connect_in_a_task(struct inko_mailbox *mailbox, void *argument)
{
	struct closed *closed = argument;

	(void)mailbox;
	return sockets_connect(closed->client, closed->place);
}

static void closed_under_connect(enum inko_socket_family family)
{
	struct closed closed = {.client = sockets_open(family, INKO_STREAM)};
	struct deaf deaf;

	deaf_open(&deaf, family);
	closed.place = &deaf.place;
	assert_int_equal(close_under(connect_in_a_task, &closed, &closed.client), -EBADF);
	deaf_close(&deaf);
}
families_of(closed_under_connect)

	/* The error queue outlives a connection: poll says that there is an error while the next
	   attempt is still under way. */
	static void errors_of_before_are_no_connection(enum inko_socket_family family)
{
	const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};

	for (int in_task = 0; in_task < 2; in_task++) {
		struct closed again;
		struct deaf deaf;
		struct pair pair;
		int fd;

		sockets_open_pair(family, &pair);
		error_queue_fill(pair.a);
		fd = inko_socket_get_fd(pair.a);
		assert_int_equal(connect(fd, &nowhere, sizeof(nowhere)), 0);
		deaf_open(&deaf, family);
		again = (struct closed){.client = pair.a, .place = &deaf.place};
		inko_socket_set_deadline(pair.a, inko_deadline_after(SOON_USEC));
		assert_int_equal(in_task ? in_a_task(connect_in_a_task, &again)
					 : connect_in_a_task(NULL, &again),
			-ETIMEDOUT);
		deaf_close(&deaf);
		sockets_close_pair(&pair);
	}
}
ip_families_of(errors_of_before_are_no_connection)

	/* Poll says all the time that a Unix socket is ready to connect to a full backlog. */
	static void test_full_unix_backlog_neither_spins_nor_overruns(void **state)
{
	enum { PATIENCE_USEC = 15 * SOON_USEC };
	struct inko_socket *client;
	uint64_t begin, cpu_begin;
	struct deaf deaf;

	(void)state;
	deaf_open(&deaf, INKO_UNIX);
	client = sockets_open(INKO_UNIX, INKO_STREAM);
	begin = wait_now_usec();
	cpu_begin = sockets_cpu_usec();
	inko_socket_set_deadline(client, begin + PATIENCE_USEC);
	assert_int_equal(sockets_connect(client, &deaf.place), -ETIMEDOUT);
	assert_true(sockets_cpu_usec() - cpu_begin < PATIENCE_USEC / 2);
	assert_true(wait_now_usec() >= begin + PATIENCE_USEC);
	inko_socket_close(client);
	deaf_close(&deaf);
}

static void test_waits_for_room_in_unix_backlog(void **state)
{
	struct inko_socket *client, *server;
	struct deaf deaf;

	(void)state;
	deaf_open(&deaf, INKO_UNIX);
	client = sockets_open(INKO_UNIX, INKO_STREAM);
	if (fork() == 0) {
		usleep(SOON_USEC);
		_exit(inko_socket_accept(deaf.listener, &server) == 0 ? 0 : 1);
	}
	assert_int_equal(sockets_connect(client, &deaf.place), 0);
	sockets_reap();
	inko_socket_close(client);
	deaf_close(&deaf);
}

static void on_alarm(int number)
{
	(void)number;
}

static void test_signals_do_not_interrupt_connect(void **state)
{
	struct sigaction action = {.sa_handler = on_alarm}, before;
	struct itimerval often = {{0, 2000}, {0, 2000}}, off = {0};
	struct inko_socket *client;
	struct deaf deaf;

	(void)state;
	deaf_open(&deaf, INKO_IPV4);
	client = sockets_open(INKO_IPV4, INKO_STREAM);
	sigaction(SIGALRM, &action, &before);
	setitimer(ITIMER_REAL, &often, NULL);
	inko_socket_set_deadline(client, inko_deadline_after(SOON_USEC));
	assert_int_equal(sockets_connect(client, &deaf.place), -ETIMEDOUT);
	setitimer(ITIMER_REAL, &off, NULL);
	signal(SIGALRM, SIG_IGN);
	sigaction(SIGALRM, &before, NULL);
	inko_socket_close(client);
	deaf_close(&deaf);
}

static void test_connect_to_another_type(void **state)
{
	struct inko_socket *bound, *client = sockets_open(INKO_UNIX, INKO_STREAM);
	const struct inko_unix_address unnamed = {.kind = INKO_UNIX_UNNAMED};
	struct inko_unix_address address;
	struct place place;
	char path[64];

	(void)state;
	(void)snprintf(path, sizeof(path), "/tmp/inko-test-connect-%d", getpid());
	assert_int_equal(inko_unix_datagram(path, &bound), 0);
	assert_int_equal(inko_unix_address_path(path, &address), 0);
	assert_int_equal(inko_socket_connect_unix(client, &address), -EPROTOTYPE);
	inko_socket_close(bound);
	assert_int_equal(unlink(path), 0);
	/* Abstract names are apart for each type. */
	bound = sockets_open_bound(INKO_UNIX, INKO_DATAGRAM, &place);
	assert_int_equal(sockets_connect(client, &place), -ECONNREFUSED);
	inko_socket_close(bound);
	assert_int_equal(inko_socket_connect_unix(client, &unnamed), -EINVAL);
	inko_socket_close(client);
}

static void test_seqpacket(void **state)
{
	struct inko_socket *listener, *client, *server;
	struct place place;
	char buffer[8];

	(void)state;
	listener = sockets_open_bound(INKO_UNIX, INKO_SEQPACKET, &place);
	assert_int_equal(inko_socket_listen(listener, 1), 0);
	client = sockets_open(INKO_UNIX, INKO_SEQPACKET);
	assert_int_equal(sockets_connect(client, &place), 0);
	assert_int_equal(inko_socket_accept(listener, &server), 0);
	assert_int_equal(inko_socket_get_type(server), INKO_SEQPACKET);
	assert_int_equal(inko_socket_write_string(client, "one"), 0);
	assert_int_equal(inko_socket_write_string(client, "two"), 0);
	assert_int_equal(inko_socket_read_bytes(server, buffer, 8), 3);
	assert_memory_equal(buffer, "one", 3);
	assert_int_equal(inko_socket_read(server, buffer, 8), 3);
	assert_memory_equal(buffer, "two", 3);
	inko_socket_close(client);
	assert_int_equal(inko_socket_read(server, buffer, 8), 0);
	inko_socket_close(server);
	inko_socket_close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		families_test(connect_makes_a_connection),
		families_test(connect_leaves_nonblocking),
		families_test(connect_twice),
		families_test(connect_to_nobody),
		families_test(connect_of_listener),
		families_test(unconnected_has_no_peer_to_talk_to),
		families_test(datagrams_are_connected_again),
		families_test(unconnected_datagrams_have_no_destination),
		families_test(deadline_of_connect),
		families_test(closed_under_connect),
		ip_families_test(errors_of_before_are_no_connection),
		leaks_test(test_full_unix_backlog_neither_spins_nor_overruns),
		leaks_test(test_waits_for_room_in_unix_backlog),
		leaks_test(test_signals_do_not_interrupt_connect),
		leaks_test(test_connect_to_another_type),
		leaks_test(test_seqpacket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
