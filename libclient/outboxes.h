#pragma once

/*
 * The outboxes of a process, one for each name that it sends to or was given lanes to.
 */

#include <stddef.h>
#include <stdint.h>

#include "libclient/outbox.h"

/* All zero when there are none. */
struct outboxes {
	struct outbox *first;
	size_t charge_bytes; /* 0 until it is measured */
};

void outboxes_done(struct outboxes *outboxes);

/* Gets the outbox of that name ready to send: "web", or all its instances together, see
 * outbox_new. It stays in the set. -EINVAL when nobody can have that name. */
int outboxes_open(struct outboxes *outboxes, const char *name, struct outbox **ret_outbox);
/* Of one that was opened. Its lanes stay for who opens it again, unless they end. */
void outboxes_close(struct outboxes *outboxes, struct outbox *outbox);

/* One more lane to send to peer: an instance ("web/0", which is one of web's lanes) or all
 * instances together. It is taken unless memory for its name is missing. */
int outboxes_add_lane(struct outboxes *outboxes, const char *peer, uint64_t number, int *take_fd);

/* Wakes who waits beside any of them. */
void outboxes_tell_news(struct outboxes *outboxes);
