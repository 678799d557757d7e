/*
 * Options: each is set and told, by us and by the kernel's own name.
 */

#include "tests/unit/sockets.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

static int ask(struct inko_socket *socket, int level, int name)
{
	int value = -1;
	socklen_t size = sizeof(value);

	assert_int_equal(getsockopt(inko_socket_get_fd(socket), level, name, &value, &size), 0);
	return value;
}

/* Switches */

struct kind {
	enum inko_socket_family family;
	enum inko_socket_type type;
};

static const struct {
	int (*set)(struct inko_socket *socket, bool on);
	int (*get)(const struct inko_socket *socket, bool *ret_on);
	int level, name;
	struct kind with, without; /* of a family, or none */
} switches[] = {
	{inko_socket_set_only_ipv6, inko_socket_get_only_ipv6, IPPROTO_IPV6, IPV6_V6ONLY,
		{INKO_IPV6, INKO_STREAM}, {INKO_IPV4, INKO_STREAM}},
	{inko_socket_set_no_delay, inko_socket_get_no_delay, IPPROTO_TCP, TCP_NODELAY,
		{INKO_IPV4, INKO_STREAM}, {INKO_IPV4, INKO_DATAGRAM}},
	{inko_socket_set_no_delay, inko_socket_get_no_delay, IPPROTO_TCP, TCP_NODELAY,
		{INKO_IPV6, INKO_STREAM}, {INKO_UNIX, INKO_STREAM}},
	{inko_socket_set_broadcast, inko_socket_get_broadcast, SOL_SOCKET, SO_BROADCAST,
		{INKO_IPV4, INKO_DATAGRAM}, {0}},
	{inko_socket_set_keepalive, inko_socket_get_keepalive, SOL_SOCKET, SO_KEEPALIVE,
		{INKO_IPV4, INKO_STREAM}, {0}},
	{inko_socket_set_reuse_address, inko_socket_get_reuse_address, SOL_SOCKET, SO_REUSEADDR,
		{INKO_IPV4, INKO_STREAM}, {0}},
	{inko_socket_set_reuse_port, inko_socket_get_reuse_port, SOL_SOCKET, SO_REUSEPORT,
		{INKO_IPV4, INKO_STREAM}, {0}},
	{inko_socket_set_free_bind, inko_socket_get_free_bind, IPPROTO_IP, IP_FREEBIND,
		{INKO_IPV4, INKO_STREAM}, {INKO_UNIX, INKO_STREAM}},
	{inko_socket_set_free_bind, inko_socket_get_free_bind, IPPROTO_IPV6, IPV6_FREEBIND,
		{INKO_IPV6, INKO_DATAGRAM}, {INKO_UNIX, INKO_DATAGRAM}},
};

static void test_switches(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(switches) / sizeof(*switches); i++) {
		struct inko_socket *made;
		bool is_on;

		if (switches[i].with.family == INKO_IPV6 && !sockets_have_ipv6())
			continue;
		made = sockets_open(switches[i].with.family, switches[i].with.type);
		assert_int_equal(switches[i].get(made, &is_on), 0);
		assert_false(is_on);
		for (int on = 1; on >= 0; on--) {
			assert_int_equal(switches[i].set(made, on), 0);
			assert_int_equal(switches[i].get(made, &is_on), 0);
			assert_int_equal(is_on, on);
			assert_int_equal(!!ask(made, switches[i].level, switches[i].name), on);
		}
		inko_socket_close(made);
	}
}

static void test_switches_of_another_kind(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(switches) / sizeof(*switches); i++) {
		struct inko_socket *made;
		bool is_on = true;

		if (!switches[i].without.family)
			continue;
		made = sockets_open(switches[i].without.family, switches[i].without.type);
		assert_int_equal(switches[i].set(made, true), -EOPNOTSUPP);
		assert_int_equal(switches[i].get(made, &is_on), -EOPNOTSUPP);
		assert_true(is_on);
		inko_socket_close(made);
	}
}

/* Times */

static const struct {
	int (*set)(struct inko_socket *socket, uint64_t usec);
	int (*get)(const struct inko_socket *socket, uint64_t *ret_usec);
	int name;
	unsigned int unit_usec;
} times[] = {
	{inko_socket_set_keepalive_time, inko_socket_get_keepalive_time, TCP_KEEPIDLE, 1000000},
	{inko_socket_set_keepalive_interval, inko_socket_get_keepalive_interval, TCP_KEEPINTVL,
		1000000},
	{inko_socket_set_user_timeout, inko_socket_get_user_timeout, TCP_USER_TIMEOUT, 1000},
};

