/*
 * Datagrams to and from whom it may concern.
 */

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "libclient/backoff.h"
#include "libclient/sockaddr.h"
#include "libclient/socket.h"
#include "libclient/wait.h"

/* Sending */

static ssize_t datagram_try_send(
	const struct inko_socket *socket, const void *bytes, size_t size, const struct address *to)
{
	ssize_t n =
		sendto(socket->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL, &to->any, to->length);

	return n < 0 ? -errno : n;
}

ssize_t inko_socket_send_to(struct inko_socket *socket, const void *bytes, size_t size,
	const struct inko_ip *ip, unsigned int port)
{
	_cleanup_socket_wait_done_ struct socket_wait wait = SOCKET_WAIT_NONE;
	struct address to;
	int r = sockaddr_from_ip(ip, port, &to);

	if (r == 0 && socket->domain != to.any.sa_family)
		r = -EAFNOSUPPORT;
	if (r == 0)
		r = wait_for_turn(socket);
	while (r == 0) {
		ssize_t n = datagram_try_send(socket, bytes, size, &to);

		if (n >= 0)
			return n;
		r = socket_wait_after(socket, (int)-n, POLLOUT, &wait);
	}
	return r;
}

ssize_t inko_socket_send_to_unix(struct inko_socket *socket, const void *bytes, size_t size,
	const struct inko_unix_address *address)
{
	struct backoff backoff = {0};
	struct address to;
	int r = sockaddr_from_unix(address, &to);

	if (r == 0 && socket->domain != AF_UNIX)
		r = -EAFNOSUPPORT;
	if (r == 0 && address->kind == INKO_UNIX_UNNAMED)
		r = -EINVAL;
	if (r == 0)
		r = wait_for_turn(socket);
	while (r == 0) {
		ssize_t n = datagram_try_send(socket, bytes, size, &to);

		if (n != -EAGAIN && n != -EINTR)
			return n;
		/* It is the receiver's queue that is full: poll on this socket does not know who
		 * that is, and says that there is room. */
		r = backoff_wait(&backoff, socket);
	}
	return r;
}

/* Receiving */

static ssize_t datagram_receive(struct inko_socket *socket, void *buffer, size_t size,
	struct address *ret_from, bool *ret_truncated)
{
	struct iovec into = {.iov_base = buffer, .iov_len = size};
	_cleanup_socket_wait_done_ struct socket_wait wait = SOCKET_WAIT_NONE;
	int r;

	if (size == 0)
		return -EINVAL;
	if (socket->type == SOCK_STREAM)
		return -EOPNOTSUPP;
	r = wait_for_turn(socket);
	if (r < 0)
		return r;
	for (;;) {
		struct msghdr message = {.msg_name = &ret_from->any,
			.msg_namelen = sizeof(ret_from->un),
			.msg_iov = &into,
			.msg_iovlen = 1};
		ssize_t n = recvmsg(socket->fd, &message, MSG_DONTWAIT);

		if (n >= 0) {
			ret_from->length = message.msg_namelen;
			if (ret_truncated)
				*ret_truncated = message.msg_flags & MSG_TRUNC;
			return n;
		}
		r = socket_wait_to_receive(socket, errno, &wait);
		if (r == 0 && ret_truncated)
			*ret_truncated = false;
		if (r <= 0)
			return r;
	}
}

ssize_t inko_socket_receive_from(struct inko_socket *socket, void *buffer, size_t size,
	struct inko_address *ret_from, bool *ret_truncated)
{
	struct address from = {0};
	ssize_t n;

	if (socket->domain == AF_UNIX)
		return -EAFNOSUPPORT;
	n = datagram_receive(socket, buffer, size, &from, ret_truncated);
	if (n >= 0 && ret_from && sockaddr_to_ip(&from, ret_from) < 0)
		*ret_from = (struct inko_address){0};
	return n;
}

ssize_t inko_socket_receive_from_unix(struct inko_socket *socket, void *buffer, size_t size,
	struct inko_unix_address *ret_from, bool *ret_truncated)
{
	struct address from = {0};
	ssize_t n;

	if (socket->domain != AF_UNIX)
		return -EAFNOSUPPORT;
	n = datagram_receive(socket, buffer, size, &from, ret_truncated);
	if (n >= 0 && ret_from)
		(void)sockaddr_to_unix(&from, ret_from);
	return n;
}
