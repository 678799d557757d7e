/*
 * TCP servers and clients, with what nearly everybody sets on them.
 */

#include <sys/socket.h>

#include "libclient/socket.h"
#include "libclient/tcp.h"

#include <inko/option.h>
#include <inko/tcp.h>

int tcp_open(const struct inko_ip *ip, struct inko_socket **ret_socket)
{
	return inko_socket_new(
		inko_ip_is_v6(ip) ? INKO_IPV6 : INKO_IPV4, INKO_STREAM, 0, ret_socket);
}

static int tcp_serve(struct inko_socket *socket, const struct inko_ip *ip, unsigned int port)
{
	int r = inko_socket_set_reuse_address(socket, true);

	if (r == 0 && inko_ip_is_v6(ip))
		r = inko_socket_set_only_ipv6(socket, true);
	/* What it accepts has it from here. */
	if (r == 0)
		r = inko_socket_set_no_delay(socket, true);
	if (r == 0)
		r = inko_socket_bind(socket, ip, port);
	return r < 0 ? r : inko_socket_listen(socket, SOMAXCONN);
}

int inko_tcp_listen(const struct inko_ip *ip, unsigned int port, struct inko_socket **ret_socket)
{
	struct inko_socket *socket;
	int r = tcp_open(ip, &socket);

	if (r < 0)
		return r;
	r = tcp_serve(socket, ip, port);
	if (r < 0) {
		inko_socket_close(socket);
		return r;
	}
	*ret_socket = socket;
	return 0;
}

int inko_tcp_connect(const struct inko_ip *ip, unsigned int port, struct inko_socket **ret_socket)
{
	struct inko_socket *socket;
	int r = tcp_open(ip, &socket);

	if (r < 0)
		return r;
	r = inko_socket_connect(socket, ip, port);
	if (r == 0)
		r = inko_socket_set_no_delay(socket, true);
	if (r < 0) {
		inko_socket_close(socket);
		return r;
	}
	*ret_socket = socket;
	return 0;
}