static void times_of(enum inko_socket_family family)
{
	struct inko_socket *made = sockets_open(family, INKO_STREAM);
	uint64_t usec = 7;

	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
		const uint64_t unit = times[i].unit_usec;
		const uint64_t values[][2] = {
			{unit, 1}, {1, 1}, {unit + 1, 2}, {90 * unit, 90}, {89 * unit + 1, 90}};

		if (family == INKO_UNIX) {
			assert_int_equal(times[i].set(made, unit), -EOPNOTSUPP);
			assert_int_equal(times[i].get(made, &usec), -EOPNOTSUPP);
			assert_int_equal(usec, 7);
			continue;
		}
		for (size_t j = 0; j < sizeof(values) / sizeof(*values); j++) {
			assert_int_equal(times[i].set(made, values[j][0]), 0);
			assert_int_equal(ask(made, IPPROTO_TCP, times[i].name), values[j][1]);
			assert_int_equal(times[i].get(made, &usec), 0);
			assert_int_equal(usec, values[j][1] * unit);
		}
		assert_int_equal(times[i].set(made, (1ull << 31) * unit), -EINVAL);
		assert_int_equal(times[i].set(made, UINT64_MAX), -EINVAL);
		assert_int_equal(times[i].get(made, &usec), 0);
		assert_int_equal(usec, 90 * unit);
	}
	inko_socket_close(made);
}
families_of(times_of)

	static void test_times_out_of_range(void **state)
{
	struct inko_socket *made = sockets_open(INKO_IPV4, INKO_STREAM);

	(void)state;
	assert_int_equal(inko_socket_set_keepalive_time(made, 0), -EINVAL);
	assert_int_equal(inko_socket_set_keepalive_time(made, 32767000000), 0);
	assert_int_equal(inko_socket_set_keepalive_time(made, 32767000001), -EINVAL);
	assert_int_equal(inko_socket_set_keepalive_interval(made, 0), -EINVAL);
	assert_int_equal(inko_socket_set_keepalive_interval(made, 32768000000), -EINVAL);
	assert_int_equal(inko_socket_set_user_timeout(made, 0), 0);
	inko_socket_close(made);
}

/* The kernel counts times to send again, of 1, 2, 4 … seconds. */
static void test_defer_accept(void **state)
{
	static const uint64_t made_of[][2] = {{0, 0}, {1, 1}, {1000000, 1}, {1000001, 3},
		{3000000, 3}, {4000000, 7}, {8000000, 15}};
	struct inko_socket *made = sockets_open(INKO_IPV4, INKO_STREAM);
	uint64_t usec;

	(void)state;
	for (size_t i = 0; i < sizeof(made_of) / sizeof(*made_of); i++) {
		assert_int_equal(inko_socket_set_defer_accept(made, made_of[i][0]), 0);
		assert_int_equal(inko_socket_get_defer_accept(made, &usec), 0);
		assert_int_equal(usec, made_of[i][1] * 1000000);
	}
	inko_socket_close(made);
}

static void test_defer_accept_defers(void **state)
{
	struct inko_socket *listener, *client = sockets_open(INKO_IPV4, INKO_STREAM), *server;
	struct place place;

	(void)state;
	listener = sockets_open_listener(INKO_IPV4, &place);
	assert_int_equal(inko_socket_set_defer_accept(listener, 10000000), 0);
	assert_int_equal(sockets_connect(client, &place), 0);
	inko_socket_set_deadline(listener, inko_deadline_after(SOON_USEC));
	assert_int_equal(inko_socket_accept(listener, &server), -ETIMEDOUT);
	assert_int_equal(inko_socket_write_string(client, "x"), 0);
	inko_socket_reset_deadline(listener);
	assert_int_equal(inko_socket_accept(listener, &server), 0);
	inko_socket_close(server);
	inko_socket_close(client);
	inko_socket_close(listener);
}

/* Numbers */

