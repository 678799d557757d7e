/*
 * UDP sockets.
 */

#include "tests/unit/sockets.h"

static void hello(enum inko_socket_family family)
{
	struct inko_ip ip = sockets_loopback(family);
	struct inko_socket *server, *client;
	struct inko_address address;
	char buffer[32];
	bool on;

	assert_int_equal(inko_udp_bind(&ip, 0, &server), 0);
	assert_int_equal(inko_udp_bind(&ip, 0, &client), 0);
	assert_int_equal(inko_socket_require(server, INKO_UDP), 0);
	if (family == INKO_IPV6) {
		assert_int_equal(inko_socket_get_only_ipv6(server, &on), 0);
		assert_true(on);
	}
	assert_int_equal(inko_socket_local_address(server, &address), 0);
	assert_int_equal(inko_socket_connect(client, &address.ip, address.port), 0);
	assert_int_equal(inko_socket_write_string(client, "Hello, world!"), 0);
	assert_int_equal(inko_socket_read(server, buffer, sizeof(buffer)), 13);
	assert_memory_equal(buffer, "Hello, world!", 13);
	inko_socket_close(client);
	inko_socket_close(server);
}

static void test_ipv4(void **state)
{
	(void)state;
	hello(INKO_IPV4);
}

static void test_ipv6(void **state)
{
	(void)state;
	if (!sockets_have_ipv6())
		skip();
	hello(INKO_IPV6);
}

static void test_errors(void **state)
{
	struct inko_ip ip = sockets_loopback(INKO_IPV4), elsewhere = inko_ip_v4(192, 0, 2, 1);
	struct inko_ip invalid = {.version = 5};
	struct inko_socket *server, *none = NULL;
	struct inko_address address;

	(void)state;
	assert_int_equal(inko_udp_bind(&ip, 0, &server), 0);
	assert_int_equal(inko_socket_local_address(server, &address), 0);
	assert_int_equal(inko_udp_bind(&ip, address.port, &none), -EADDRINUSE);
	assert_int_equal(inko_udp_bind(&elsewhere, 0, &none), -EADDRNOTAVAIL);
	assert_int_equal(inko_udp_bind(&invalid, 0, &none), -EAFNOSUPPORT);
	assert_null(none);
	inko_socket_close(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(test_ipv4),
		leaks_test(test_ipv6),
		leaks_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
