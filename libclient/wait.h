#pragma once

/*
 * The one place where libinko waits.
 */

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/descriptor.h"

struct wait_list;

/* Waits until one of fds has an event: 0, or -ETIMEDOUT after deadline_usec of CLOCK_MONOTONIC
 * (0: never). A signal does not end it. In a task the others run meanwhile, and it may be
 * -ECANCELED; in dispatch but outside a task it is -EDEADLK. */
int wait_for(struct pollfd *fds, size_t n_fds, uint64_t deadline_usec);
/* The same; outside of tasks a signal ends it with -EINTR. */
int wait_for_or_signal(struct pollfd *fds, size_t n_fds, uint64_t deadline_usec);
/* The same as wait_for; in a task 0 as well once list, which may be NULL, is woken. */
int wait_in(struct wait_list *list, struct pollfd *fds, size_t n_fds, uint64_t deadline_usec);

struct inko_socket;

/* What one call on a socket knows of its waits. */
struct socket_wait {
	short revents; /* what poll(2) said last; 0 before the first */
	int edge_fd;   /* -1, or an epoll that tells what came since poll said POLLERR alone */
};

#define SOCKET_WAIT_NONE                                                                           \
	(struct socket_wait)                                                                       \
	{                                                                                          \
		.edge_fd = -1                                                                      \
	}

static inline void socket_wait_done(struct socket_wait *wait)
{
	descriptor_close(&wait->edge_fd);
}

#define _cleanup_socket_wait_done_ __attribute__((cleanup(socket_wait_done)))

/* Waits until socket has one of events, up to its deadline, after a call on it said EAGAIN: 0,
 * or the errors of wait_for. In a task -EBUSY when another one waits for the same of it, -EXDEV
 * when one of another runtime waited for it before, -EBADF when it was closed meanwhile. 0 may come
 * too early, and with an error that the call does not return: try it again, with the same wait. */
int wait_for_socket(struct inko_socket *socket, short events, struct socket_wait *wait);

/* The same as wait_in, for a call on socket that waits for something else or for more than the
 * socket: in a task -EBADF as well when it was closed meanwhile, and is no more. */
int wait_beside_socket(struct inko_socket *socket, struct wait_list *list, struct pollfd *fds,
	size_t n_fds, uint64_t deadline_usec);

/* To be called before a call on socket (or NULL) is tried: a task whose peer is faster than itself
 * never has to wait, and must not keep the others waiting. Every so many calls they run first: 0;
 * -ECANCELED; -EBADF when socket was closed meanwhile, and is no more. */
int wait_for_turn(struct inko_socket *socket);

/* CLOCK_MONOTONIC, in microseconds. */
uint64_t wait_now_usec(void);
