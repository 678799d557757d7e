/*
 * Datagrams to whom one likes, and from whom they are.
 */

#include "tests/unit/close-under.h"
#include "tests/unit/sockets.h"

#include <stdio.h>

#include "libclient/wait.h"

#include <inko/task.h>

/* What took so long goes on for ever. */
#define HANGS_SECONDS 20

static void tells_the_sender(enum inko_socket_family family)
{
	struct inko_socket *receiver, *sender;
	struct place there, here, from;
	bool truncated = true;
	char buffer[8];

	receiver = sockets_open_bound(family, INKO_DATAGRAM, &there);
	sender = sockets_open_bound(family, INKO_DATAGRAM, &here);
	assert_int_equal(sockets_send_to(sender, "hello", 5, &there), 5);
	assert_int_equal(sockets_receive_from(receiver, buffer, 8, &from, &truncated), 5);
	assert_memory_equal(buffer, "hello", 5);
	assert_false(truncated);
	assert_true(sockets_same_place(&from, &here));
	/* The answer finds its way. */
	assert_int_equal(sockets_send_to(receiver, "you", 3, &from), 3);
	assert_int_equal(sockets_receive_from(sender, buffer, 8, &from, NULL), 3);
	assert_true(sockets_same_place(&from, &there));
	inko_socket_close(sender);
	inko_socket_close(receiver);
}
families_of(tells_the_sender)

	static void tells_what_was_cut_off(enum inko_socket_family family)
{
	struct inko_socket *bound;
	struct place place, from;
	bool truncated = false;
	char buffer[8];

	bound = sockets_open_bound(family, INKO_DATAGRAM, &place);
	assert_int_equal(sockets_send_to(bound, "too long", 8, &place), 8);
	assert_int_equal(sockets_send_to(bound, "fits", 4, &place), 4);
	assert_int_equal(sockets_receive_from(bound, buffer, 4, &from, &truncated), 4);
	assert_true(truncated);
	assert_memory_equal(buffer, "too ", 4);
	assert_int_equal(sockets_receive_from(bound, buffer, 4, &from, &truncated), 4);
	assert_false(truncated);
	assert_memory_equal(buffer, "fits", 4);
	inko_socket_close(bound);
}
families_of(tells_what_was_cut_off)

	static void nobody_asks_for_the_sender(enum inko_socket_family family)
{
	struct inko_socket *bound;
	struct place place;
	char buffer[2];

	bound = sockets_open_bound(family, INKO_DATAGRAM, &place);
	assert_int_equal(sockets_send_to(bound, "long", 4, &place), 4);
	assert_int_equal(family == INKO_UNIX
				 ? inko_socket_receive_from_unix(bound, buffer, 2, NULL, NULL)
				 : inko_socket_receive_from(bound, buffer, 2, NULL, NULL),
		2);
	inko_socket_close(bound);
}
families_of(nobody_asks_for_the_sender)

	/* The largest that each of them carries: 65535 bytes less the headers, or the send buffer.
	 */
	static void datagrams_of_any_size(enum inko_socket_family family)
{
	const size_t largest = family == INKO_IPV4 ? 65507 : family == INKO_IPV6 ? 65527 : 150000;
	const size_t sizes[] = {0, 1, 1472, 1473, 9000, largest};
	char *bytes = malloc(largest), *got = malloc(largest + 1);
	struct inko_socket *bound;
	struct place place, from;

	assert_non_null(bytes);
	assert_non_null(got);
	for (size_t i = 0; i < largest; i++)
		bytes[i] = (char)(i * 31);
	bound = sockets_open_bound(family, INKO_DATAGRAM, &place);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		bool truncated = true;

		assert_int_equal(sockets_send_to(bound, bytes, sizes[i], &place), sizes[i]);
		assert_int_equal(
			sockets_receive_from(bound, got, largest + 1, &from, &truncated), sizes[i]);
		assert_memory_equal(got, bytes, sizes[i]);
		assert_false(truncated);
		assert_true(sockets_same_place(&from, &place));
	}
	inko_socket_close(bound);
	free(got);
	free(bytes);
}
families_of(datagrams_of_any_size)

	static void sends_to_nobody(enum inko_socket_family family)
{
	struct inko_socket *sender = sockets_open(family, INKO_DATAGRAM);
	struct place nowhere = sockets_nowhere(family);

	/* UDP does not know before it asked. */
	assert_int_equal(
		sockets_send_to(sender, "x", 1, &nowhere), family == INKO_UNIX ? -ECONNREFUSED : 1);
	inko_socket_close(sender);
}
families_of(sends_to_nobody)

	static void refuses_what_does_not_fit(enum inko_socket_family family)
{
	const enum inko_socket_family others[] = {INKO_IPV4, INKO_IPV6, INKO_UNIX};
	struct inko_socket *made = sockets_open(family, INKO_DATAGRAM);
	struct inko_socket *stream = sockets_open(family, INKO_STREAM);
	struct inko_unix_address name;
	struct inko_address ip;
	struct place from;
	char byte;

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		struct place place = {
			.family = others[i], .ip = {.ip = sockets_loopback(others[i]), .port = 9}};

		assert_int_equal(inko_unix_address_parse("@inko-test", &place.name), 0);
		if (others[i] != family)
			assert_int_equal(sockets_send_to(made, "x", 1, &place), -EAFNOSUPPORT);
	}
	if (family == INKO_UNIX)
		assert_int_equal(
			inko_socket_receive_from(made, &byte, 1, &ip, NULL), -EAFNOSUPPORT);
	else
		assert_int_equal(
			inko_socket_receive_from_unix(made, &byte, 1, &name, NULL), -EAFNOSUPPORT);
	assert_int_equal(sockets_receive_from(made, &byte, 0, &from, NULL), -EINVAL);
	assert_int_equal(sockets_receive_from(stream, &byte, 1, &from, NULL), -EOPNOTSUPP);
	inko_socket_close(stream);
	inko_socket_close(made);
}
families_of(refuses_what_does_not_fit)

	static void connected_hears_only_its_peer(enum inko_socket_family family)
{
	struct inko_socket *stranger = sockets_open(family, INKO_DATAGRAM);
	struct place place, from;
	struct pair pair;
	char byte;

	sockets_open_datagram_pair(family, &pair);
	assert_int_equal(sockets_get_local(pair.a, &place), 0);
	/* Unix says so to the sender. */
	assert_int_equal(
		sockets_send_to(stranger, "s", 1, &place), family == INKO_UNIX ? -EPERM : 1);
	assert_int_equal(inko_socket_write_string(pair.b, "p"), 0);
	assert_int_equal(sockets_receive_from(pair.a, &byte, 1, &from, NULL), 1);
	assert_int_equal(byte, 'p');
	inko_socket_close(stranger);
	sockets_close_pair(&pair);
}
families_of(connected_hears_only_its_peer)

	/* Nothing comes any more, from nobody, however often it is asked for. The kernel says
	   EAGAIN then, and poll that there is something to read: who tries again spins for ever. */
	static void expect_end(struct inko_socket *socket)
{
	struct place from;
	bool truncated = true;
	char byte;

	assert_int_equal(inko_socket_read(socket, &byte, 1), 0);
	assert_int_equal(sockets_receive_from(socket, &byte, 1, &from, &truncated), 0);
	assert_false(truncated);
	assert_int_equal(from.ip.port, 0);
	assert_int_equal(from.name.kind, INKO_UNIX_UNNAMED);
	assert_int_equal(inko_socket_read_bytes(socket, &byte, 1), 0);
}

