/*
 * UDP sockets.
 */

#include "libclient/socket.h"

#include <inko/option.h>
#include <inko/udp.h>

int inko_udp_bind(const struct inko_ip *ip, unsigned int port, struct inko_socket **ret_socket)
{
	bool is_v6 = inko_ip_is_v6(ip);
	struct inko_socket *socket;
	int r = inko_socket_new(is_v6 ? INKO_IPV6 : INKO_IPV4, INKO_DATAGRAM, 0, &socket);

	if (r < 0)
		return r;
	if (is_v6)
		r = inko_socket_set_only_ipv6(socket, true);
	if (r == 0)
		r = inko_socket_bind(socket, ip, port);
	if (r < 0) {
		inko_socket_close(socket);
		return r;
	}
	*ret_socket = socket;
	return 0;
}
