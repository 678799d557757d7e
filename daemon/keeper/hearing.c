#include "daemon/keeper/hearing.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "proto/descriptor.h"
#include "proto/limits.h"
#include "proto/passing.h"

/* Of so many instances one message each, in turn. */
#define TURN 64

/* What it says again and again: the last of each is all that counts. */
static const char *const repeated[] = {"READY=1", "WATCHDOG=1", "STATUS=", "EXTEND_TIMEOUT_USEC="};
#define N_REPEATED (sizeof(repeated) / sizeof(*repeated))

struct said {
	char text[LIMIT_NOTIFICATION_BYTES];
	size_t n_bytes;
	pid_t sender;
};

/* The line's bit, or 0 if it is none of those. */
static unsigned int kind_of(const char *line, size_t n_bytes)
{
	for (size_t i = 0; i < N_REPEATED; i++) {
		size_t length = strlen(repeated[i]);
		bool is_open = repeated[i][length - 1] == '=';

		if ((is_open ? n_bytes >= length : n_bytes == length) &&
			memcmp(line, repeated[i], length) == 0)
			return 1u << i;
	}
	return 0;
}

/* The length of the line at the start of text, with its end. */
static size_t line_bytes(const char *text, size_t n_bytes, size_t *ret_without_end)
{
	const char *end = memchr(text, '\n', n_bytes);

	*ret_without_end = end ? (size_t)(end - text) : n_bytes;
	return *ret_without_end + (end ? 1 : 0);
}

/* The bits of its lines; 0 if there is any other, or a zero byte, which ends a line for who reads
 * it. */
static unsigned int kinds_of(const char *text, size_t n_bytes)
{
	unsigned int kinds = 0;
	size_t length, n;

	if (memchr(text, 0, n_bytes))
		return 0;
	for (; n_bytes > 0; text += n, n_bytes -= n) {
		unsigned int kind;

		n = line_bytes(text, n_bytes, &length);
		kind = kind_of(text, length);
		if (!kind && length > 0)
			return 0;
		kinds |= kind;
	}
	return kinds;
}

/* Adds to said what was said before and is not said again. False if that is too long. */
static bool add_former(struct said *said, const char *text, size_t n_bytes)
{
	unsigned int kinds = kinds_of(said->text, said->n_bytes);
	size_t length, n;

	for (; n_bytes > 0; text += n, n_bytes -= n) {
		n = line_bytes(text, n_bytes, &length);
		if (length == 0 || kind_of(text, length) & kinds)
			continue;
		if (said->n_bytes + 1 + length > sizeof(said->text))
			return false;
		said->text[said->n_bytes++] = '\n';
		memcpy(said->text + said->n_bytes, text, length);
		said->n_bytes += length;
	}
	return true;
}

/* In place of last, with what that says besides. */
static bool merge(const struct store_entry *last, struct said *said)
{
	struct said whole = *said;

	if (!last || last->number != (uint32_t)said->sender ||
		!kinds_of(last->bytes, last->n_bytes) || !kinds_of(said->text, said->n_bytes) ||
		!add_former(&whole, last->bytes, last->n_bytes))
		return false;
	*said = whole;
	return true;
}

/* The key of the number-th message of socket's instance. */
static struct store_entry *find(const struct store *store, const struct store_entry *socket,
	unsigned int number, char ret_key[static LIMIT_KEY_CHARS + 1])
{
	(void)snprintf(ret_key, LIMIT_KEY_CHARS + 1, KEEP_HEARD "%s/%u",
		socket->key + strlen(KEEP_INSTANCE), number);
	return store_find(store, ret_key);
}

/* -ENOSPC when there are too many already, -ENOMEM. */
static int hold(struct store *store, const struct store_entry *socket, struct said *said)
{
	struct keep_message message = {.number = (uint32_t)said->sender};
	struct store_entry *last = NULL, *entry;
	unsigned int n = 0;
	int r;

	while ((entry = find(store, socket, n, message.key)) && ++n)
		last = entry;
	if (merge(last, said))
		(void)strcpy(message.key, last->key);
	else if (n == HEARING_MESSAGES_MAX)
		return -ENOSPC;
	message.bytes = malloc(said->n_bytes + 1);
	if (!message.bytes)
		return -ENOMEM;
	memcpy(message.bytes, said->text, said->n_bytes);
	message.bytes[said->n_bytes] = '\0';
	message.n_bytes = said->n_bytes;
	r = store_put(store, &message);
	if (r == 0)
		store_find(store, message.key)->number = message.number;
	free(message.bytes);
	return r;
}

/* -errno when what is first there has to wait for a supervisor: what comes with descriptors does,
 * which are not ours to take. */
static int hear(struct store *store, const struct store_entry *socket)
{
	struct said said;
	struct iovec iov = {said.text, sizeof(said.text)};
	bool has_fds;
	ssize_t n = passing_peek(socket->fds[0], &iov, 1, &said.sender, &has_fds);
	int r = 0;

	if (n < 0)
		return n == -EAGAIN ? 0 : (int)n;
	if (has_fds)
		return -EBUSY;
	said.n_bytes = (size_t)n;
	if (n > 0)
		r = hold(store, socket, &said);
	if (r == 0)
		(void)recv(socket->fds[0], &(char){0}, 1, MSG_DONTWAIT);
	return r;
}

void hearing_begin(struct hearing *hearing, const struct store *store)
{
	hearing->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (hearing->epoll_fd < 0)
		return;
	for (struct store_entry *entry = store->first; entry; entry = entry->next) {
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = entry};

		if (entry->n_fds > 0 &&
			strncmp(entry->key, KEEP_INSTANCE, strlen(KEEP_INSTANCE)) == 0)
			(void)epoll_ctl(hearing->epoll_fd, EPOLL_CTL_ADD, entry->fds[0], &event);
	}
}

void hearing_end(struct hearing *hearing)
{
	descriptor_close(&hearing->epoll_fd);
}

void hearing_dispatch(struct hearing *hearing, struct store *store)
{
	struct epoll_event events[TURN];
	int n = epoll_wait(hearing->epoll_fd, events, TURN, 0);

	for (int i = 0; i < n; i++) {
		const struct store_entry *socket = events[i].data.ptr;

		if (hear(store, socket) < 0)
			(void)epoll_ctl(hearing->epoll_fd, EPOLL_CTL_DEL, socket->fds[0], NULL);
	}
}
