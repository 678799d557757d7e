#pragma once

/*
 * Accepting, for who waits for something else beside.
 */

#include <poll.h>

#include "libclient/socket.h"

/* Before accept_try, once: makes sure that it does not wait when somebody else takes the connection
 * first. -EINVAL or -EOPNOTSUPP when it is no listener. */
int accept_prepare(struct inko_socket *listener);

/* What to poll a listener for. */
#define ACCEPT_EVENTS (POLLIN | POLLRDHUP)
/* To be polled beside it; without a notifier it is nothing. */
struct pollfd accept_poll_notifier(const struct inko_socket *listener);

/* Accepts what is there: 0, -EAGAIN, or the errors of inko_socket_accept. revents is what poll said
 * of the listener, 0 when it was not asked. */
int accept_try(struct inko_socket *listener, short revents, struct inko_socket **ret_socket);
