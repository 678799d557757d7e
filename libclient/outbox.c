/*
 * The lanes to one actor, served in turn. What room each has is remembered, and asked of the
 * kernel again only when that is used up; so a message costs one system call while there is room.
 */

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "libclient/message.h"
#include "libclient/outbox.h"
#include "libclient/wait-list.h"
#include "proto/descriptor.h"
#include "proto/lane.h"

/* So many sends or questions for room come between two looks at what the kernel has to say. */
#define OUTBOX_CALLS_PER_LOOK 16
#define OUTBOX_EVENTS 32

struct outlet {
	int fd;
	uint64_t number;
	unsigned int credit; /* envelopes that fit for sure, while we alone send */
	bool full;	     /* no credit: the kernel was asked already */
	bool watched;	     /* for room; the end is reported in any case */
};

struct outbox {
	char *name;
	size_t charge_bytes;
	int epoll_fd; /* -1 while it is not open */
	unsigned int n_opened;
	struct outlet **outlets;
	size_t n_outlets, next;
	unsigned int n_calls; /* since the last look */
	struct outbox *next_outbox;
	struct wait_list news;
};

/* Lifecycle */

int outbox_new(const char *name, struct outbox **ret_outbox)
{
	struct outbox *outbox = malloc(sizeof(*outbox));
	char *copy = strdup(name);

	if (!outbox || !copy) {
		free(copy);
		free(outbox);
		return -ENOMEM;
	}
	*outbox = (struct outbox){.name = copy, .epoll_fd = -1};
	*ret_outbox = outbox;
	return 0;
}

static void outlet_free(struct outlet *outlet)
{
	/* The supervisor holds the write end too: closing ours does not take it out of the epoll,
	 * which is about the description. outbox_forget does; here all of it goes away. */
	descriptor_close(&outlet->fd);
	free(outlet);
}

struct outbox *outbox_free(struct outbox *outbox)
{
	if (!outbox)
		return NULL;
	descriptor_close(&outbox->epoll_fd);
	for (size_t i = 0; i < outbox->n_outlets; i++)
		outlet_free(outbox->outlets[i]);
	free(outbox->outlets);
	free(outbox->name);
	free(outbox);
	return NULL;
}

struct outbox **outbox_next(struct outbox *outbox)
{
	return &outbox->next_outbox;
}

bool outbox_is_for(const struct outbox *outbox, const char *name)
{
	return strcmp(outbox->name, name) == 0;
}

bool outbox_is_empty(const struct outbox *outbox)
{
	return outbox->n_outlets == 0;
}

int outbox_get_fd(const struct outbox *outbox)
{
	return outbox->epoll_fd;
}

struct wait_list *outbox_peek_news(struct outbox *outbox)
{
	return &outbox->news;
}

/* Watching */

static int outbox_control(struct outbox *outbox, int operation, struct outlet *outlet, bool room)
{
	struct epoll_event event = {.events = room ? EPOLLOUT : 0, .data = {.ptr = outlet}};

	if (epoll_ctl(outbox->epoll_fd, operation, outlet->fd, &event) < 0)
		return -errno;
	outlet->watched = room;
	return 0;
}

static void outlet_set_watched(struct outbox *outbox, struct outlet *outlet, bool watched)
{
	/* Changing what is in the epoll already allocates nothing and cannot fail. */
	if (outlet->watched != watched)
		(void)outbox_control(outbox, EPOLL_CTL_MOD, outlet, watched);
}

/* A new lane counts as full and is watched: so it reports by itself, to who waits for room, that
 * there is some. */
static int outbox_watch_new(struct outbox *outbox, struct outlet *outlet)
{
	outlet->credit = 0;
	outlet->full = true;
	outbox->n_calls = OUTBOX_CALLS_PER_LOOK;
	return outbox_control(outbox, EPOLL_CTL_ADD, outlet, true);
}

int outbox_open(struct outbox *outbox, size_t charge_bytes)
{
	_cleanup_close_ int epoll_fd = -1;

	if (outbox_is_open(outbox)) {
		outbox->n_opened++;
		return 0;
	}
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		return -errno;
	outbox->epoll_fd = epoll_fd;
	outbox->charge_bytes = charge_bytes;
	for (size_t i = 0; i < outbox->n_outlets; i++) {
		int r = outbox_watch_new(outbox, outbox->outlets[i]);

		if (r < 0) {
			outbox->epoll_fd = -1;
			return r;
		}
	}
	(void)descriptor_take(&epoll_fd);
	outbox->n_opened = 1;
	return 0;
}

