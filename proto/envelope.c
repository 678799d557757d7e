/*
 * What makes a datagram on a lane a valid message.
 */

#include "proto/envelope.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool body_fits(const struct envelope *envelope, size_t size)
{
	size_t inline_bytes = size - sizeof(*envelope);

	if (envelope->flags & ENVELOPE_BODY_MEMFD)
		return inline_bytes == 0 && envelope->length <= LIMIT_BODY_BYTES;
	return inline_bytes == envelope->length && inline_bytes <= LIMIT_INLINE_BODY_BYTES;
}

/* A lane message's flags say what each of its sockets is. */
static bool lane_ends_fit(const struct envelope *envelope)
{
	int ends = !!(envelope->flags & ENVELOPE_LANE_IN) + !!(envelope->flags & ENVELOPE_LANE_OUT);

	return envelope->kind != ENVELOPE_LANE || envelope->sockets == ends;
}

int envelope_check(const struct envelope *envelope, size_t size, size_t n_fds)
{
	size_t body_fds;

	if (size < sizeof(*envelope) || envelope->version != ENVELOPE_VERSION)
		return -EBADMSG;
	if (envelope->kind < ENVELOPE_MESSAGE || envelope->kind > ENVELOPE_ANSWER)
		return -EBADMSG;
	body_fds = envelope->flags & ENVELOPE_BODY_MEMFD ? 1 : 0;
	if (envelope->sockets + body_fds != n_fds || !lane_ends_fit(envelope))
		return -EBADMSG;
	if (!body_fits(envelope, size))
		return -EBADMSG;
	if (!memchr(envelope->listener, '\0', sizeof(envelope->listener)))
		return -EBADMSG;
	return 0;
}