static void ttl_of(enum inko_socket_family family)
{
	struct inko_socket *made = sockets_open(family, INKO_DATAGRAM);
	unsigned int hops = 7;

	if (family == INKO_UNIX) {
		assert_int_equal(inko_socket_set_ttl(made, 1), -EOPNOTSUPP);
		assert_int_equal(inko_socket_get_ttl(made, &hops), -EOPNOTSUPP);
		assert_int_equal(hops, 7);
	} else {
		for (unsigned int wanted = 1; wanted <= 255; wanted += 127) {
			assert_int_equal(inko_socket_set_ttl(made, wanted), 0);
			assert_int_equal(inko_socket_get_ttl(made, &hops), 0);
			assert_int_equal(hops, wanted);
		}
		assert_int_equal(inko_socket_set_ttl(made, 0), -EINVAL);
		assert_int_equal(inko_socket_set_ttl(made, 256), -EINVAL);
		assert_int_equal(inko_socket_set_ttl(made, UINT32_MAX), -EINVAL);
	}
	inko_socket_close(made);
}
families_of(ttl_of)

	/* What is set is the hop limit, and not the ttl of the IPv4 that it may carry. */
	static void test_ttl_of_ipv6_is_its_hop_limit(void **state)
{
	struct inko_socket *made;
	int ttl;

	(void)state;
	if (!sockets_have_ipv6())
		skip();
	made = sockets_open(INKO_IPV6, INKO_DATAGRAM);
	ttl = ask(made, IPPROTO_IP, IP_TTL);
	assert_int_equal(inko_socket_set_ttl(made, 17), 0);
	assert_int_equal(ask(made, IPPROTO_IPV6, IPV6_UNICAST_HOPS), 17);
	assert_int_equal(ask(made, IPPROTO_IP, IP_TTL), ttl);
	inko_socket_close(made);
}

static void buffer_sizes(enum inko_socket_family family)
{
	struct inko_socket *made = sockets_open(family, INKO_STREAM);
	size_t size;

	/* The kernel says the double. */
	assert_int_equal(inko_socket_set_receive_buffer_size(made, 20000), 0);
	assert_int_equal(inko_socket_get_receive_buffer_size(made, &size), 0);
	assert_int_equal(size, 40000);
	assert_int_equal(ask(made, SOL_SOCKET, SO_RCVBUF), 40000);
	assert_int_equal(inko_socket_set_send_buffer_size(made, 30000), 0);
	assert_int_equal(inko_socket_get_send_buffer_size(made, &size), 0);
	assert_int_equal(size, 60000);
	assert_int_equal(ask(made, SOL_SOCKET, SO_SNDBUF), 60000);
	assert_int_equal(inko_socket_set_send_buffer_size(made, (size_t)1 << 31), -EINVAL);
	assert_int_equal(inko_socket_set_receive_buffer_size(made, SIZE_MAX), -EINVAL);
	inko_socket_close(made);
}
families_of(buffer_sizes)

	static void test_mark(void **state)
{
	struct inko_socket *made = sockets_open(INKO_IPV4, INKO_STREAM);
	uint32_t mark = 7;
	int r;

	(void)state;
	assert_int_equal(inko_socket_get_mark(made, &mark), 0);
	assert_int_equal(mark, 0);
	r = inko_socket_set_mark(made, 0xfedcba98);
	if (r == 0) {
		assert_int_equal(inko_socket_get_mark(made, &mark), 0);
		assert_int_equal(mark, 0xfedcba98);
	}
	inko_socket_close(made);
	if (r == -EPERM) {
		print_message("without CAP_NET_ADMIN and CAP_NET_RAW there is no mark\n");
		skip();
	}
	assert_int_equal(r, 0);
}

static void linger_of(enum inko_socket_family family)
{
	struct inko_socket *made = sockets_open(family, INKO_STREAM);
	uint64_t usec = 7;
	bool on = true;

	assert_int_equal(inko_socket_get_linger(made, &on, &usec), 0);
	assert_false(on);
	assert_int_equal(inko_socket_set_linger(made, true, 2000001), 0);
	assert_int_equal(inko_socket_get_linger(made, &on, &usec), 0);
	assert_true(on);
	assert_int_equal(usec, 3000000);
	assert_int_equal(inko_socket_set_linger(made, false, 0), 0);
	assert_int_equal(inko_socket_get_linger(made, &on, &usec), 0);
	assert_false(on);
	assert_int_equal(inko_socket_set_linger(made, true, UINT64_MAX), -EINVAL);
	inko_socket_close(made);
}
families_of(linger_of)

	/* What they do */

	static void test_no_listener_reuses_a_port_unasked(void **state)
{
	struct inko_ip ip = sockets_loopback(INKO_IPV4);
	struct inko_socket *listener, *other = sockets_open(INKO_IPV4, INKO_STREAM);
	struct inko_address address;
	bool on = true;

	(void)state;
	assert_int_equal(inko_tcp_listen(&ip, 0, &listener), 0);
	assert_int_equal(inko_socket_get_reuse_port(listener, &on), 0);
	assert_false(on);
	assert_int_equal(inko_socket_local_address(listener, &address), 0);
	assert_int_equal(inko_socket_set_reuse_port(other, true), 0);
	assert_int_equal(inko_socket_bind(other, &ip, address.port), -EADDRINUSE);
	inko_socket_close(other);
	inko_socket_close(listener);
}