static void shut_down_it_ends(enum inko_socket_family family)
{
	struct pair pair;
	char byte;

	(void)alarm(HANGS_SECONDS);
	sockets_open_datagram_pair(family, &pair);
	assert_int_equal(inko_socket_write_string(pair.b, "p"), 0);
	assert_int_equal(inko_socket_shutdown_read(pair.a), 0);
	assert_int_equal(inko_socket_read(pair.a, &byte, 1), 1);
	assert_int_equal(byte, 'p');
	expect_end(pair.a);
	sockets_close_pair(&pair);
	(void)alarm(0);
}
families_of(shut_down_it_ends)

	static int read_to_the_end(struct inko_mailbox *mailbox, void *argument)
{
	struct pair *pair = argument;
	char byte;
	ssize_t n = inko_socket_read(pair->a, &byte, 1);

	(void)mailbox;
	expect_end(pair->a);
	return (int)n;
}

static int shut_down(struct inko_mailbox *mailbox, void *argument)
{
	struct pair *pair = argument;

	(void)mailbox;
	return inko_socket_shutdown_read(pair->a);
}

static void shut_down_while_a_task_waits_it_ends(enum inko_socket_family family)
{
	struct inko_runtime *runtime;
	struct inko_task *reader;
	struct pair pair;
	int result = -1;

	(void)alarm(HANGS_SECONDS);
	sockets_open_datagram_pair(family, &pair);
	assert_int_equal(inko_runtime_new(&runtime), 0);
	assert_int_equal(inko_task_spawn(runtime, "reader", read_to_the_end, &pair, &reader), 0);
	assert_int_equal(inko_task_spawn(runtime, "shut", shut_down, &pair, NULL), 0);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(inko_task_join(reader, &result), 0);
	assert_int_equal(result, 0);
	assert_null(inko_runtime_free(runtime));
	sockets_close_pair(&pair);
	(void)alarm(0);
}
families_of(shut_down_while_a_task_waits_it_ends)

	/* Unix */

	static void test_unnamed_to_unnamed(void **state)
{
	const struct inko_unix_address unnamed = {.kind = INKO_UNIX_UNNAMED};
	struct inko_socket *made = sockets_open(INKO_UNIX, INKO_DATAGRAM);

	(void)state;
	assert_int_equal(inko_socket_send_to_unix(made, "x", 1, &unnamed), -EINVAL);
	inko_socket_close(made);
}

