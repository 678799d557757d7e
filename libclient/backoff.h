#pragma once

/*
 * Trying again what nothing tells the time for, with pauses that grow.
 */

#include <stdint.h>

/* All zero before the first pause. */
struct backoff {
	uint64_t pause_usec;
};

/* Waits for the next pause, but not past deadline_usec (0: none): 0 to try again, -ETIMEDOUT when
 * the deadline had come before, or the errors of wait_for. */
int backoff_wait(struct backoff *backoff, uint64_t deadline_usec);
