#pragma once

/*
 * Trying again what nothing tells the time for, with pauses that grow.
 */

#include <stdint.h>

struct inko_socket;

/* All zero before the first pause. */
struct backoff {
	uint64_t pause_usec;
};

/* Waits for the next pause, in a call on socket, but not past its deadline: 0 to try again,
 * -ETIMEDOUT when the deadline had come before, or the errors of wait_beside_socket. */
int backoff_wait(struct backoff *backoff, struct inko_socket *socket);
