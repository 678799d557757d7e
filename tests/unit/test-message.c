/*
 * Messages by themselves: what is in them, and who owns it.
 */

#include "tests/unit/lanes.h"

#include <netinet/in.h>
#include <sys/un.h>
#include <time.h>

static struct inko_message *make(const char *text)
{
	struct inko_message *message;

	assert_int_equal(inko_message_new(text, strlen(text), &message), 0);
	return message;
}

static struct inko_socket *adopt(int fd)
{
	struct inko_socket *socket;

	assert_int_equal(inko_socket_adopt(&fd, &socket), 0);
	return socket;
}

static void test_bytes(void **state)
{
	char bytes[] = "a\0b";
	struct inko_message *message;
	size_t size;

	(void)state;
	assert_int_equal(inko_message_new(bytes, 3, &message), 0);
	bytes[0] = 'x'; /* it was copied */
	assert_memory_equal(inko_message_peek_bytes(message, &size), "a\0b\0", 4);
	assert_int_equal(size, 3);
	assert_int_equal(inko_message_get_kind(message), INKO_MESSAGE);
	assert_int_equal(inko_message_count_sockets(message), 0);
	assert_string_equal(inko_message_peek_listener(message), "");
	inko_message_set_correlation(message, 1ull << 63);
	assert_true(inko_message_get_correlation(message) == 1ull << 63);
	assert_null(inko_message_free(message));
	assert_null(inko_message_free(NULL));

	assert_int_equal(inko_message_new(NULL, 0, &message), 0);
	assert_string_equal(inko_message_peek_bytes(message, &size), "");
	assert_int_equal(size, 0);
	inko_message_free(message);
	assert_int_equal(inko_message_new("", LIMIT_BODY_BYTES + 1, &message), -EMSGSIZE);
}

static void test_sockets_come_out_as_they_went_in(void **state)
{
	struct inko_message *message = make("");
	struct inko_socket *socket;
	int numbers[10], peers[10], fd;

	(void)state;
	for (size_t i = 0; i < 10; i++) {
		numbers[i] = lanes_connection(&peers[i]);
		assert_int_equal(inko_message_push_socket(message, adopt(numbers[i])), 0);
	}
	assert_int_equal(inko_message_count_sockets(message), 10);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(inko_message_take_socket(message, &socket), 0);
		assert_int_equal(inko_socket_get_fd(socket), numbers[i]);
		inko_socket_close(socket);
	}
	assert_int_equal(inko_message_take_fd(message, &fd), 0);
	assert_int_equal(fd, numbers[4]);
	close(fd);
	assert_int_equal(inko_message_count_sockets(message), 5);
	assert_false(lanes_is_hung_up(peers[9]));
	inko_message_free(message); /* and the five that are left */
	for (size_t i = 0; i < 10; i++) {
		assert_true(lanes_is_hung_up(peers[i]));
		close(peers[i]);
	}
}

static void test_no_more_sockets_than_fit(void **state)
{
	struct inko_message *message = make("");
	struct inko_socket *one_more;
	int peer, fd = lanes_connection(&peer);

	(void)state;
	for (int i = 0; i < LIMIT_SOCKETS_WITH_BODY; i++)
		assert_int_equal(inko_message_push_socket(message, adopt(dup(fd))), 0);
	one_more = adopt(fd);
	assert_int_equal(inko_message_push_socket(message, one_more), -E2BIG);
	assert_false(lanes_is_hung_up(peer));
	inko_socket_close(one_more);
	inko_message_free(message);
	assert_true(lanes_is_hung_up(peer));
	close(peer);
}

static void test_nothing_left_to_take(void **state)
{
	struct inko_message *message = make("");
	struct inko_socket *socket = NULL;
	int fd = -7;

	(void)state;
	assert_int_equal(inko_message_take_socket(message, &socket), -ENOENT);
	assert_int_equal(inko_message_take_fd(message, &fd), -ENOENT);
	assert_null(socket);
	assert_int_equal(fd, -7);
	inko_message_free(message);
}

