#pragma once

/*
 * What can be set on a socket, and what the kernel tells of it (socket(7), ip(7), ipv6(7), tcp(7),
 * unix(7)).
 *
 * Each call returns 0 or a negative errno: -EOPNOTSUPP when there is no such option for this kind
 * of socket (the kernel takes most SO_ options for any, whether they do anything there or not),
 * -EINVAL when the value is out of the kernel's range. What is set is of the socket and
 * not of the descriptor: clones, and whoever else holds it, have it too. Times are in
 * microseconds and rounded up to the kernel's unit; get returns what the kernel made of them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <inko/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Through how many routers what is sent may pass (ttl=), 1 to 255: IP_TTL, and of an IPv6 socket
 * the hop limit, IPV6_UNICAST_HOPS. */
int inko_socket_set_ttl(struct inko_socket *socket, unsigned int hops);
int inko_socket_get_ttl(const struct inko_socket *socket, unsigned int *ret_hops);
/* An IPv6 socket takes no IPv4 (only_ipv6=): IPV6_V6ONLY. Only before it is bound. */
int inko_socket_set_only_ipv6(struct inko_socket *socket, bool on);
int inko_socket_get_only_ipv6(const struct inko_socket *socket, bool *ret_on);
/* Small writes are sent at once (no_delay=): TCP_NODELAY. */
int inko_socket_set_no_delay(struct inko_socket *socket, bool on);
int inko_socket_get_no_delay(const struct inko_socket *socket, bool *ret_on);
/* Datagrams may go to a broadcast address (broadcast=): SO_BROADCAST. */
int inko_socket_set_broadcast(struct inko_socket *socket, bool on);
int inko_socket_get_broadcast(const struct inko_socket *socket, bool *ret_on);
/* Closing the last descriptor waits up to linger_usec for what was written to be delivered
 * (linger=), and with 0 resets the connection: SO_LINGER, in seconds. The wait is the kernel's and
 * stops the thread, and all tasks in it. */
int inko_socket_set_linger(struct inko_socket *socket, bool on, uint64_t linger_usec);
int inko_socket_get_linger(
	const struct inko_socket *socket, bool *ret_on, uint64_t *ret_linger_usec);
/* How much may wait to be read (receive_buffer_size=): SO_RCVBUF. The kernel doubles it for its own
 * needs, and says the double; it cuts at net.core.rmem_max. */
int inko_socket_set_receive_buffer_size(struct inko_socket *socket, size_t size_bytes);
int inko_socket_get_receive_buffer_size(const struct inko_socket *socket, size_t *ret_size_bytes);
/* The same of what waits to be sent (send_buffer_size=): SO_SNDBUF, net.core.wmem_max. */
int inko_socket_set_send_buffer_size(struct inko_socket *socket, size_t size_bytes);
int inko_socket_get_send_buffer_size(const struct inko_socket *socket, size_t *ret_size_bytes);
/* Asks an idle peer now and then whether it still is there (keepalive=): SO_KEEPALIVE. */
int inko_socket_set_keepalive(struct inko_socket *socket, bool on);
int inko_socket_get_keepalive(const struct inko_socket *socket, bool *ret_on);
/* For how long it is idle before the first such question (tcp_keepalive_time=): TCP_KEEPIDLE, 1 to
 * 32767 seconds. */
int inko_socket_set_keepalive_time(struct inko_socket *socket, uint64_t time_usec);
int inko_socket_get_keepalive_time(const struct inko_socket *socket, uint64_t *ret_time_usec);
/* And from one to the next: TCP_KEEPINTVL, 1 to 32767 seconds. */
int inko_socket_set_keepalive_interval(struct inko_socket *socket, uint64_t interval_usec);
int inko_socket_get_keepalive_interval(
	const struct inko_socket *socket, uint64_t *ret_interval_usec);
/* An address can be bound although connections of an earlier listener are still known
 * (reuse_address=): SO_REUSEADDR. */
int inko_socket_set_reuse_address(struct inko_socket *socket, bool on);
int inko_socket_get_reuse_address(const struct inko_socket *socket, bool *ret_on);
/* Several sockets can be bound to one address and share what comes (reuse_port=): SO_REUSEPORT. Off
 * unless asked for: closing one of several such listeners resets the connections it had queued. */
int inko_socket_set_reuse_port(struct inko_socket *socket, bool on);
int inko_socket_get_reuse_port(const struct inko_socket *socket, bool *ret_on);
/* For how long what was sent may stay unacknowledged before the connection ends with -ETIMEDOUT:
 * TCP_USER_TIMEOUT, in milliseconds; 0 is what the kernel does by itself. */
int inko_socket_set_user_timeout(struct inko_socket *socket, uint64_t timeout_usec);
int inko_socket_get_user_timeout(const struct inko_socket *socket, uint64_t *ret_timeout_usec);
/* Connections are accepted only when they have sent something, or after so long:
 * TCP_DEFER_ACCEPT. In seconds, that the kernel rounds up to 1, 3, 7, 15 … (its times to send
 * again); 0 is off. */
int inko_socket_set_defer_accept(struct inko_socket *socket, uint64_t time_usec);
int inko_socket_get_defer_accept(const struct inko_socket *socket, uint64_t *ret_time_usec);
/* An address that this host does not have can be bound: IP_FREEBIND, IPV6_FREEBIND. */
int inko_socket_set_free_bind(struct inko_socket *socket, bool on);
int inko_socket_get_free_bind(const struct inko_socket *socket, bool *ret_on);
/* The mark of what is sent, for routing and filters: SO_MARK. -EPERM without CAP_NET_ADMIN or
 * CAP_NET_RAW. */
int inko_socket_set_mark(struct inko_socket *socket, uint32_t mark);
int inko_socket_get_mark(const struct inko_socket *socket, uint32_t *ret_mark);

/* How a TCP connection does (TCP_INFO). What the kernel is too old to tell is 0. */
struct inko_tcp_info {
	bool is_established;
	uint64_t round_trip_usec; /* smoothed */
	uint64_t round_trip_variation_usec;
	uint64_t min_round_trip_usec;
	uint32_t send_segment_bytes;
	uint32_t receive_segment_bytes;
	uint32_t congestion_window_segments;
	uint32_t unacknowledged_segments;
	uint32_t lost_segments;
	uint32_t retransmitted_segments; /* in all */
	uint64_t acknowledged_bytes;	 /* by the peer */
	uint64_t received_bytes;
	uint64_t unsent_bytes;
	uint64_t delivery_bytes_per_second;
};

int inko_socket_get_tcp_info(const struct inko_socket *socket, struct inko_tcp_info *ret_info);

/* Who made the other end of a Unix connection, or had it listen (SO_PEERCRED). */
struct inko_credentials {
	pid_t pid;
	uid_t uid;
	gid_t gid;
};

/* -ENOTCONN when there is no other end, as of a datagram socket that is no pair's. */
int inko_socket_get_peer_credentials(
	const struct inko_socket *socket, struct inko_credentials *ret_credentials);

#ifdef __cplusplus
}
#endif
