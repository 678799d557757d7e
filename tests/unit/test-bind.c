/*
 * Where sockets are: bind, listen, and the addresses of both ends.
 */

#include "tests/unit/sockets.h"

#include <stdio.h>
#include <sys/stat.h>

static void bind_gives_an_address(enum inko_socket_family family)
{
	struct inko_socket *bound;
	struct place place;

	for (int type = INKO_STREAM; type <= INKO_DATAGRAM; type++) {
		bound = sockets_open_bound(family, (enum inko_socket_type)type, &place);
		if (family == INKO_UNIX) {
			assert_int_equal(place.name.kind, INKO_UNIX_ABSTRACT);
			assert_true(place.name.length > 0);
		} else {
			struct inko_ip loopback = sockets_loopback(family);

			assert_true(inko_ip_equal(&place.ip.ip, &loopback));
			assert_int_not_equal(place.ip.port, 0);
		}
		inko_socket_close(bound);
	}
}
families_of(bind_gives_an_address)

	static void bind_twice(enum inko_socket_family family)
{
	struct inko_socket *bound, *other;
	struct place place;

	bound = sockets_open_bound(family, INKO_STREAM, &place);
	other = sockets_open(family, INKO_STREAM);
	assert_int_equal(sockets_bind(other, &place), -EADDRINUSE);
	assert_int_equal(sockets_bind(bound, &place), -EINVAL);
	inko_socket_close(bound);
	assert_int_equal(sockets_bind(other, &place), 0);
	inko_socket_close(other);
}
families_of(bind_twice)

	static void unbound_has_no_address(enum inko_socket_family family)
{
	struct inko_socket *unbound = sockets_open(family, INKO_STREAM);
	struct place place;

	assert_int_equal(sockets_get_local(unbound, &place), 0);
	assert_int_equal(place.ip.port, 0);
	assert_int_equal(place.name.kind, INKO_UNIX_UNNAMED);
	if (family != INKO_UNIX)
		assert_true(inko_ip_is_unspecified(&place.ip.ip));
	assert_int_equal(sockets_get_peer(unbound, &place), -ENOTCONN);
	inko_socket_close(unbound);
}
families_of(unbound_has_no_address)

	static void both_ends_tell_the_same(enum inko_socket_family family)
{
	struct inko_socket *listener, *client, *server;
	struct place place, local, peer;

	listener = sockets_open_listener(family, &place);
	client = sockets_open_bound(family, INKO_STREAM, &local);
	assert_int_equal(sockets_connect(client, &place), 0);
	assert_int_equal(inko_socket_accept(listener, &server), 0);
	assert_int_equal(sockets_get_peer(client, &peer), 0);
	assert_true(sockets_same_place(&peer, &place));
	assert_int_equal(sockets_get_peer(server, &peer), 0);
	assert_true(sockets_same_place(&peer, &local));
	assert_int_equal(sockets_get_local(server, &peer), 0);
	assert_true(sockets_same_place(&peer, &place));
	assert_int_equal(sockets_get_peer(listener, &peer), -ENOTCONN);
	inko_socket_close(server);
	inko_socket_close(client);
	inko_socket_close(listener);
}
families_of(both_ends_tell_the_same)

	static void addresses_of_another_family(enum inko_socket_family family)
{
	struct inko_socket *made = sockets_open(family, INKO_STREAM);
	struct inko_ip v4 = sockets_loopback(INKO_IPV4), v6 = sockets_loopback(INKO_IPV6);
	struct inko_unix_address name, untouched = {.kind = (enum inko_unix_kind)7};
	struct inko_address address = {.port = 7};

	assert_int_equal(inko_unix_address_parse("@inko-test", &name), 0);
	if (family == INKO_UNIX) {
		assert_int_equal(inko_socket_local_address(made, &address), -EAFNOSUPPORT);
		assert_int_equal(inko_socket_peer_address(made, &address), -EAFNOSUPPORT);
		assert_int_equal(address.port, 7);
	} else {
		assert_int_equal(inko_socket_local_unix_address(made, &untouched), -EAFNOSUPPORT);
		assert_int_equal(inko_socket_peer_unix_address(made, &untouched), -EAFNOSUPPORT);
		assert_int_equal(untouched.kind, 7);
		assert_int_equal(inko_socket_bind_unix(made, &name), -EAFNOSUPPORT);
		assert_int_equal(inko_socket_connect_unix(made, &name), -EAFNOSUPPORT);
	}
	if (family != INKO_IPV4) {
		assert_int_equal(inko_socket_bind(made, &v4, 0), -EAFNOSUPPORT);
		assert_int_equal(inko_socket_connect(made, &v4, 1), -EAFNOSUPPORT);
	}
	if (family != INKO_IPV6) {
		assert_int_equal(inko_socket_bind(made, &v6, 0), -EAFNOSUPPORT);
		assert_int_equal(inko_socket_connect(made, &v6, 1), -EAFNOSUPPORT);
	}
	inko_socket_close(made);
}
families_of(addresses_of_another_family)

	/* 65536 is not 0, nor is 65616 port 80. */
	static void test_ports_that_do_not_fit(void **state)
{
	static const unsigned int ports[] = {65536, 65616, 1u << 31, UINT32_MAX};
	struct inko_ip ip = sockets_loopback(INKO_IPV4);
	struct inko_socket *made = sockets_open(INKO_IPV4, INKO_DATAGRAM), *none = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(ports) / sizeof(*ports); i++) {
		assert_int_equal(inko_socket_bind(made, &ip, ports[i]), -EINVAL);
		assert_int_equal(inko_socket_connect(made, &ip, ports[i]), -EINVAL);
		assert_int_equal(inko_socket_send_to(made, "x", 1, &ip, ports[i]), -EINVAL);
		assert_int_equal(inko_tcp_listen(&ip, ports[i], &none), -EINVAL);
		assert_int_equal(inko_tcp_connect(&ip, ports[i], &none), -EINVAL);
		assert_int_equal(inko_udp_bind(&ip, ports[i], &none), -EINVAL);
	}
	assert_null(none);
	inko_socket_close(made);
}

