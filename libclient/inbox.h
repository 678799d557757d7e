#pragma once

/*
 * The mailbox that a process receives from, and what inkod tells it on its lane.
 */

#include <poll.h>
#include <stdbool.h>

#include "libclient/outbox.h"

#include <inko/mailbox.h>

struct counters_page;
struct inbox;
struct wait_list;

/* An inbox of the lanes that this process was started with. Errors of inko_mailbox_open_own. */
int inbox_new(struct inbox **ret_inbox);
struct inbox *inbox_free(struct inbox *inbox);

/* What makes a mailbox of an inbox, its context, which is freed with that mailbox. */
extern const struct inko_mailbox_transport inbox_transport;

void inbox_set_concurrency(struct inbox *inbox, unsigned int connections);

/* The lanes to actor name (or to all its instances together, see outbox_new), ready to send: those
 * that are here and those that inkod gives later. The outbox stays the inbox's. -EINVAL when
 * nobody can have that name. */
int inbox_open_outbox(struct inbox *inbox, const char *name, struct outbox **ret_outbox);
void inbox_close_outbox(struct inbox *inbox, struct outbox *outbox);

/* What this process counts in, or NULL; the inbox's. */
struct counters_page *inbox_peek_counters(const struct inbox *inbox);

/* For who waits for something else than a message, and must hear of new lanes and stop. */

/* inkod's lane, to be polled beside that for as long as it makes sense. */
struct pollfd inbox_poll_supervisor(const struct inbox *inbox);
/* Does what inkod says; what is for the program is held for receive. 0, or -EMFILE and the like. */
int inbox_listen_to_supervisor(struct inbox *inbox);
/* Woken when inkod said something that a task of this process heard first: for who waits beside. */
struct wait_list *inbox_peek_news(struct inbox *inbox);
/* Told to stop, or inkod is gone: nothing new comes any more. */
bool inbox_is_stopping(const struct inbox *inbox);
