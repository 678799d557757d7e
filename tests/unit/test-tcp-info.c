/*
 * What the kernel tells of a TCP connection.
 */

#include "tests/unit/sockets.h"

static void info_of(enum inko_socket_family family)
{
	struct inko_socket *datagram = sockets_open(family, INKO_DATAGRAM);
	struct inko_tcp_info info = {.lost_segments = 7};
	struct pair pair;
	char buffer[1000] = {0};

	assert_int_equal(inko_socket_get_tcp_info(datagram, &info), -EOPNOTSUPP);
	assert_int_equal(info.lost_segments, 7);
	inko_socket_close(datagram);
	sockets_open_pair(family, &pair);
	if (family == INKO_UNIX) {
		assert_int_equal(inko_socket_get_tcp_info(pair.a, &info), -EOPNOTSUPP);
	} else {
		assert_int_equal(inko_socket_write_bytes(pair.a, buffer, sizeof(buffer)), 0);
		assert_int_equal(
			inko_socket_read_bytes(pair.b, buffer, sizeof(buffer)), sizeof(buffer));
		assert_int_equal(inko_socket_get_tcp_info(pair.b, &info), 0);
		assert_true(info.is_established);
		assert_int_equal(info.received_bytes, sizeof(buffer));
		assert_int_equal(info.lost_segments, 0);
		assert_true(info.send_segment_bytes > 0);
		assert_true(info.congestion_window_segments > 0);
	}
	sockets_close_pair(&pair);
}
families_of(info_of)

	static void test_unconnected(void **state)
{
	struct inko_socket *made = sockets_open(INKO_IPV4, INKO_STREAM);
	struct inko_tcp_info info = {.is_established = true};

	(void)state;
	assert_int_equal(inko_socket_get_tcp_info(made, &info), 0);
	assert_false(info.is_established);
	assert_int_equal(info.received_bytes, 0);
	inko_socket_close(made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		families_test(info_of),
		leaks_test(test_unconnected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