void outbox_close(struct outbox *outbox)
{
	if (--outbox->n_opened == 0)
		descriptor_close(&outbox->epoll_fd);
}

bool outbox_is_open(const struct outbox *outbox)
{
	return outbox->epoll_fd >= 0;
}

/* Lanes that come and go */

static size_t outbox_find(const struct outbox *outbox, uint64_t number)
{
	size_t i = 0;

	while (i < outbox->n_outlets && outbox->outlets[i]->number != number)
		i++;
	return i;
}

static int outbox_append(struct outbox *outbox, struct outlet *outlet)
{
	struct outlet **outlets =
		reallocarray(outbox->outlets, outbox->n_outlets + 1, sizeof(*outlets));

	if (!outlets)
		return -ENOMEM;
	outbox->outlets = outlets;
	if (outbox->epoll_fd >= 0) {
		int r = outbox_watch_new(outbox, outlet);

		if (r < 0)
			return r;
	}
	outlets[outbox->n_outlets++] = outlet;
	return 0;
}

static void outbox_look(struct outbox *outbox);

int outbox_add_lane(struct outbox *outbox, uint64_t number, int *take_fd)
{
	_cleanup_close_ int fd = descriptor_take(take_fd);
	struct outlet *outlet;
	int r;

	if (outbox_find(outbox, number) < outbox->n_outlets)
		return 0;
	/* A program that seldom sends gets rid of the ended ones here. */
	outbox_look(outbox);
	outlet = malloc(sizeof(*outlet));
	if (!outlet)
		return -ENOMEM;
	*outlet = (struct outlet){.fd = fd, .number = number};
	r = outbox_append(outbox, outlet);
	if (r < 0) {
		free(outlet);
		return r;
	}
	(void)descriptor_take(&fd);
	return 0;
}

static void outbox_drop(struct outbox *outbox, size_t i)
{
	struct outlet *outlet = outbox->outlets[i];

	(void)epoll_ctl(outbox->epoll_fd, EPOLL_CTL_DEL, outlet->fd, NULL);
	outbox->n_outlets--;
	memmove(&outbox->outlets[i], &outbox->outlets[i + 1],
		(outbox->n_outlets - i) * sizeof(struct outlet *));
	/* The turn passes to the one after it, not to the one after that. */
	if (outbox->next > i)
		outbox->next--;
	outlet_free(outlet);
	wait_list_wake_all(&outbox->news);
}

/* A revoked lane hangs up. */
void outbox_tidy(struct outbox *outbox)
{
	struct pollfd ends[OUTBOX_EVENTS];
	size_t left = outbox->n_outlets;

	while (left > 0) {
		size_t n = left < OUTBOX_EVENTS ? left : OUTBOX_EVENTS;

		left -= n;
		for (size_t i = 0; i < n; i++)
			ends[i] = (struct pollfd){.fd = outbox->outlets[left + i]->fd};
		if (poll(ends, n, 0) <= 0)
			continue;
		for (size_t i = n; i-- > 0;)
			if (ends[i].revents)
				outbox_drop(outbox, left + i);
	}
}

static void outbox_drop_outlet(struct outbox *outbox, const struct outlet *outlet)
{
	for (size_t i = 0; i < outbox->n_outlets; i++) {
		if (outbox->outlets[i] == outlet) {
			outbox_drop(outbox, i);
			return;
		}
	}
}

/* Room */

static void outlet_ask_for_room(struct outbox *outbox, struct outlet *outlet)
{
	bool was_full = outlet->full;

	if (lane_room(outlet->fd, outbox->charge_bytes, &outlet->credit) < 0)
		outlet->credit = 0;
	outlet->full = outlet->credit == 0;
	if (outlet->full)
		outlet_set_watched(outbox, outlet, true);
	else if (was_full)
		wait_list_wake_all(&outbox->news);
}

static void outlet_set_full(struct outbox *outbox, struct outlet *outlet)
{
	outlet->credit = 0;
	outlet->full = true;
	outlet_set_watched(outbox, outlet, true);
}

/* Looks at what the kernel reports of all lanes: those that ended are dropped, those that were
 * full and are not any more get their credit. */