static void test_reuse_port_by_both(void **state)
{
	struct inko_ip ip = sockets_loopback(INKO_IPV4);
	struct inko_socket *sockets[2];
	struct inko_address address = {0};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		sockets[i] = sockets_open(INKO_IPV4, INKO_DATAGRAM);
		assert_int_equal(inko_socket_set_reuse_port(sockets[i], true), 0);
		assert_int_equal(inko_socket_bind(sockets[i], &ip, address.port), 0);
		assert_int_equal(inko_socket_local_address(sockets[i], &address), 0);
	}
	inko_socket_close(sockets[0]);
	inko_socket_close(sockets[1]);
}

static void test_broadcast_is_not_by_accident(void **state)
{
	struct inko_socket *made = sockets_open(INKO_IPV4, INKO_DATAGRAM);
	struct inko_ip everybody = inko_ip_v4(127, 255, 255, 255);

	(void)state;
	assert_int_equal(inko_socket_send_to(made, "x", 1, &everybody, 9), -EACCES);
	assert_int_equal(inko_socket_set_broadcast(made, true), 0);
	assert_int_equal(inko_socket_send_to(made, "x", 1, &everybody, 9), 1);
	inko_socket_close(made);
}

static void test_free_bind(void **state)
{
	struct inko_socket *made = sockets_open(INKO_IPV4, INKO_STREAM);
	struct inko_ip elsewhere = inko_ip_v4(192, 0, 2, 1);

	(void)state;
	assert_int_equal(inko_socket_bind(made, &elsewhere, 0), -EADDRNOTAVAIL);
	assert_int_equal(inko_socket_set_free_bind(made, true), 0);
	assert_int_equal(inko_socket_bind(made, &elsewhere, 0), 0);
	inko_socket_close(made);
}

/* Clones are the same socket. */
static void test_clones_share_options(void **state)
{
	struct inko_socket *made = sockets_open(INKO_IPV4, INKO_STREAM), *clone;
	bool on = false;

	(void)state;
	assert_int_equal(inko_socket_clone(made, &clone), 0);
	assert_int_equal(inko_socket_set_no_delay(clone, true), 0);
	assert_int_equal(inko_socket_get_no_delay(made, &on), 0);
	assert_true(on);
	inko_socket_close(clone);
	inko_socket_close(made);
}

/* Who the peer is */

static void peer_credentials(enum inko_socket_family family)
{
	struct inko_credentials credentials = {.pid = 7};
	struct inko_socket *unconnected = sockets_open(family, INKO_STREAM);
	int none = family == INKO_UNIX ? -ENOTCONN : -EOPNOTSUPP;
	struct pair pair;

	assert_int_equal(inko_socket_get_peer_credentials(unconnected, &credentials), none);
	inko_socket_close(unconnected);
	sockets_open_pair(family, &pair);
	if (family != INKO_UNIX) {
		assert_int_equal(inko_socket_get_peer_credentials(pair.a, &credentials), none);
		assert_int_equal(credentials.pid, 7);
	} else {
		assert_int_equal(inko_socket_get_peer_credentials(pair.b, &credentials), 0);
		assert_int_equal(credentials.pid, getpid());
		assert_int_equal(credentials.uid, geteuid());
		assert_int_equal(credentials.gid, getegid());
	}
	sockets_close_pair(&pair);
}
families_of(peer_credentials)

	int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(test_switches),
		leaks_test(test_switches_of_another_kind),
		families_test(times_of),
		leaks_test(test_times_out_of_range),
		leaks_test(test_defer_accept),
		leaks_test(test_defer_accept_defers),
		families_test(ttl_of),
		leaks_test(test_ttl_of_ipv6_is_its_hop_limit),
		families_test(buffer_sizes),
		leaks_test(test_mark),
		families_test(linger_of),
		leaks_test(test_no_listener_reuses_a_port_unasked),
		leaks_test(test_reuse_port_by_both),
		leaks_test(test_broadcast_is_not_by_accident),
		leaks_test(test_free_bind),
		leaks_test(test_clones_share_options),
		families_test(peer_credentials),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
