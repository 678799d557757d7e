/*
 * Unix servers, clients, datagram sockets and pairs.
 */

#include "tests/unit/sockets.h"

#include <stdio.h>

static void serve_and_connect(const char *address)
{
	struct inko_socket *listener, *client, *server, *none = NULL;
	char *text;

	assert_int_equal(inko_unix_listen(address, &listener), 0);
	assert_int_equal(inko_socket_require(listener, INKO_UNIX_SERVER), 0);
	assert_int_equal(inko_unix_listen(address, &none), -EADDRINUSE);
	assert_int_equal(inko_unix_connect(address, &client), 0);
	assert_int_equal(inko_socket_require(client, INKO_UNIX_CLIENT), 0);
	assert_int_equal(inko_socket_accept(listener, &server), 0);
	assert_int_equal(inko_socket_require(server, INKO_UNIX_CLIENT), 0);
	assert_int_equal(inko_socket_write_string(server, "pong"), 0);
	assert_int_equal(inko_socket_read_string(client, 4, &text), 4);
	assert_string_equal(text, "pong");
	free(text);
	inko_socket_close(server);
	inko_socket_close(client);
	inko_socket_close(listener);
	assert_int_equal(inko_unix_connect(address, &none), -ECONNREFUSED);
	assert_null(none);
}

static void test_path(void **state)
{
	char directory[] = "/tmp/inko-test-unix.XXXXXX", path[64];
	struct inko_socket *none = NULL;

	(void)state;
	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/s", directory);
	assert_int_equal(inko_unix_connect(path, &none), -ENOENT);
	serve_and_connect(path);
	assert_int_equal(inko_unix_listen(path, &none), -EADDRINUSE);
	assert_null(none);
	assert_int_equal(unlink(path), 0); /* closing left it */
	assert_int_equal(rmdir(directory), 0);
}

static void test_abstract(void **state)
{
	char address[64];

	(void)state;
	(void)snprintf(address, sizeof(address), "@inko-test-unix-%d\\x00", getpid());
	serve_and_connect(address);
}

static void test_addresses_that_are_none(void **state)
{
	struct inko_socket *none = NULL;
	char too_long[] =
		"/tmp/"
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

	(void)state;
	assert_int_equal(strlen(too_long), 108);
	assert_int_equal(inko_unix_listen(too_long, &none), -ENAMETOOLONG);
	assert_int_equal(inko_unix_connect(too_long, &none), -ENAMETOOLONG);
	assert_int_equal(inko_unix_datagram(too_long, &none), -ENAMETOOLONG);
	assert_int_equal(inko_unix_listen("", &none), -EINVAL);
	assert_int_equal(inko_unix_connect("", &none), -EINVAL);
	assert_int_equal(inko_unix_listen("@\\y", &none), -EINVAL);
	assert_int_equal(inko_unix_listen("/nowhere/to/be/found", &none), -ENOENT);
	assert_int_equal(inko_unix_datagram("/nowhere/to/be/found", &none), -ENOENT);
	assert_null(none);
}

static void test_datagrams(void **state)
{
	struct inko_unix_address there, from;
	struct inko_socket *receiver, *sender, *unnamed;
	char text[2][64], buffer[8];

	(void)state;
	for (int i = 0; i < 2; i++)
		(void)snprintf(text[i], sizeof(text[i]), "@inko-test-unix-%d-%d", getpid(), i);
	assert_int_equal(inko_unix_datagram(text[0], &receiver), 0);
	assert_int_equal(inko_unix_datagram(text[1], &sender), 0);
	assert_int_equal(inko_socket_require(receiver, INKO_UNIX_DATAGRAM), 0);
	assert_int_equal(inko_unix_address_parse(text[0], &there), 0);
	assert_int_equal(inko_socket_send_to_unix(sender, "x", 1, &there), 1);
	assert_int_equal(inko_socket_receive_from_unix(receiver, buffer, 8, &from, NULL), 1);
	assert_int_equal(inko_unix_address_parse(text[1], &there), 0);
	assert_true(inko_unix_address_equal(&from, &there));

	for (int i = 0; i < 2; i++) {
		assert_int_equal(inko_unix_datagram(i ? "" : NULL, &unnamed), 0);
		assert_int_equal(inko_socket_local_unix_address(unnamed, &from), 0);
		assert_int_equal(from.kind, INKO_UNIX_UNNAMED);
		inko_socket_close(unnamed);
	}
	inko_socket_close(sender);
	inko_socket_close(receiver);
}

static void test_pairs(void **state)
{
	(void)state;
	for (int type = INKO_STREAM; type <= INKO_SEQPACKET; type++) {
		struct inko_unix_address address;
		struct inko_socket *a, *b;
		char buffer[8];

		assert_int_equal(inko_unix_pair((enum inko_socket_type)type, &a, &b), 0);
		assert_int_equal(inko_socket_get_type(a), type);
		assert_int_equal(inko_socket_get_type(b), type);
		assert_true(fcntl(inko_socket_get_fd(a), F_GETFD) & FD_CLOEXEC);
		assert_int_equal(inko_socket_peer_unix_address(a, &address), 0);
		assert_int_equal(address.kind, INKO_UNIX_UNNAMED);
		assert_int_equal(inko_socket_write_string(a, "ping"), 0);
		assert_int_equal(inko_socket_read(b, buffer, 8), 4);
		assert_int_equal(inko_socket_write_string(b, "pong!"), 0);
		assert_int_equal(inko_socket_read(a, buffer, 8), 5);
		inko_socket_close(a);
		inko_socket_close(b);
	}
}

static void test_pairs_of_no_type(void **state)
{
	struct inko_socket *a = NULL, *b = NULL;

	(void)state;
	assert_int_equal(inko_unix_pair(INKO_RAW, &a, &b), -EINVAL);
	assert_int_equal(inko_unix_pair((enum inko_socket_type)0, &a, &b), -EINVAL);
	assert_null(a);
	assert_null(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(test_path),
		leaks_test(test_abstract),
		leaks_test(test_addresses_that_are_none),
		leaks_test(test_datagrams),
		leaks_test(test_pairs),
		leaks_test(test_pairs_of_no_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
