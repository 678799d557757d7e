/*
 * Where a socket is: binding it, having it listen, and asking for its addresses.
 */

#include <errno.h>
#include <sys/socket.h>

#include "libclient/accept.h"
#include "libclient/sockaddr.h"
#include "libclient/socket.h"

#define BACKLOG_MAX 65535

static int bind_to(struct inko_socket *socket, const struct address *address)
{
	if (socket->domain != address->any.sa_family)
		return -EAFNOSUPPORT;
	return bind(socket->fd, &address->any, address->length) < 0 ? -errno : 0;
}

int inko_socket_bind(struct inko_socket *socket, const struct inko_ip *ip, unsigned int port)
{
	struct address address;
	int r = sockaddr_from_ip(ip, port, &address);

	return r < 0 ? r : bind_to(socket, &address);
}

int inko_socket_bind_unix(struct inko_socket *socket, const struct inko_unix_address *unix_address)
{
	struct address address;
	int r = sockaddr_from_unix(unix_address, &address);

	return r < 0 ? r : bind_to(socket, &address);
}

int inko_socket_listen(struct inko_socket *socket, unsigned int backlog)
{
	if (backlog > BACKLOG_MAX)
		return -EINVAL;
	if (listen(socket->fd, (int)backlog) < 0)
		return -errno;
	socket->listens = true;
	return accept_prepare(socket);
}

/* Addresses */

/* getsockname(2) or getpeername(2). */
typedef int (*name_getter)(int fd, struct sockaddr *address, socklen_t *length);

static int bind_get_ip(
	const struct inko_socket *socket, name_getter get_name, struct inko_address *ret_address)
{
	struct address address = {.length = sizeof(address)};

	if (socket->domain == AF_UNIX)
		return -EAFNOSUPPORT;
	if (get_name(socket->fd, &address.any, &address.length) < 0)
		return -errno;
	return sockaddr_to_ip(&address, ret_address);
}

static int bind_get_unix(const struct inko_socket *socket, name_getter get_name,
	struct inko_unix_address *ret_address)
{
	struct address address = {.length = sizeof(address)};

	if (socket->domain != AF_UNIX)
		return -EAFNOSUPPORT;
	if (get_name(socket->fd, &address.any, &address.length) < 0)
		return -errno;
	return sockaddr_to_unix(&address, ret_address);
}

int inko_socket_local_address(const struct inko_socket *socket, struct inko_address *ret_address)
{
	return bind_get_ip(socket, getsockname, ret_address);
}

int inko_socket_peer_address(const struct inko_socket *socket, struct inko_address *ret_address)
{
	return bind_get_ip(socket, getpeername, ret_address);
}

int inko_socket_local_unix_address(
	const struct inko_socket *socket, struct inko_unix_address *ret_address)
{
	return bind_get_unix(socket, getsockname, ret_address);
}

int inko_socket_peer_unix_address(
	const struct inko_socket *socket, struct inko_unix_address *ret_address)
{
	return bind_get_unix(socket, getpeername, ret_address);
}
