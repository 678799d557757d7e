#pragma once

/*
 * The link to the supervisor, and what it is told over it: all that is held, when it asks, and then
 * what is new. Nothing here waits; what could not be sent is sent later, in order.
 */

#include <stdbool.h>
#include <stdint.h>

#include "daemon/keeper/store.h"

/* What is told once in a supervisor's life. */
enum link_news { LINK_WATCH, LINK_STOP, LINK_LEAVE, LINK_NEWS };

struct link {
	int fd;	     /* -1: there is none */
	bool taking; /* the answer to KEEP_TAKE is being sent; next is what comes next in it */
	struct store_entry *next;
	bool taken; /* it was, up to KEEP_END: the supervisor knows all */
	uint64_t pause_until_msec;
	bool is_introduced; /* the supervisor knows who its keeper is */
	bool is_told[LINK_NEWS];
};

/* What there is to say, but for what the store says of its entries. */
struct link_speech {
	uint32_t replaced;	   /* how often this process was: its introduction */
	bool is_wanted[LINK_NEWS]; /* is it news at all? */
	uint32_t watch_msec;	   /* of LINK_WATCH */
	char *refusal;		   /* of an upgrade, "" when there is none, and once it was told */
};

void link_init(struct link *link);
/* To a supervisor that knows nothing yet. */
void link_open(struct link *link, int *take_fd);
/* What it was told stays known: it says why the supervisor ends. */
void link_close(struct link *link);

/* The supervisor wants all that store holds. While that is on its way it only reads. */
void link_answer(struct link *link, const struct store *store);
/* The entry of that key is about to be dropped. */
void link_skip(struct link *link, const char *key);

/* Is there something to be sent? */
bool link_has_output(
	const struct link *link, const struct store *store, const struct link_speech *speech);
/* When link_flush may try to, other than when the link has room; UINT64_MAX for never. */
uint64_t link_due_msec(const struct link *link, const struct store *store,
	const struct link_speech *speech, uint64_t now_msec);
/* What to poll the link for. */
short link_events(const struct link *link, const struct store *store,
	const struct link_speech *speech, uint64_t now_msec);
/* Sends what it can. */
void link_flush(struct link *link, struct store *store, const struct link_speech *speech,
	uint64_t now_msec);
