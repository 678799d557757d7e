#pragma once

/*
 * The lanes to one actor: what a mailbox to send to is made of.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <inko/mailbox.h>

struct outbox;
struct wait_list;

/* name is "web", whose instances have a lane each, or that with a slash and a star after it: the
 * lane that they share. */
int outbox_new(const char *name, struct outbox **ret_outbox);
struct outbox *outbox_free(struct outbox *outbox);

/* Outboxes of one process hang in a list. */
struct outbox **outbox_next(struct outbox *outbox);
/* Is this the one that was made for name? */
bool outbox_is_for(const struct outbox *outbox, const char *name);

/* Gets it ready to send, until it is closed as often as it was opened: before and behind that lanes
 * are only kept. charge_bytes is that of lane_measure_charge. */
int outbox_open(struct outbox *outbox, size_t charge_bytes);
void outbox_close(struct outbox *outbox);
bool outbox_is_open(const struct outbox *outbox);
/* Readable when the lanes, which were full, may have room, or have ended. */
int outbox_get_fd(const struct outbox *outbox);
/* Woken when the outbox may have come by room in another way: what a task of this process saw first
 * the descriptor does not tell the others. */
struct wait_list *outbox_peek_news(struct outbox *outbox);
bool outbox_is_empty(const struct outbox *outbox);

/* One lane more, taken even on failure; a number that is known is closed. */
int outbox_add_lane(struct outbox *outbox, uint64_t number, int *take_fd);
/* Lets go of the lanes that have ended. One that is open does so by itself. */
void outbox_tidy(struct outbox *outbox);

/* Sends message by the next lane that has room: 0 and message is freed; -EAGAIN, -ETOOMANYREFS,
 * or what is wrong with this message alone. */
int outbox_send(struct outbox *outbox, struct inko_message *message);
unsigned int outbox_room(struct outbox *outbox);
