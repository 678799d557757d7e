/*
 * Accepting from a listener that others may hold, and accept from, too.
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "libclient/accept.h"
#include "libclient/notifier.h"
#include "libclient/scheduler.h"
#include "libclient/wait.h"
#include "proto/descriptor.h"

static bool has_connections(const struct inko_socket *socket)
{
	return socket->type == SOCK_STREAM || socket->type == SOCK_SEQPACKET;
}

int accept_prepare(struct inko_socket *listener)
{
	uint64_t turn = scheduler_turn();
	int flags;

	/* A turn is short: who takes a backlog need not ask for each of it. */
	if (turn > 0 && listener->accept_turn == turn)
		return 0;
	/* What does not listen is left as it is. */
	if (!listener->listens && !inko_socket_is_listening(listener))
		return has_connections(listener) ? -EINVAL : -EOPNOTSUPP;
	listener->listens = true;
	flags = fcntl(listener->fd, F_GETFL);
	if (flags < 0)
		return -errno;
	listener->accept_turn = turn;
	if (flags & O_NONBLOCK)
		return 0;
	/* Set for all who hold it, and never cleared: somebody who clears it (systemd does at each
	 * start of a service without NonBlocking=yes) makes accept wait for a connection that
	 * another process took. */
	return fcntl(listener->fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

struct pollfd accept_poll_notifier(const struct inko_socket *listener)
{
	return (struct pollfd){
		.fd = listener->notifier ? notifier_get_fd(listener->notifier) : -1,
		.events = POLLIN,
	};
}

/* Errors that accept(2) passes on from the connection that it took off the queue: that one is
 * gone and the next may be well. */
static bool accept_failed_for_one(int error)
{
	switch (error) {
	case EINTR:
	case ECONNABORTED:
	case EPROTO:
	case ENOPROTOOPT:
	case EOPNOTSUPP:
	case ENETDOWN:
	case ENETUNREACH:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case ENONET:
		return true;
	default:
		return false;
	}
}

int accept_try(struct inko_socket *listener, short revents, struct inko_socket **ret_socket)
{
	_cleanup_close_ int fd = -1;

	/* Before the connections: a busy listener must not hide it. */
	if (listener->notifier && notifier_take(listener->notifier))
		return -EINTR;
	do
		fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
	while (fd < 0 && accept_failed_for_one(errno));
	if (fd >= 0)
		return socket_new(&fd, listener->domain, listener->type, ret_socket);
	if (errno == EINVAL)
		return -ESHUTDOWN; /* it did listen, or accept_prepare would have said so */
	/* A Unix listener that was shut down says EAGAIN for ever when it is non-blocking. */
	if (errno == EAGAIN && revents & (POLLHUP | POLLRDHUP))
		return -ESHUTDOWN;
	return -errno;
}

/* Waits for a connection or a notification. */
static int accept_wait(struct inko_socket *listener, struct socket_wait *wait)
{
	struct pollfd fds[] = {
		{.fd = listener->fd, .events = ACCEPT_EVENTS},
		accept_poll_notifier(listener),
	};
	int r;

	if (!listener->notifier)
		return wait_for_socket(listener, ACCEPT_EVENTS, wait);
	if (scheduler_can_park() > 0 && listener->users.first)
		return -EBUSY; /* as it is without a notifier */
	r = wait_beside_socket(
		listener, NULL, fds, sizeof(fds) / sizeof(*fds), listener->deadline_usec);
	if (r == 0)
		wait->revents = fds[0].revents;
	return r;
}

int inko_socket_accept(struct inko_socket *listener, struct inko_socket **ret_socket)
{
	_cleanup_socket_wait_done_ struct socket_wait wait = SOCKET_WAIT_NONE;
	int r = wait_for_turn(listener);

	if (r == 0)
		r = accept_prepare(listener);
	while (r == 0) {
		r = accept_try(listener, wait.revents, ret_socket);
		if (r != -EAGAIN)
			return r;
		r = accept_wait(listener, &wait);
	}
	return r;
}
