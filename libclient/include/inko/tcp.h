#pragma once

/*
 * TCP servers and clients (std.net.socket).
 */

#include <stddef.h>
#include <stdint.h>

#include <inko/ip.h>
#include <inko/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A TCP server bound to ip and port (TcpListener.new, TcpServer.new); port 0 is any free one.
 * Reuse-address is on, reuse-port is not; an IPv6 one takes IPv6 only. No-delay is on, of what it
 * accepts too. */
int inko_tcp_listen(const struct inko_ip *ip, unsigned int port, struct inko_socket **ret_socket);
/* A connection to ip and port (TcpStream.new, TcpClient.new); no-delay is on. It waits as long as
 * the kernel does: with a deadline, inko_socket_new and inko_socket_connect. */
int inko_tcp_connect(const struct inko_ip *ip, unsigned int port, struct inko_socket **ret_socket);
/* A connection to port at whichever of n_ips addresses answers first (TcpClient.new); no-delay is
 * on. They are tried as RFC 8305 says: IPv4 and IPv6 take turns, that of the first address begins,
 * the next attempt begins 250 ms after the last or at once when one fails, and the others are
 * closed when one stands. At most 16 are tried.
 *
 * deadline_usec, a point of CLOCK_MONOTONIC in microseconds (0: never), is for all of it, then it
 * is -ETIMEDOUT; the socket has none. When all have failed the error is the most telling one: that
 * this process has no room (-ENOMEM, -EMFILE, …), else that somebody answered (-ECONNREFUSED,
 * -ECONNRESET), else that it is not allowed (-EACCES, -EPERM), that nobody answered (-ETIMEDOUT),
 * that no way leads there (-EHOSTUNREACH, -ENETUNREACH), or another. -EINVAL when n_ips is 0 or
 * port is above 65535. */
int inko_tcp_connect_any(const struct inko_ip *ips, size_t n_ips, unsigned int port,
	uint64_t deadline_usec, struct inko_socket **ret_socket);
/* The same with the addresses of host; the errors of inko_resolve too. */
int inko_tcp_connect_host(const char *host, unsigned int port, uint64_t deadline_usec,
	struct inko_socket **ret_socket);

#ifdef __cplusplus
}
#endif