static void test_last_port_fits(void **state)
{
	/* An address that no other run of this has. */
	struct inko_ip ip = inko_ip_v4(127, 3, (uint8_t)(getpid() >> 8), (uint8_t)getpid());
	struct inko_socket *made = sockets_open(INKO_IPV4, INKO_DATAGRAM);
	struct inko_address address;

	(void)state;
	assert_int_equal(inko_socket_bind(made, &ip, 65535), 0);
	assert_int_equal(inko_socket_local_address(made, &address), 0);
	assert_int_equal(address.port, 65535);
	inko_socket_close(made);
}

static void test_address_that_is_not_here(void **state)
{
	struct inko_ip elsewhere = inko_ip_v4(192, 0, 2, 1), none = {0};
	struct inko_socket *made = sockets_open(INKO_IPV4, INKO_STREAM);

	(void)state;
	assert_int_equal(inko_socket_bind(made, &elsewhere, 0), -EADDRNOTAVAIL);
	assert_int_equal(inko_socket_bind(made, &none, 0), -EAFNOSUPPORT);
	inko_socket_close(made);
}

static void test_ipv6_address_in_text(void **state)
{
	char text[INKO_ADDRESS_TEXT_BYTES], expected[INKO_ADDRESS_TEXT_BYTES];
	struct inko_socket *bound;
	struct place place;

	(void)state;
	if (!sockets_have_ipv6())
		skip();
	bound = sockets_open_bound(INKO_IPV6, INKO_STREAM, &place);
	inko_address_format(&place.ip, text);
	(void)snprintf(expected, sizeof(expected), "[::1]:%u", place.ip.port);
	assert_string_equal(text, expected);
	inko_socket_close(bound);
}

/* Unix */

static void test_bind_to_path(void **state)
{
	char directory[] = "/tmp/inko-test-bind.XXXXXX", path[64];
	struct inko_unix_address address, got;
	struct inko_socket *bound = sockets_open(INKO_UNIX, INKO_STREAM);
	struct stat status;

	(void)state;
	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/s", directory);
	assert_int_equal(inko_unix_address_path(path, &address), 0);
	assert_int_equal(inko_socket_bind_unix(bound, &address), 0);
	assert_int_equal(inko_socket_local_unix_address(bound, &got), 0);
	assert_true(inko_unix_address_equal(&address, &got));
	inko_socket_close(bound);
	assert_int_equal(stat(path, &status), 0);
	assert_true(S_ISSOCK(status.st_mode)); /* closing left it */
	bound = sockets_open(INKO_UNIX, INKO_STREAM);
	assert_int_equal(inko_socket_bind_unix(bound, &address), -EADDRINUSE);
	inko_socket_close(bound);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(directory), 0);
}

