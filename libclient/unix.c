/*
 * Unix servers, clients, datagram sockets and pairs.
 */

#include <errno.h>
#include <sys/socket.h>

#include "libclient/socket.h"
#include "proto/descriptor.h"

#include <inko/unix.h>

/* What makes a new socket what it is to be. */
typedef int (*beginner)(struct inko_socket *socket, const struct inko_unix_address *address);

static int unix_open(int type, const char *text, beginner begin, struct inko_socket **ret_socket)
{
	struct inko_unix_address address;
	struct inko_socket *socket;
	int r = inko_unix_address_parse(text, &address);

	if (r < 0)
		return r;
	r = socket_open(AF_UNIX, type, 0, &socket);
	if (r < 0)
		return r;
	r = begin(socket, &address);
	if (r < 0) {
		inko_socket_close(socket);
		return r;
	}
	*ret_socket = socket;
	return 0;
}

static int unix_serve(struct inko_socket *socket, const struct inko_unix_address *address)
{
	int r;

	if (address->kind == INKO_UNIX_UNNAMED)
		return -EINVAL;
	r = inko_socket_bind_unix(socket, address);
	return r < 0 ? r : inko_socket_listen(socket, SOMAXCONN);
}

int inko_unix_listen(const char *address, struct inko_socket **ret_socket)
{
	return unix_open(SOCK_STREAM, address, unix_serve, ret_socket);
}

int inko_unix_connect(const char *address, struct inko_socket **ret_socket)
{
	return unix_open(SOCK_STREAM, address, inko_socket_connect_unix, ret_socket);
}

static int unix_bind_if_named(struct inko_socket *socket, const struct inko_unix_address *address)
{
	/* To bind to it would be to ask for a name. */
	return address->kind == INKO_UNIX_UNNAMED ? 0 : inko_socket_bind_unix(socket, address);
}

int inko_unix_datagram(const char *address, struct inko_socket **ret_socket)
{
	return unix_open(SOCK_DGRAM, address ? address : "", unix_bind_if_named, ret_socket);
}

int inko_unix_pair(
	enum inko_socket_type type, struct inko_socket **ret_a, struct inko_socket **ret_b)
{
	static const int types[] = {[INKO_STREAM] = SOCK_STREAM,
		[INKO_DATAGRAM] = SOCK_DGRAM,
		[INKO_SEQPACKET] = SOCK_SEQPACKET};
	_cleanup_close_ int fd_a = -1, fd_b = -1;
	struct inko_socket *a;
	int fds[2];
	int r;

	if (type <= 0 || type >= sizeof(types) / sizeof(*types))
		return -EINVAL;
	if (socketpair(AF_UNIX, types[type] | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	fd_a = fds[0];
	fd_b = fds[1];
	r = socket_new(&fd_a, AF_UNIX, types[type], &a);
	if (r < 0)
		return r;
	r = socket_new(&fd_b, AF_UNIX, types[type], ret_b);
	if (r < 0) {
		inko_socket_close(a);
		return r;
	}
	*ret_a = a;
	return 0;
}