/* Who sent is told by the length of the address, not by the bytes that were read: from senders of
 * each kind, with datagrams of more and of fewer bytes than the name has. */
static void test_senders_of_each_kind(void **state)
{
	char path[64];
	const char *senders[] = {"", "@inko-test-sender", path};
	static const enum inko_unix_kind kinds[] = {
		INKO_UNIX_UNNAMED, INKO_UNIX_ABSTRACT, INKO_UNIX_PATH};
	static const size_t sizes[] = {0, 1, 2, 30, 200};
	struct inko_socket *receiver;
	struct place there;
	char buffer[256] = {0};

	(void)state;
	(void)snprintf(path, sizeof(path), "/tmp/inko-test-sender-%d", getpid());
	receiver = sockets_open_bound(INKO_UNIX, INKO_DATAGRAM, &there);
	for (size_t i = 0; i < sizeof(senders) / sizeof(*senders); i++) {
		struct inko_unix_address expected, from;
		struct inko_socket *sender;

		assert_int_equal(inko_unix_address_parse(senders[i], &expected), 0);
		assert_int_equal(inko_unix_datagram(senders[i], &sender), 0);
		for (size_t j = 0; j < sizeof(sizes) / sizeof(*sizes); j++) {
			memset(&from, 0xff, sizeof(from));
			assert_int_equal(
				inko_socket_send_to_unix(sender, buffer, sizes[j], &there.name),
				sizes[j]);
			assert_int_equal(inko_socket_receive_from_unix(
						 receiver, buffer, sizeof(buffer), &from, NULL),
				sizes[j]);
			assert_int_equal(from.kind, kinds[i]);
			assert_true(inko_unix_address_equal(&from, &expected));
		}
		inko_socket_close(sender);
	}
	assert_int_equal(unlink(path), 0);
	inko_socket_close(receiver);
}

/* Fills the queue of the receiver, and says how many that took. */
static unsigned int fill(struct inko_socket *sender, const struct place *place)
{
	unsigned int n = 0;

	inko_socket_set_deadline(sender, 1);
	while (sockets_send_to(sender, "x", 1, place) == 1)
		n++;
	inko_socket_reset_deadline(sender);
	return n;
}

/* Poll says all the time that there is room, since it knows of no receiver. */
static void test_full_receiver_neither_spins_nor_overruns(void **state)
{
	enum { PATIENCE_USEC = 15 * SOON_USEC };
	struct inko_socket *receiver, *sender = sockets_open(INKO_UNIX, INKO_DATAGRAM);
	uint64_t begin, cpu_begin;
	struct place place;

	(void)state;
	receiver = sockets_open_bound(INKO_UNIX, INKO_DATAGRAM, &place);
	assert_true(fill(sender, &place) > 0);
	begin = wait_now_usec();
	cpu_begin = sockets_cpu_usec();
	inko_socket_set_deadline(sender, begin + PATIENCE_USEC);
	assert_int_equal(sockets_send_to(sender, "x", 1, &place), -ETIMEDOUT);
	assert_true(sockets_cpu_usec() - cpu_begin < PATIENCE_USEC / 2);
	assert_true(wait_now_usec() >= begin + PATIENCE_USEC);
	inko_socket_close(sender);
	inko_socket_close(receiver);
}

