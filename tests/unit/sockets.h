#pragma once

/*
 * Sockets of each family over the real kernel: on loopback, and under abstract names.
 */

#include "tests/unit/leaks.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <inko/option.h>
#include <inko/socket.h>
#include <inko/tcp.h>
#include <inko/udp.h>
#include <inko/unix.h>

/* Long enough for what must not happen to happen, if it does. */
#define SOON_USEC 20000

/* Where a socket is, whatever its family. */
struct place {
	enum inko_socket_family family;
	struct inko_address ip;
	struct inko_unix_address name;
};

struct pair {
	struct inko_socket *a, *b;
};

static inline bool sockets_have_ipv6(void)
{
	const struct inko_ip ip = {.version = 6, .bytes = {[15] = 1}};
	struct inko_socket *socket;

	if (inko_udp_bind(&ip, 0, &socket) < 0)
		return false;
	inko_socket_close(socket);
	return true;
}

/* One case a family: `static void f(enum inko_socket_family family)` is families_of(f) and then
 * families_test(f) in the list of tests; with ip_ before each, for IP alone. */
#define ip_families_of(function)                                                                   \
	static void function##_over_ipv4(void **state)                                             \
	{                                                                                          \
		(void)state;                                                                       \
		function(INKO_IPV4);                                                               \
	}                                                                                          \
	static void function##_over_ipv6(void **state)                                             \
	{                                                                                          \
		(void)state;                                                                       \
		if (!sockets_have_ipv6())                                                          \
			skip();                                                                    \
		function(INKO_IPV6);                                                               \
	}
#define families_of(function)                                                                      \
	ip_families_of(function) static void function##_over_unix(void **state)                    \
	{                                                                                          \
		(void)state;                                                                       \
		function(INKO_UNIX);                                                               \
	}
#define ip_families_test(function)                                                                 \
	leaks_test(function##_over_ipv4), leaks_test(function##_over_ipv6)
#define families_test(function) ip_families_test(function), leaks_test(function##_over_unix)

static inline struct inko_ip sockets_loopback(enum inko_socket_family family)
{
	return family == INKO_IPV6 ? (struct inko_ip){.version = 6, .bytes = {[15] = 1}}
				   : inko_ip_v4(127, 0, 0, 1);
}

static inline struct inko_socket *sockets_open(
	enum inko_socket_family family, enum inko_socket_type type)
{
	struct inko_socket *socket;

	assert_int_equal(inko_socket_new(family, type, 0, &socket), 0);
	return socket;
}

static inline int sockets_bind(struct inko_socket *socket, const struct place *place)
{
	return place->family == INKO_UNIX ? inko_socket_bind_unix(socket, &place->name)
					  : inko_socket_bind(socket, &place->ip.ip, place->ip.port);
}

static inline int sockets_connect(struct inko_socket *socket, const struct place *place)
{
	return place->family == INKO_UNIX
		       ? inko_socket_connect_unix(socket, &place->name)
		       : inko_socket_connect(socket, &place->ip.ip, place->ip.port);
}

static inline ssize_t sockets_send_to(
	struct inko_socket *socket, const void *bytes, size_t size, const struct place *place)
{
	return place->family == INKO_UNIX
		       ? inko_socket_send_to_unix(socket, bytes, size, &place->name)
		       : inko_socket_send_to(socket, bytes, size, &place->ip.ip, place->ip.port);
}

static inline ssize_t sockets_receive_from(struct inko_socket *socket, void *buffer, size_t size,
	struct place *ret_place, bool *ret_truncated)
{
	*ret_place = (struct place){.family = inko_socket_get_family(socket)};
	return ret_place->family == INKO_UNIX ? inko_socket_receive_from_unix(socket, buffer, size,
							&ret_place->name, ret_truncated)
					      : inko_socket_receive_from(socket, buffer, size,
							&ret_place->ip, ret_truncated);
}

static inline bool sockets_same_place(const struct place *a, const struct place *b)
{
	if (a->family != b->family)
		return false;
	return a->family == INKO_UNIX ? inko_unix_address_equal(&a->name, &b->name)
				      : inko_address_equal(&a->ip, &b->ip);
}

static inline int sockets_get_local(const struct inko_socket *socket, struct place *ret_place)
{
	*ret_place = (struct place){.family = inko_socket_get_family(socket)};
	return ret_place->family == INKO_UNIX
		       ? inko_socket_local_unix_address(socket, &ret_place->name)
		       : inko_socket_local_address(socket, &ret_place->ip);
}

static inline int sockets_get_peer(const struct inko_socket *socket, struct place *ret_place)
{
	*ret_place = (struct place){.family = inko_socket_get_family(socket)};
	return ret_place->family == INKO_UNIX
		       ? inko_socket_peer_unix_address(socket, &ret_place->name)
		       : inko_socket_peer_address(socket, &ret_place->ip);
}

/* One bound to a free place. */
static inline struct inko_socket *sockets_open_bound(
	enum inko_socket_family family, enum inko_socket_type type, struct place *ret_place)
{
	struct inko_socket *socket = sockets_open(family, type);
	const struct place free_place = {.family = family, .ip = {.ip = sockets_loopback(family)}};

	assert_int_equal(sockets_bind(socket, &free_place), 0);
	assert_int_equal(sockets_get_local(socket, ret_place), 0);
	return socket;
}

static inline struct inko_socket *sockets_open_listener(
	enum inko_socket_family family, struct place *ret_place)
{
	struct inko_socket *listener = sockets_open_bound(family, INKO_STREAM, ret_place);

	assert_int_equal(inko_socket_listen(listener, 16), 0);
	return listener;
}

/* A place where nobody is. */
static inline struct place sockets_nowhere(enum inko_socket_family family)
{
	struct place place;

	inko_socket_close(sockets_open_bound(family, INKO_STREAM, &place));
	return place;
}

static inline void sockets_open_pair(enum inko_socket_family family, struct pair *ret_pair)
{
	struct place place;
	struct inko_socket *listener = sockets_open_listener(family, &place);

	ret_pair->a = sockets_open(family, INKO_STREAM);
	assert_int_equal(sockets_connect(ret_pair->a, &place), 0);
	assert_int_equal(inko_socket_accept(listener, &ret_pair->b), 0);
	inko_socket_close(listener);
}

/* Datagram sockets, each bound and connected to the other. */
static inline void sockets_open_datagram_pair(enum inko_socket_family family, struct pair *ret_pair)
{
	struct place a, b;

	ret_pair->a = sockets_open_bound(family, INKO_DATAGRAM, &a);
	ret_pair->b = sockets_open_bound(family, INKO_DATAGRAM, &b);
	assert_int_equal(sockets_connect(ret_pair->a, &b), 0);
	assert_int_equal(sockets_connect(ret_pair->b, &a), 0);
}

static inline void sockets_close_pair(struct pair *pair)
{
	pair->a = inko_socket_close(pair->a);
	pair->b = inko_socket_close(pair->b);
}

static inline int sockets_flags(struct inko_socket *socket)
{
	return fcntl(inko_socket_get_fd(socket), F_GETFL);
}

/* The child of a case has ended well. */
static inline void sockets_reap(void)
{
	int status;

	assert_true(wait(&status) > 0);
	assert_int_equal(status, 0);
}

/* Microseconds of CPU time that this process has used. */
static inline uint64_t sockets_cpu_usec(void)
{
	struct timespec used;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}