static void test_connection(void **state)
{
	const struct inko_address v4 = {.ip = inko_ip_v4(192, 0, 2, 7), .port = 4321};
	const struct inko_address link_local = {
		.ip = {.version = 6, .bytes = {0xfe, 0x80, [15] = 1}, .scope = 3}, .port = 1};
	struct inko_address from;
	struct inko_message *message;
	struct timespec now;
	int peer, fd = lanes_connection(&peer);

	(void)state;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	assert_int_equal(inko_message_new_connection(&fd, "tcp-80", &v4, &message), 0);
	assert_int_equal(fd, -1);
	assert_int_equal(inko_message_get_kind(message), INKO_CONNECTION);
	assert_string_equal(inko_message_peek_listener(message), "tcp-80");
	assert_int_equal(inko_message_peek_peer(message, &from), 0);
	assert_true(inko_address_equal(&from, &v4));
	assert_in_range(inko_message_get_time(message), (uint64_t)now.tv_sec * 1000000,
		(uint64_t)now.tv_sec * 1000000 + 10000000);
	assert_int_equal(inko_message_count_sockets(message), 1);
	assert_int_equal(inko_message_take_fd(message, &fd), 0);
	inko_message_free(message);

	assert_int_equal(inko_message_new_connection(&fd, "tcp-80", &link_local, &message), 0);
	assert_int_equal(inko_message_peek_peer(message, &from), 0);
	assert_true(inko_address_equal(&from, &link_local));
	assert_int_equal(from.ip.scope, 3);
	assert_int_equal(inko_message_take_fd(message, &fd), 0);
	inko_message_free(message);

	assert_int_equal(inko_message_new_connection(&fd, "tcp-80", NULL, &message), 0);
	assert_int_equal(inko_message_peek_peer(message, &from), -ENOENT);
	inko_message_free(message);
	assert_true(lanes_is_hung_up(peer));
	close(peer);
}

static void test_connection_of_no_listener(void **state)
{
	char longest[LIMIT_NAME_CHARS + 2];
	struct inko_message *message = NULL;
	int peer, fd = lanes_connection(&peer);

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(inko_message_new_connection(&fd, longest, NULL, &message), -EINVAL);
	assert_int_equal(inko_message_new_connection(&fd, "", NULL, &message), -EINVAL);
	assert_int_equal(inko_message_new_connection(&fd, "a/b", NULL, &message), -EINVAL);
	assert_null(message);
	assert_true(fd >= 0);
	longest[LIMIT_NAME_CHARS] = '\0';
	assert_int_equal(inko_message_new_connection(&fd, longest, NULL, &message), 0);
	assert_string_equal(inko_message_peek_listener(message), longest);
	inko_message_free(message);
	close(peer);
}

