#include "daemon/keeper/link.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "daemon/keeper/log.h"
#include "proto/descriptor.h"
#include "proto/keep.h"

/* Between tries where the kernel has no event for when it will do. */
#define PAUSE_MSEC 10

static const enum keep_verb verbs[LINK_NEWS] = {
	[LINK_WATCH] = KEEP_WATCH,
	[LINK_STOP] = KEEP_STOP,
	[LINK_LEAVE] = KEEP_LEAVE,
};

void link_init(struct link *link)
{
	*link = (struct link){.fd = -1};
}

void link_open(struct link *link, int *take_fd)
{
	*link = (struct link){.fd = descriptor_take(take_fd)};
}

void link_close(struct link *link)
{
	descriptor_close(&link->fd);
	link->taking = link->taken = false;
	link->next = NULL;
}

void link_answer(struct link *link, const struct store *store)
{
	link->taking = true;
	link->taken = false;
	link->next = store->first;
}

void link_skip(struct link *link, const char *key)
{
	if (link->next && strcmp(link->next->key, key) == 0)
		link->next = link->next->next;
}

/* What the supervisor is told. Each step leaves behind what it could not send. */

static int send_entry(const struct link *link, enum keep_verb verb, struct store_entry *entry)
{
	struct keep_message message = {.verb = verb, .number = entry->number};
	int r;

	(void)stpcpy(message.key, entry->key);
	if (verb == KEEP_HELD) {
		message.bytes = entry->bytes;
		message.n_bytes = entry->n_bytes;
		message.passed.n_fds = entry->n_fds;
		memcpy(message.passed.fds, entry->fds, entry->n_fds * sizeof(int));
	}
	r = keep_send(link->fd, &message, 0);
	if (r == 0)
		entry->untold = false;
	return r;
}

static int send_held(struct link *link)
{
	const struct keep_message end = {.verb = KEEP_END};

	while (link->next) {
		int r = send_entry(link, KEEP_HELD, link->next);

		if (r < 0)
			return r;
		link->next = link->next->next;
	}
	return keep_send(link->fd, &end, 0);
}

static int send_introduction(struct link *link, const struct link_speech *speech)
{
	char version[] = PACKAGE_VERSION;
	const struct keep_message message = {.verb = KEEP_KEEPER,
		.number = speech->replaced,
		.bytes = version,
		.n_bytes = strlen(version)};
	int r = link->is_introduced ? 0 : keep_send(link->fd, &message, 0);

	if (r == 0)
		link->is_introduced = true;
	return r;
}

static int send_untold(const struct link *link, struct store *store)
{
	if (!store->has_untold)
		return 0;
	for (struct store_entry *entry = store->first; entry; entry = entry->next) {
		enum keep_verb verb = store_is_socket(entry) ? KEEP_HELD : KEEP_EXITED;
		int r = entry->untold ? send_entry(link, verb, entry) : 0;

		if (r < 0)
			return r;
	}
	store->has_untold = false;
	return 0;
}

static int send_refusal(const struct link *link, const struct link_speech *speech)
{
	const struct keep_message message = {
		.verb = KEEP_STAY, .bytes = speech->refusal, .n_bytes = strlen(speech->refusal)};
	int r = *speech->refusal ? keep_send(link->fd, &message, 0) : 0;

	if (r == 0)
		*speech->refusal = '\0';
	return r;
}

static bool is_news(const struct link *link, const struct link_speech *speech, enum link_news news)
{
	return speech->is_wanted[news] && !link->is_told[news];
}

static int send_news(struct link *link, const struct link_speech *speech, enum link_news news)
{
	const struct keep_message message = {
		.verb = verbs[news], .number = news == LINK_WATCH ? speech->watch_msec : 0};
	int r = is_news(link, speech, news) ? keep_send(link->fd, &message, 0) : 0;

	if (r == 0)
		link->is_told[news] |= speech->is_wanted[news];
	return r;
}

static int send_new(struct link *link, struct store *store, const struct link_speech *speech)
{
	int r = send_introduction(link, speech);

	if (r == 0)
		r = send_untold(link, store);
	if (r == 0)
		r = send_refusal(link, speech);
	for (enum link_news news = 0; news < LINK_NEWS && r == 0; news++)
		r = send_news(link, speech, news);
	return r;
}

static int send_what_waits(struct link *link, struct store *store, const struct link_speech *speech)
{
	if (link->taking) {
		int r = send_held(link);

		if (r < 0)
			return r;
		link->taking = false;
		link->taken = true;
	}
	return link->taken ? send_new(link, store, speech) : 0;
}

/* When. */

static bool has_new(
	const struct link *link, const struct store *store, const struct link_speech *speech)
{
	bool has_news = !link->is_introduced || store->has_untold || *speech->refusal;

	for (enum link_news news = 0; news < LINK_NEWS; news++)
		has_news |= is_news(link, speech, news);
	return has_news;
}

bool link_has_output(
	const struct link *link, const struct store *store, const struct link_speech *speech)
{
	return link->fd >= 0 && (link->taking || (link->taken && has_new(link, store, speech)));
}

uint64_t link_due_msec(const struct link *link, const struct store *store,
	const struct link_speech *speech, uint64_t now_msec)
{
	bool is_pausing = link_has_output(link, store, speech) && link->pause_until_msec > now_msec;

	return is_pausing ? link->pause_until_msec : UINT64_MAX;
}

short link_events(const struct link *link, const struct store *store,
	const struct link_speech *speech, uint64_t now_msec)
{
	short events = link->taking ? 0 : POLLIN;

	if (link_has_output(link, store, speech) && link->pause_until_msec <= now_msec)
		events |= POLLOUT;
	return events;
}

void link_flush(
	struct link *link, struct store *store, const struct link_speech *speech, uint64_t now_msec)
{
	int r;

	if (!link_has_output(link, store, speech) || now_msec < link->pause_until_msec)
		return;
	r = send_what_waits(link, store, speech);
	/* EAGAIN: poll says when. EPIPE: what it had sent is read, up to the end. */
	if (r == -EPIPE)
		link->taking = link->taken = false;
	else if (r < 0 && r != -EAGAIN)
		link->pause_until_msec = now_msec + PAUSE_MSEC;
}
