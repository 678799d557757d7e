#pragma once

/*
 * Waiting for descriptors or memory, of which no event says that there are some again. What is to
 * be received stays where it is meanwhile. Not for ever: who waits here does nothing else, and
 * another process may have what it lacks; nor against who wants it to end.
 */

#include <stdbool.h>
#include <stdint.h>

/* How long without any progress. Less than a supervisor that hands over waits for who reads
 * nothing (HAND_OVER_MSEC), so that who knows the reason says it. */
#define SHORTAGE_PATIENCE_MSEC 4000

struct shortage {
	uint64_t since_msec; /* 0 while there is none */
	bool is_known;
};

/* Is that what error says? */
bool shortage_is(int error);
/* Is it the first one? From then on it is known. */
bool shortage_is_news(struct shortage *shortage);
/* Waits a moment. 0 to try again, or error, when that was so for SHORTAGE_PATIENCE_MSEC, or
 * -ECANCELED at SIGTERM or SIGINT, of those that the caller has blocked: it is taken. */
int shortage_wait(struct shortage *shortage, int error);
/* It has gone on. */
void shortage_end(struct shortage *shortage);
/* What whoever runs inkod can do about error. */
const char *shortage_remedy(int error);
