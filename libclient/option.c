/*
 * Options: one row each, with how the kernel has them.
 */

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "libclient/socket.h"

#include <inko/option.h>

#define USEC_PER_MSEC 1000u
#define USEC_PER_SEC 1000000u

#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78
#endif

enum option {
	OPTION_BROADCAST,
	OPTION_DEFER_ACCEPT,
	OPTION_FREE_BIND,
	OPTION_KEEPALIVE,
	OPTION_KEEPALIVE_INTERVAL,
	OPTION_KEEPALIVE_TIME,
	OPTION_MARK,
	OPTION_NO_DELAY,
	OPTION_ONLY_IPV6,
	OPTION_RECEIVE_BUFFER_SIZE,
	OPTION_REUSE_ADDRESS,
	OPTION_REUSE_PORT,
	OPTION_SEND_BUFFER_SIZE,
	OPTION_TTL,
	OPTION_USER_TIMEOUT,
};

struct option_name {
	int level, name;
};

static const struct {
	struct option_name any;
	struct option_name v6;	/* of IPv6 sockets, if it is another one there */
	unsigned int unit_usec; /* of times */
} options[] = {
	[OPTION_BROADCAST] = {{SOL_SOCKET, SO_BROADCAST}},
	[OPTION_DEFER_ACCEPT] = {{IPPROTO_TCP, TCP_DEFER_ACCEPT}, .unit_usec = USEC_PER_SEC},
	[OPTION_FREE_BIND] = {{IPPROTO_IP, IP_FREEBIND}, {IPPROTO_IPV6, IPV6_FREEBIND}},
	[OPTION_KEEPALIVE] = {{SOL_SOCKET, SO_KEEPALIVE}},
	[OPTION_KEEPALIVE_INTERVAL] = {{IPPROTO_TCP, TCP_KEEPINTVL}, .unit_usec = USEC_PER_SEC},
	[OPTION_KEEPALIVE_TIME] = {{IPPROTO_TCP, TCP_KEEPIDLE}, .unit_usec = USEC_PER_SEC},
	[OPTION_MARK] = {{SOL_SOCKET, SO_MARK}},
	[OPTION_NO_DELAY] = {{IPPROTO_TCP, TCP_NODELAY}},
	[OPTION_ONLY_IPV6] = {{IPPROTO_IPV6, IPV6_V6ONLY}},
	[OPTION_RECEIVE_BUFFER_SIZE] = {{SOL_SOCKET, SO_RCVBUF}},
	[OPTION_REUSE_ADDRESS] = {{SOL_SOCKET, SO_REUSEADDR}},
	[OPTION_REUSE_PORT] = {{SOL_SOCKET, SO_REUSEPORT}},
	[OPTION_SEND_BUFFER_SIZE] = {{SOL_SOCKET, SO_SNDBUF}},
	[OPTION_TTL] = {{IPPROTO_IP, IP_TTL}, {IPPROTO_IPV6, IPV6_UNICAST_HOPS}},
	[OPTION_USER_TIMEOUT] = {{IPPROTO_TCP, TCP_USER_TIMEOUT}, .unit_usec = USEC_PER_MSEC},
};

/* Values as the kernel has them */

static struct option_name option_name(const struct inko_socket *socket, enum option option)
{
	return socket->domain == AF_INET6 && options[option].v6.level ? options[option].v6
								      : options[option].any;
}

/* ENOPROTOOPT and EOPNOTSUPP both mean that there is none here; which it is depends on who in the
 * kernel says it. */
static int option_error(void)
{
	return errno == ENOPROTOOPT ? -EOPNOTSUPP : -errno;
}

static int option_set(struct inko_socket *socket, enum option option, int value)
{
	struct option_name name = option_name(socket, option);

	return setsockopt(socket->fd, name.level, name.name, &value, sizeof(value)) < 0
		       ? option_error()
		       : 0;
}

static int option_get(const struct inko_socket *socket, enum option option, int *ret_value)
{
	struct option_name name = option_name(socket, option);
	socklen_t size = sizeof(*ret_value);

	return getsockopt(socket->fd, name.level, name.name, ret_value, &size) < 0 ? option_error()
										   : 0;
}

/* And as the program has them */

static int option_get_bool(const struct inko_socket *socket, enum option option, bool *ret_on)
{
	int value;
	int r = option_get(socket, option, &value);

	if (r == 0)
		*ret_on = value;
	return r;
}