/* Whatever comes instead of a socket of ours is closed, and what follows is not touched. */
static void test_takes_only_sockets(void **state)
{
	struct lanes lanes;
	struct inko_message *message;
	struct inko_socket *socket_ = NULL;
	int peer, fds[4], pipe_fds[2];

	(void)state;
	lanes_open(&lanes, "mailbox:mailbox");
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	fds[0] = pipe_fds[1];
	fds[1] = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
	fds[2] = open("/tmp", O_PATH | O_CLOEXEC);
	fds[3] = lanes_connection(&peer);
	assert_int_equal(lanes_send(&lanes, 1, ENVELOPE_MESSAGE, "", fds, 4), 0);
	for (size_t i = 0; i < 4; i++)
		close(fds[i]);

	assert_int_equal(inko_mailbox_receive(lanes.own, &message), 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(inko_message_take_socket(message, &socket_), -EPROTOTYPE);
	assert_null(socket_);
	assert_true(lanes_is_hung_up(pipe_fds[0]));
	assert_int_equal(inko_message_take_socket(message, &socket_), 0);
	inko_socket_close(socket_);
	assert_int_equal(inko_message_take_socket(message, &socket_), -ENOENT);
	inko_message_free(message);
	close(pipe_fds[0]);
	close(peer);
	lanes_close(&lanes);
}

static const struct {
	int domain, type;
	bool listens;
	enum inko_socket_kind kind;
} arrivals[] = {
	{AF_INET, SOCK_STREAM, true, INKO_TCP_SERVER},
	{AF_INET, SOCK_STREAM, false, INKO_TCP_CLIENT},
	{AF_INET, SOCK_DGRAM, false, INKO_UDP},
	{AF_UNIX, SOCK_STREAM, true, INKO_UNIX_SERVER},
	{AF_UNIX, SOCK_STREAM, false, INKO_UNIX_CLIENT},
	{AF_UNIX, SOCK_DGRAM, false, INKO_UNIX_DATAGRAM},
};

static int make_arrival(size_t i)
{
	const struct sockaddr_un unnamed = {.sun_family = AF_UNIX};
	int fd = socket(arrivals[i].domain, arrivals[i].type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	/* By the unnamed address a Unix socket is given a name, and one of IP needs none. */
	if (arrivals[i].domain == AF_UNIX)
		assert_int_equal(
			bind(fd, (const struct sockaddr *)&unnamed, sizeof(sa_family_t)), 0);
	if (arrivals[i].listens)
		assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* One that is asked for as another kind stays, and is to be had as what it is. */
static void test_takes_sockets_as_what_they_are(void **state)
{
	enum { N = sizeof(arrivals) / sizeof(*arrivals) };
	struct lanes lanes;
	struct inko_message *message;
	struct inko_socket *socket_ = NULL;
	int fds[N];

	(void)state;
	lanes_open(&lanes, "mailbox:mailbox");
	for (size_t i = 0; i < N; i++)
		fds[i] = make_arrival(i);
	assert_int_equal(lanes_send(&lanes, 1, ENVELOPE_MESSAGE, "", fds, N), 0);
	for (size_t i = 0; i < N; i++)
		close(fds[i]);
	assert_int_equal(inko_mailbox_receive(lanes.own, &message), 0);
	for (size_t i = 0; i < N; i++) {
		for (size_t j = 0; j < N; j++)
			if (j != i)
				assert_int_equal(inko_message_take_socket_as(
							 message, arrivals[j].kind, &socket_),
					-EPROTOTYPE);
		assert_null(socket_);
		assert_int_equal(inko_message_count_sockets(message), N - i);
		assert_int_equal(
			inko_message_take_socket_as(message, arrivals[i].kind, &socket_), 0);
		assert_int_equal(inko_socket_require(socket_, arrivals[i].kind), 0);
		socket_ = inko_socket_close(socket_);
	}
	assert_int_equal(inko_message_take_socket_as(message, INKO_TCP_CLIENT, &socket_), -ENOENT);
	inko_message_free(message);
	lanes_close(&lanes);
}

/* What nobody takes in the end goes with the message. */
static void test_asks_in_vain(void **state)
{
	struct inko_message *message = make("");
	struct inko_socket *socket_ = NULL;
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(inko_message_push_socket(message, adopt(ends[0])), 0);
	assert_int_equal(
		inko_message_take_socket_as(message, INKO_TCP_CLIENT, &socket_), -EPROTOTYPE);
	assert_null(socket_);
	assert_int_equal(inko_message_count_sockets(message), 1);
	inko_message_free(message);
	assert_true(lanes_is_hung_up(ends[1]));
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(test_bytes),
		leaks_test(test_sockets_come_out_as_they_went_in),
		leaks_test(test_no_more_sockets_than_fit),
		leaks_test(test_nothing_left_to_take),
		leaks_test(test_connection),
		leaks_test(test_connection_of_no_listener),
		leaks_test(test_takes_only_sockets),
		leaks_test(test_takes_sockets_as_what_they_are),
		leaks_test(test_asks_in_vain),
	};

	/* Whoever started this may have left descriptors open from 3 on. */
	(void)close_range(3, ~0u, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
