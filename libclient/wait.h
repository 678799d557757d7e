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

/* CLOCK_MONOTONIC, in microseconds. */
uint64_t wait_now_usec(void);
