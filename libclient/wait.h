#pragma once

/*
 * The one place where libinko waits.
 */

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

/* Waits until one of fds has an event: 0, or -ETIMEDOUT after deadline_usec of CLOCK_MONOTONIC
 * (0: never). A signal does not end it. */
int wait_for(struct pollfd *fds, size_t n_fds, uint64_t deadline_usec);

struct inko_socket;

/* Waits until socket has one of events, up to its deadline, after a call on it said EAGAIN: 0,
 * or the errors of wait_for. It may come back too early: try the call again. */
int wait_for_socket(struct inko_socket *socket, short events);
/* The same; *ret_revents is what poll(2) would say. */
int wait_for_socket_events(struct inko_socket *socket, short events, short *ret_revents);

/* CLOCK_MONOTONIC, in microseconds. */
uint64_t wait_now_usec(void);
