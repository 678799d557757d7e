#pragma once

/*
 * Descriptor passing: the only place that calls sendmsg and recvmsg with control data.
 * Every trap of SCM_RIGHTS is dealt with here, so that nobody else has to know them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "proto/limits.h"

struct passed {
	int fds[LIMIT_SOCKETS];
	size_t n_fds;
	/* The kernel closed descriptors that did not fit (MSG_CTRUNC), or the payload was longer
	 * than the buffer (MSG_TRUNC). What had come was closed: n_fds is 0. */
	bool truncated;
};

/* Sends one datagram with fds, which stay the caller's. Never waits, never raises SIGPIPE.
 * 0, or -EAGAIN (full), -EPIPE (revoked), -ETOOMANYREFS (try again later), -EINVAL (too many). */
int passing_send(
	int socket_fd, const struct iovec *iov, size_t n_iov, const int *fds, size_t n_fds);

/* Receives one datagram; flags are added to MSG_DONTWAIT | MSG_CMSG_CLOEXEC. The descriptors in
 * ret_passed are the caller's. The payload's length; 0 is the end; or -EAGAIN and others. */
ssize_t passing_receive(
	int socket_fd, const struct iovec *iov, size_t n_iov, int flags, struct passed *ret_passed);

/* Looks at the datagram that is first, and leaves it there with its descriptors, which nothing here
 * has a copy of then; for sockets with SO_PASSCRED. *ret_sender is the process that sent it, 0 if
 * unknown. The payload's length, 0 of an empty one too; or -EAGAIN and others. */
ssize_t passing_peek(
	int socket_fd, const struct iovec *iov, size_t n_iov, pid_t *ret_sender, bool *ret_has_fds);

/* Closes what passed still holds. */
void passing_close(struct passed *passed);

/* 0 when this process has room for n more descriptors now, else -EMFILE. */
int passing_make_sure_of_room(size_t n);