static void test_waits_for_room_at_the_receiver(void **state)
{
	struct inko_socket *receiver, *sender = sockets_open(INKO_UNIX, INKO_DATAGRAM);
	struct place place;
	unsigned int n;
	char byte;

	(void)state;
	receiver = sockets_open_bound(INKO_UNIX, INKO_DATAGRAM, &place);
	n = fill(sender, &place);
	if (fork() == 0) {
		usleep(SOON_USEC);
		for (unsigned int i = 0; i < n; i++)
			if (inko_socket_read(receiver, &byte, 1) != 1)
				_exit(1);
		_exit(0);
	}
	assert_int_equal(sockets_send_to(sender, "y", 1, &place), 1);
	sockets_reap();
	assert_int_equal(inko_socket_read(receiver, &byte, 1), 1);
	assert_int_equal(byte, 'y');
	inko_socket_close(sender);
	inko_socket_close(receiver);
}

struct sending {
	struct inko_socket *sender;
	struct place place;
};

static int send_in_a_task(struct inko_mailbox *mailbox, void *argument)
{
	struct sending *sending = argument;

	(void)mailbox;
	return (int)sockets_send_to(sending->sender, "x", 1, &sending->place);
}

static void test_closed_under_send_to(void **state)
{
	struct sending sending = {.sender = sockets_open(INKO_UNIX, INKO_DATAGRAM)};
	struct inko_socket *receiver;

	(void)state;
	receiver = sockets_open_bound(INKO_UNIX, INKO_DATAGRAM, &sending.place);
	fill(sending.sender, &sending.place);
	assert_int_equal(close_under(send_in_a_task, &sending, &sending.sender), -EBADF);
	inko_socket_close(receiver);
}

static void test_seqpacket_tells_what_was_cut_off(void **state)
{
	struct inko_socket *a, *b;
	bool truncated = false;
	char buffer[2];

	(void)state;
	assert_int_equal(inko_unix_pair(INKO_SEQPACKET, &a, &b), 0);
	assert_int_equal(inko_socket_write_string(a, "long"), 0);
	assert_int_equal(inko_socket_receive_from_unix(b, buffer, 2, NULL, &truncated), 2);
	assert_true(truncated);
	inko_socket_close(b);
	inko_socket_close(a);
}

/* An address of the machine that is link-local comes with the interface that it is good for. */
static void test_scope(void **state)
{
	const struct inko_ip link_local = {
		.version = 6, .bytes = {[0] = 0xfe, [1] = 0x80, [15] = 1}, .scope = 1};
	struct inko_socket *made;
	struct inko_address address;

	(void)state;
	if (!sockets_have_ipv6())
		skip();
	made = sockets_open(INKO_IPV6, INKO_DATAGRAM);
	/* Nobody has that address, but what it is is kept. */
	assert_int_equal(inko_socket_set_free_bind(made, true), 0);
	assert_int_equal(inko_socket_bind(made, &link_local, 0), 0);
	assert_int_equal(inko_socket_local_address(made, &address), 0);
	assert_true(inko_ip_equal(&address.ip, &link_local));
	inko_socket_close(made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		families_test(tells_the_sender),
		families_test(tells_what_was_cut_off),
		families_test(nobody_asks_for_the_sender),
		families_test(datagrams_of_any_size),
		families_test(sends_to_nobody),
		families_test(refuses_what_does_not_fit),
		families_test(connected_hears_only_its_peer),
		families_test(shut_down_it_ends),
		families_test(shut_down_while_a_task_waits_it_ends),
		leaks_test(test_unnamed_to_unnamed),
		leaks_test(test_senders_of_each_kind),
		leaks_test(test_full_receiver_neither_spins_nor_overruns),
		leaks_test(test_waits_for_room_at_the_receiver),
		leaks_test(test_closed_under_send_to),
		leaks_test(test_seqpacket_tells_what_was_cut_off),
		leaks_test(test_scope),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