static void outbox_look(struct outbox *outbox)
{
	struct epoll_event events[OUTBOX_EVENTS];
	int n = 0;

	outbox->n_calls = 0;
	if (outbox->epoll_fd >= 0)
		n = epoll_wait(outbox->epoll_fd, events, OUTBOX_EVENTS, 0);
	for (int i = 0; i < n; i++) {
		struct outlet *outlet = events[i].data.ptr;

		if (events[i].events & (EPOLLHUP | EPOLLERR)) {
			outbox_drop_outlet(outbox, outlet);
			continue;
		}
		outlet_set_watched(outbox, outlet, false);
		if (outlet->full)
			outlet_ask_for_room(outbox, outlet);
	}
}

static void outbox_look_now_and_then(struct outbox *outbox)
{
	if (++outbox->n_calls > OUTBOX_CALLS_PER_LOOK)
		outbox_look(outbox);
}

/* The kernel reports room only when three quarters are free (unix(7) does not say), but there may
 * be some before: asked for when nothing else is left. */
static void outbox_ask_all(struct outbox *outbox)
{
	outbox_look(outbox);
	for (size_t i = 0; i < outbox->n_outlets; i++)
		if (outbox->outlets[i]->full)
			outlet_ask_for_room(outbox, outbox->outlets[i]);
}

static unsigned int outbox_count_credit(struct outbox *outbox)
{
	unsigned int total = 0;

	for (size_t i = 0; i < outbox->n_outlets; i++) {
		struct outlet *outlet = outbox->outlets[i];

		if (outlet->credit == 0 && !outlet->full)
			outlet_ask_for_room(outbox, outlet);
		total += outlet->credit;
	}
	return total;
}

unsigned int outbox_room(struct outbox *outbox)
{
	unsigned int room;

	outbox_look_now_and_then(outbox);
	room = outbox_count_credit(outbox);
	if (room > 0)
		return room;
	outbox_ask_all(outbox);
	return outbox_count_credit(outbox);
}

/* Sending */

/* Errors that are the message's or this process's: another lane would not take it either. */
static bool is_of_message(int error)
{
	switch (error) {
	case -EMSGSIZE:
	case -EINVAL:
	case -EBADF:
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
	case -ENOBUFS:
		return true;
	default:
		return false;
	}
}

/* Tries the lane whose turn it is: 0, -EAGAIN for one that has no room, -EPIPE for one that is
 * dropped, or the message's error. The turn passes on unless the lane is gone. */
static int outbox_send_next(
	struct outbox *outbox, struct inko_message *message, enum envelope_kind kind)
{
	size_t turn = outbox->next < outbox->n_outlets ? outbox->next : 0;
	struct outlet *outlet = outbox->outlets[turn];
	int r;

	outbox->next = turn + 1;
	if (outlet->credit == 0 && !outlet->full)
		outlet_ask_for_room(outbox, outlet);
	if (outlet->full)
		return -EAGAIN;
	r = message_send_into_lane(outlet->fd, message, kind);
	if (r == 0) {
		/* The kernel charges a body by its size: ask again what is left. */
		outlet->credit = message_has_bytes(message) ? 0 : outlet->credit - 1;
		return 0;
	}
	if (r == -EAGAIN) {
		outlet_set_full(outbox, outlet);
		return r;
	}
	if (r == -ETOOMANYREFS || is_of_message(r))
		return r;
	outbox_drop(outbox, turn);
	return -EPIPE;
}

/* Once around: each lane is tried, or dropped. */
static int outbox_send_around(
	struct outbox *outbox, struct inko_message *message, enum envelope_kind kind)
{
	int result = -EAGAIN;

	for (size_t left = outbox->n_outlets; left > 0; left--) {
		int r = outbox_send_next(outbox, message, kind);

		if (r == -ETOOMANYREFS)
			result = r;
		else if (r != -EAGAIN && r != -EPIPE)
			return r;
	}
	return result;
}

int outbox_send(struct outbox *outbox, struct inko_message *message)
{
	/* A listener or an answer that is sent on is a message like any other: only inkod gives
	 * listeners, and only inko_message_reply answers. */
	enum envelope_kind kind = inko_message_get_kind(message) == INKO_CONNECTION
					  ? ENVELOPE_CONNECTION
					  : ENVELOPE_MESSAGE;
	int r;

	outbox_look_now_and_then(outbox);
	r = outbox_send_around(outbox, message, kind);
	if (r == -EAGAIN) {
		outbox_ask_all(outbox);
		r = outbox_send_around(outbox, message, kind);
	}
	if (r == 0)
		inko_message_free(message);
	return r;
}
