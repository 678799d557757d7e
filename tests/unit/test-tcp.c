/*
 * TCP servers and clients, with what is set on them.
 */

#include "tests/unit/sockets.h"

static void serve_and_connect(enum inko_socket_family family)
{
	struct inko_ip ip = sockets_loopback(family);
	struct inko_socket *listener, *client, *server;
	struct inko_address address, local, peer;
	char *text;
	bool on;

	assert_int_equal(inko_tcp_listen(&ip, 0, &listener), 0);
	assert_int_equal(inko_socket_require(listener, INKO_TCP_SERVER), 0);
	assert_int_equal(inko_socket_get_reuse_address(listener, &on), 0);
	assert_true(on);
	if (family == INKO_IPV6) {
		assert_int_equal(inko_socket_get_only_ipv6(listener, &on), 0);
		assert_true(on);
	}
	assert_int_equal(inko_socket_local_address(listener, &address), 0);
	assert_true(inko_ip_equal(&address.ip, &ip));

	assert_int_equal(inko_tcp_connect(&ip, address.port, &client), 0);
	assert_int_equal(inko_socket_require(client, INKO_TCP_CLIENT), 0);
	assert_int_equal(inko_socket_get_no_delay(client, &on), 0);
	assert_true(on);
	assert_false(sockets_flags(client) & O_NONBLOCK);
	assert_true(fcntl(inko_socket_get_fd(client), F_GETFD) & FD_CLOEXEC);
	assert_int_equal(inko_socket_accept(listener, &server), 0);
	assert_int_equal(inko_socket_get_no_delay(server, &on), 0);
	assert_true(on);
	assert_int_equal(inko_socket_local_address(client, &local), 0);
	assert_int_equal(inko_socket_peer_address(server, &peer), 0);
	assert_true(inko_address_equal(&local, &peer));

	assert_int_equal(inko_socket_write_string(client, "ping"), 0);
	assert_int_equal(inko_socket_read_string(server, 4, &text), 4);
	assert_string_equal(text, "ping");
	free(text);
	inko_socket_close(server);
	inko_socket_close(client);
	inko_socket_close(listener);
}

static void test_ipv4(void **state)
{
	(void)state;
	serve_and_connect(INKO_IPV4);
}

static void test_ipv6(void **state)
{
	(void)state;
	if (!sockets_have_ipv6())
		skip();
	serve_and_connect(INKO_IPV6);
}

static void test_errors(void **state)
{
	struct inko_ip ip = sockets_loopback(INKO_IPV4), elsewhere = inko_ip_v4(192, 0, 2, 1);
	struct inko_ip invalid = {.version = 5};
	struct inko_socket *listener, *none = NULL;
	struct inko_address address;

	(void)state;
	assert_int_equal(inko_tcp_listen(&ip, 0, &listener), 0);
	assert_int_equal(inko_socket_local_address(listener, &address), 0);
	assert_int_equal(inko_tcp_listen(&ip, address.port, &none), -EADDRINUSE);
	assert_int_equal(inko_tcp_listen(&elsewhere, 0, &none), -EADDRNOTAVAIL);
	assert_int_equal(inko_tcp_listen(&invalid, 0, &none), -EAFNOSUPPORT);
	inko_socket_close(listener);
	assert_int_equal(inko_tcp_connect(&ip, address.port, &none), -ECONNREFUSED);
	assert_int_equal(inko_tcp_connect(&invalid, 80, &none), -EAFNOSUPPORT);
	assert_null(none);
}

/* A port that a connection of before is still known of can be listened on at once. */
static void test_listens_again(void **state)
{
	struct inko_ip ip = sockets_loopback(INKO_IPV4);
	struct inko_socket *listener, *client, *server;
	struct inko_address address;

	(void)state;
	assert_int_equal(inko_tcp_listen(&ip, 0, &listener), 0);
	assert_int_equal(inko_socket_local_address(listener, &address), 0);
	assert_int_equal(inko_tcp_connect(&ip, address.port, &client), 0);
	assert_int_equal(inko_socket_accept(listener, &server), 0);
	/* The side that ends first keeps the port for a minute. */
	assert_int_equal(inko_socket_shutdown(server), 0);
	inko_socket_close(server);
	assert_int_equal(inko_socket_read(client, &(char){0}, 1), 0);
	inko_socket_close(client);
	inko_socket_close(listener);
	assert_int_equal(inko_tcp_listen(&ip, address.port, &listener), 0);
	inko_socket_close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(test_ipv4),
		leaks_test(test_ipv6),
		leaks_test(test_errors),
		leaks_test(test_listens_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
