/*
 * Connecting. connect(2) has no flag that says not to wait, and what it returns when it is called
 * again tells nothing certain: 0 is the answer to the first call after the connection stands,
 * whatever address that names. So it is called once, and SO_ERROR says what became of it.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "libclient/backoff.h"
#include "libclient/connect.h"
#include "libclient/sockaddr.h"
#include "libclient/socket.h"
#include "libclient/wait.h"

/* connect(2) without waiting, and O_NONBLOCK as it was: whoever is given the descriptor later
 * expects it as it was made. */
static int connect_now(int fd, const struct address *address)
{
	int flags = fcntl(fd, F_GETFL);
	int r = 0;

	if (flags < 0)
		return -errno;
	if (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	if (connect(fd, &address->any, address->length) < 0)
		r = -errno;
	if (!(flags & O_NONBLOCK))
		(void)fcntl(fd, F_SETFL, flags);
	return r;
}

/* A Unix server whose backlog is full says EAGAIN, and poll says that the socket is ready all the
 * time: nothing tells when there is room. */
static int connect_once_there_is_room(struct inko_socket *socket, const struct address *address)
{
	struct backoff backoff = {0};
	int r;

	while ((r = connect_now(socket->fd, address)) == -EAGAIN && socket->domain == AF_UNIX) {
		r = backoff_wait(&backoff, socket);
		if (r < 0)
			return r;
	}
	return r;
}

/* Gives up an attempt that is under way or has failed, so that the next one is a new one: else
 * connect(2) would answer that with what became of this. */
static void connect_abandon(int fd)
{
	const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};

	(void)connect(fd, &nowhere, sizeof(nowhere));
}

int connect_result(const struct inko_socket *socket)
{
	int error;
	int r = socket_ask(socket->fd, SO_ERROR, &error);

	return r < 0 ? r : -error;
}

/* An attempt that is over has room, or hung up. */
static bool is_over(const struct inko_socket *socket)
{
	struct pollfd attempt = {.fd = socket->fd, .events = POLLOUT};

	return poll(&attempt, 1, 0) == 1 && attempt.revents & (POLLOUT | POLLHUP);
}

static int connect_finish(struct inko_socket *socket)
{
	_cleanup_socket_wait_done_ struct socket_wait wait = SOCKET_WAIT_NONE;
	int r;

	do {
		r = wait_for_socket(socket, POLLOUT, &wait);
		if (r == -EBADF)
			return r; /* another task closed it: it is no more */
		if (r == 0)
			r = connect_result(socket);
		/* The error may be one of before, which stands in the error queue. */
	} while (r == 0 && wait.revents & POLLERR && !is_over(socket));
	if (r < 0)
		connect_abandon(socket->fd);
	return r;
}

/* One that a signal interrupts goes on by itself (connect(2)). */
static bool is_under_way(int error)
{
	return error == -EINPROGRESS || error == -EINTR;
}

int connect_begin(struct inko_socket *socket, const struct inko_ip *ip, unsigned int port)
{
	struct address address;
	int r = sockaddr_from_ip(ip, port, &address);

	if (r == 0)
		r = connect_now(socket->fd, &address);
	return is_under_way(r) ? 0 : r;
}

/* One of IP that was connected without waiting: connect(2) itself would once say 0 to that. */
static bool is_connected_stream(const struct inko_socket *socket)
{
	struct address peer = {.length = sizeof(peer)};

	return socket->domain != AF_UNIX && socket->type == SOCK_STREAM &&
	       getpeername(socket->fd, &peer.any, &peer.length) == 0;
}

static int connect_to(struct inko_socket *socket, const struct address *address)
{
	int r;

	if (socket->domain != address->any.sa_family)
		return -EAFNOSUPPORT;
	if (is_connected_stream(socket))
		return -EISCONN;
	r = connect_once_there_is_room(socket, address);
	return is_under_way(r) ? connect_finish(socket) : r;
}

int inko_socket_connect(struct inko_socket *socket, const struct inko_ip *ip, unsigned int port)
{
	struct address address;
	int r = sockaddr_from_ip(ip, port, &address);

	return r < 0 ? r : connect_to(socket, &address);
}

int inko_socket_connect_unix(
	struct inko_socket *socket, const struct inko_unix_address *unix_address)
{
	struct address address;
	int r;

	if (unix_address->kind == INKO_UNIX_UNNAMED)
		return -EINVAL;
	r = sockaddr_from_unix(unix_address, &address);
	return r < 0 ? r : connect_to(socket, &address);
}
