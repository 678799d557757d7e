#pragma once

/*
 * What the supervisor itself tells an instance, on the lane that it has to each: lanes, listeners,
 * endpoints, and that it shall stop. When that was full, and has room again, all that is its
 * concern is told again: a listener may come twice.
 */

#include <stddef.h>

#include "proto/envelope.h"

struct instance;

/* Sends one message; body is text, or NULL, and fds stay the caller's. Errors of lane_send,
 * -ENOTCONN when there is no such lane. -EAGAIN, for any shortage: routing_sync is called when
 * there is room, or may be what was missing. -EPIPE: the instance is ended for it. */
int news_tell(struct instance *instance, struct envelope *envelope, const char *body,
	const int *fds, size_t n_fds);
/* It shall stop. */
void news_tell_stop(struct instance *instance);
/* The listeners that are its concern, and the endpoints if it is the gateway. */
void news_tell_all(struct instance *instance);