static int option_set_size(struct inko_socket *socket, enum option option, size_t size_bytes)
{
	return size_bytes > INT_MAX ? -EINVAL : option_set(socket, option, (int)size_bytes);
}

static int option_get_size(
	const struct inko_socket *socket, enum option option, size_t *ret_size_bytes)
{
	int value;
	int r = option_get(socket, option, &value);

	if (r == 0)
		*ret_size_bytes = (size_t)value;
	return r;
}

/* -EINVAL when it is more than the kernel can count. */
static int count_units(uint64_t usec, unsigned int unit_usec, int *ret_units)
{
	uint64_t units = usec / unit_usec + (usec % unit_usec ? 1 : 0);

	if (units > INT_MAX)
		return -EINVAL;
	*ret_units = (int)units;
	return 0;
}

static int option_set_time(struct inko_socket *socket, enum option option, uint64_t usec)
{
	int units;
	int r = count_units(usec, options[option].unit_usec, &units);

	return r < 0 ? r : option_set(socket, option, units);
}

static int option_get_time(const struct inko_socket *socket, enum option option, uint64_t *ret_usec)
{
	int value;
	int r = option_get(socket, option, &value);

	if (r == 0)
		*ret_usec = (uint64_t)value * options[option].unit_usec;
	return r;
}

/* Switches */

int inko_socket_set_only_ipv6(struct inko_socket *socket, bool on)
{
	return option_set(socket, OPTION_ONLY_IPV6, on);
}

int inko_socket_get_only_ipv6(const struct inko_socket *socket, bool *ret_on)
{
	return option_get_bool(socket, OPTION_ONLY_IPV6, ret_on);
}

int inko_socket_set_no_delay(struct inko_socket *socket, bool on)
{
	return option_set(socket, OPTION_NO_DELAY, on);
}

int inko_socket_get_no_delay(const struct inko_socket *socket, bool *ret_on)
{
	return option_get_bool(socket, OPTION_NO_DELAY, ret_on);
}

int inko_socket_set_broadcast(struct inko_socket *socket, bool on)
{
	return option_set(socket, OPTION_BROADCAST, on);
}

int inko_socket_get_broadcast(const struct inko_socket *socket, bool *ret_on)
{
	return option_get_bool(socket, OPTION_BROADCAST, ret_on);
}

int inko_socket_set_keepalive(struct inko_socket *socket, bool on)
{
	return option_set(socket, OPTION_KEEPALIVE, on);
}

int inko_socket_get_keepalive(const struct inko_socket *socket, bool *ret_on)
{
	return option_get_bool(socket, OPTION_KEEPALIVE, ret_on);
}

int inko_socket_set_reuse_address(struct inko_socket *socket, bool on)
{
	return option_set(socket, OPTION_REUSE_ADDRESS, on);
}

int inko_socket_get_reuse_address(const struct inko_socket *socket, bool *ret_on)
{
	return option_get_bool(socket, OPTION_REUSE_ADDRESS, ret_on);
}

int inko_socket_set_reuse_port(struct inko_socket *socket, bool on)
{
	return option_set(socket, OPTION_REUSE_PORT, on);
}

int inko_socket_get_reuse_port(const struct inko_socket *socket, bool *ret_on)
{
	return option_get_bool(socket, OPTION_REUSE_PORT, ret_on);
}

int inko_socket_set_free_bind(struct inko_socket *socket, bool on)
{
	return option_set(socket, OPTION_FREE_BIND, on);
}

int inko_socket_get_free_bind(const struct inko_socket *socket, bool *ret_on)
{
	return option_get_bool(socket, OPTION_FREE_BIND, ret_on);
}

/* Numbers */

int inko_socket_set_ttl(struct inko_socket *socket, unsigned int hops)
{
	/* The kernel takes -1 for its default, and for IPv6 0 as well. */
	return hops < 1 || hops > UINT8_MAX ? -EINVAL : option_set(socket, OPTION_TTL, (int)hops);
}

int inko_socket_get_ttl(const struct inko_socket *socket, unsigned int *ret_hops)
{
	int value;
	int r = option_get(socket, OPTION_TTL, &value);

	if (r == 0)
		*ret_hops = (unsigned int)value;
	return r;
}

