#pragma once

/*
 * TCP servers and clients (std.net.socket).
 */

#include <inko/ip.h>
#include <inko/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A TCP server bound to ip and port (TcpListener.new, TcpServer.new); port 0 is any free one.
 * Reuse-address is on, reuse-port is not; an IPv6 one takes IPv6 only. */
int inko_tcp_listen(const struct inko_ip *ip, unsigned int port, struct inko_socket **ret_socket);
/* A connection to ip and port (TcpStream.new, TcpClient.new); no-delay is on. It waits as long as
 * the kernel does: with a deadline, inko_socket_new and inko_socket_connect. */
int inko_tcp_connect(const struct inko_ip *ip, unsigned int port, struct inko_socket **ret_socket);

#ifdef __cplusplus
}
#endif
