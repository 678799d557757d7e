#pragma once

/*
 * UDP sockets (std.net.socket).
 */

#include <inko/ip.h>
#include <inko/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A UDP socket bound to ip and port (UdpSocket.new); port 0 is any free one. An IPv6 one takes
 * IPv6 only. */
int inko_udp_bind(const struct inko_ip *ip, unsigned int port, struct inko_socket **ret_socket);

#ifdef __cplusplus
}
#endif