int inko_socket_set_receive_buffer_size(struct inko_socket *socket, size_t size_bytes)
{
	return option_set_size(socket, OPTION_RECEIVE_BUFFER_SIZE, size_bytes);
}

int inko_socket_get_receive_buffer_size(const struct inko_socket *socket, size_t *ret_size_bytes)
{
	return option_get_size(socket, OPTION_RECEIVE_BUFFER_SIZE, ret_size_bytes);
}

int inko_socket_set_send_buffer_size(struct inko_socket *socket, size_t size_bytes)
{
	return option_set_size(socket, OPTION_SEND_BUFFER_SIZE, size_bytes);
}

int inko_socket_get_send_buffer_size(const struct inko_socket *socket, size_t *ret_size_bytes)
{
	return option_get_size(socket, OPTION_SEND_BUFFER_SIZE, ret_size_bytes);
}

int inko_socket_set_mark(struct inko_socket *socket, uint32_t mark)
{
	return option_set(socket, OPTION_MARK, (int)mark);
}

int inko_socket_get_mark(const struct inko_socket *socket, uint32_t *ret_mark)
{
	int value;
	int r = option_get(socket, OPTION_MARK, &value);

	if (r == 0)
		*ret_mark = (uint32_t)value;
	return r;
}

/* Times */

int inko_socket_set_keepalive_time(struct inko_socket *socket, uint64_t time_usec)
{
	return option_set_time(socket, OPTION_KEEPALIVE_TIME, time_usec);
}

int inko_socket_get_keepalive_time(const struct inko_socket *socket, uint64_t *ret_time_usec)
{
	return option_get_time(socket, OPTION_KEEPALIVE_TIME, ret_time_usec);
}

int inko_socket_set_keepalive_interval(struct inko_socket *socket, uint64_t interval_usec)
{
	return option_set_time(socket, OPTION_KEEPALIVE_INTERVAL, interval_usec);
}

int inko_socket_get_keepalive_interval(
	const struct inko_socket *socket, uint64_t *ret_interval_usec)
{
	return option_get_time(socket, OPTION_KEEPALIVE_INTERVAL, ret_interval_usec);
}

int inko_socket_set_user_timeout(struct inko_socket *socket, uint64_t timeout_usec)
{
	return option_set_time(socket, OPTION_USER_TIMEOUT, timeout_usec);
}

int inko_socket_get_user_timeout(const struct inko_socket *socket, uint64_t *ret_timeout_usec)
{
	return option_get_time(socket, OPTION_USER_TIMEOUT, ret_timeout_usec);
}

int inko_socket_set_defer_accept(struct inko_socket *socket, uint64_t time_usec)
{
	return option_set_time(socket, OPTION_DEFER_ACCEPT, time_usec);
}

int inko_socket_get_defer_accept(const struct inko_socket *socket, uint64_t *ret_time_usec)
{
	return option_get_time(socket, OPTION_DEFER_ACCEPT, ret_time_usec);
}

/* Those of two parts */

int inko_socket_set_linger(struct inko_socket *socket, bool on, uint64_t linger_usec)
{
	struct linger linger = {.l_onoff = on};
	int r = count_units(linger_usec, USEC_PER_SEC, &linger.l_linger);

	if (r < 0)
		return r;
	return setsockopt(socket->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) < 0
		       ? option_error()
		       : 0;
}

int inko_socket_get_linger(
	const struct inko_socket *socket, bool *ret_on, uint64_t *ret_linger_usec)
{
	struct linger linger;
	socklen_t size = sizeof(linger);

	if (getsockopt(socket->fd, SOL_SOCKET, SO_LINGER, &linger, &size) < 0)
		return option_error();
	*ret_on = linger.l_onoff;
	*ret_linger_usec = (uint64_t)linger.l_linger * USEC_PER_SEC;
	return 0;
}

int inko_socket_get_peer_credentials(
	const struct inko_socket *socket, struct inko_credentials *ret_credentials)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	/* An IP socket says that it is nobody. */
	if (socket->domain != AF_UNIX)
		return -EOPNOTSUPP;
	if (getsockopt(socket->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return option_error();
	if (peer.uid == (uid_t)-1)
		return -ENOTCONN;
	*ret_credentials =
		(struct inko_credentials){.pid = peer.pid, .uid = peer.uid, .gid = peer.gid};
	return 0;
}
