#pragma once

/*
 * What the rest of libinko knows of a stream socket.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libclient/owned.h"
#include "libclient/service.h"

#include <inko/socket.h>

struct inko_socket {
	int fd;
	bool listens; /* when it was made: tells a listener that was shut down from no listener */
	uint64_t deadline_usec;
	struct service *service; /* that this connection is counted in, or NULL */
	struct watch *watch;	 /* in the epoll of the runtime that it waited in, or NULL */
	struct owned owned;	 /* by the task that has it */
};

/* The running task has the socket now, if one runs. */
void stream_own(struct inko_socket *socket);

/* inko_socket_adopt of a connection that is counted in service (or NULL), whose place passes to
 * the socket on success. */
int stream_adopt(int *take_fd, struct service *service, struct inko_socket **ret_socket);

/* Makes sure that accept does not wait when somebody else takes the connection first. */
int stream_prepare_accept(const struct inko_socket *listener);
/* What to poll a listener for. */
#define STREAM_ACCEPT_EVENTS (POLLIN | POLLRDHUP)
/* Accepts what is there: 0, -EAGAIN, or the errors of inko_socket_accept. revents is what poll said
 * of the listener, 0 when it was not asked. */
int stream_try_accept(struct inko_socket *listener, short revents, struct inko_socket **ret_socket);