static void test_bind_to_no_path(void **state)
{
	static const struct inko_unix_address bad[] = {
		{.kind = INKO_UNIX_PATH, .length = 0},
		{.kind = INKO_UNIX_PATH, .length = 4, .name = "\0abc"},
		{.kind = INKO_UNIX_PATH, .length = 108},
		{.kind = INKO_UNIX_ABSTRACT, .length = 108},
		{.kind = INKO_UNIX_ABSTRACT, .length = SIZE_MAX},
		{.kind = (enum inko_unix_kind)9},
	};
	struct inko_unix_address missing;
	struct inko_socket *made = sockets_open(INKO_UNIX, INKO_STREAM);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(inko_socket_bind_unix(made, &bad[i]), -EINVAL);
		assert_int_equal(inko_socket_connect_unix(made, &bad[i]), -EINVAL);
	}
	assert_int_equal(inko_unix_address_path("/nowhere/to/be/found", &missing), 0);
	assert_int_equal(inko_socket_bind_unix(made, &missing), -ENOENT);
	inko_socket_close(made);
}

/* The longest path that there is, of which the kernel has no NUL left to tell the end by. */
static void test_longest_names(void **state)
{
	struct inko_unix_address address, got;
	struct inko_socket *bound;
	char name[107], path[108];
	int n = snprintf(path, sizeof(path), "/tmp/inko-%d-", getpid());

	(void)state;
	memset(path + n, 'x', sizeof(path) - (size_t)n);
	path[107] = '\0';
	assert_int_equal(inko_unix_address_path(path, &address), 0);
	bound = sockets_open(INKO_UNIX, INKO_DATAGRAM);
	assert_int_equal(inko_socket_bind_unix(bound, &address), 0);
	assert_int_equal(inko_socket_local_unix_address(bound, &got), 0);
	assert_int_equal(got.length, 107);
	assert_true(inko_unix_address_equal(&address, &got));
	inko_socket_close(bound);
	assert_int_equal(unlink(path), 0);

	memset(name, '\0', sizeof(name));
	memcpy(name + 50, &(pid_t){getpid()}, sizeof(pid_t));
	assert_int_equal(inko_unix_address_abstract(name, sizeof(name), &address), 0);
	bound = sockets_open(INKO_UNIX, INKO_DATAGRAM);
	assert_int_equal(inko_socket_bind_unix(bound, &address), 0);
	assert_int_equal(inko_socket_local_unix_address(bound, &got), 0);
	assert_true(inko_unix_address_equal(&address, &got));
	inko_socket_close(bound);
}

/* Listen */

static void listen_makes_a_listener(enum inko_socket_family family)
{
	struct inko_socket *listener;
	struct place place;

	listener = sockets_open_bound(family, INKO_STREAM, &place);
	assert_false(inko_socket_is_listening(listener));
	assert_int_equal(inko_socket_listen(listener, 1), 0);
	assert_true(inko_socket_is_listening(listener));
	assert_int_equal(inko_socket_listen(listener, 65535), 0);
	assert_int_equal(inko_socket_listen(listener, 65536), -EINVAL);
	assert_int_equal(inko_socket_listen(listener, UINT32_MAX), -EINVAL);
	assert_int_equal(inko_socket_listen(listener, 0), 0);
	inko_socket_close(listener);
}
families_of(listen_makes_a_listener)

	static void listen_wants_connections(enum inko_socket_family family)
{
	struct inko_socket *bound;
	struct place place;

	bound = sockets_open_bound(family, INKO_DATAGRAM, &place);
	assert_int_equal(inko_socket_listen(bound, 1), -EOPNOTSUPP);
	assert_false(inko_socket_is_listening(bound));
	inko_socket_close(bound);
}
families_of(listen_wants_connections)

	static void listen_after_connect(enum inko_socket_family family)
{
	struct pair pair;

	sockets_open_pair(family, &pair);
	assert_int_equal(inko_socket_listen(pair.a, 1), -EINVAL);
	sockets_close_pair(&pair);
}
families_of(listen_after_connect)

	static void test_unix_listen_unbound(void **state)
{
	struct inko_socket *made = sockets_open(INKO_UNIX, INKO_STREAM);

	(void)state;
	assert_int_equal(inko_socket_listen(made, 1), -EINVAL);
	inko_socket_close(made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		families_test(bind_gives_an_address),
		families_test(bind_twice),
		families_test(unbound_has_no_address),
		families_test(both_ends_tell_the_same),
		families_test(addresses_of_another_family),
		leaks_test(test_ports_that_do_not_fit),
		leaks_test(test_last_port_fits),
		leaks_test(test_address_that_is_not_here),
		leaks_test(test_ipv6_address_in_text),
		leaks_test(test_bind_to_path),
		leaks_test(test_bind_to_no_path),
		leaks_test(test_longest_names),
		families_test(listen_makes_a_listener),
		families_test(listen_wants_connections),
		families_test(listen_after_connect),
		leaks_test(test_unix_listen_unbound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
