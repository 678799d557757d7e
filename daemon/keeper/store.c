/*
 * A search tree for the keys, and a list for the order: a process finds its siblings in the order
 * in which they were made, and an answer that is sent piece by piece has a place to go on.
 */

#include "daemon/keeper/store.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/descriptor.h"

/* More than the lines of a pidfd. */
#define FDINFO_BYTES 512

static int compare_keys(const void *a, const void *b)
{
	return strcmp(((const struct store_entry *)a)->key, ((const struct store_entry *)b)->key);
}

struct store_entry *store_find(const struct store *store, const char *key)
{
	struct store_entry wanted = {.key = key};
	void *node = tfind(&wanted, &store->tree, compare_keys);

	return node ? *(struct store_entry **)node : NULL;
}

static void close_fds(struct store *store, struct store_entry *entry)
{
	for (size_t i = 0; i < entry->n_fds; i++)
		descriptor_close(&entry->fds[i]);
	store->n_fds -= entry->n_fds;
	entry->n_fds = 0;
}

static void append(struct store *store, struct store_entry *entry)
{
	entry->previous = store->last;
	if (store->last)
		store->last->next = entry;
	else
		store->first = entry;
	store->last = entry;
	store->n_keys++;
}

static void unlink_entry(struct store *store, struct store_entry *entry)
{
	if (entry->previous)
		entry->previous->next = entry->next;
	else
		store->first = entry->next;
	if (entry->next)
		entry->next->previous = entry->previous;
	else
		store->last = entry->previous;
	store->n_keys--;
}

/* An entry that holds nothing yet. */
static struct store_entry *add(struct store *store, const char *key)
{
	size_t key_bytes = strlen(key) + 1;
	struct store_entry *entry = calloc(1, sizeof(*entry) + key_bytes);

	if (!entry)
		return NULL;
	entry->key = memcpy(entry + 1, key, key_bytes);
	if (!tsearch(entry, &store->tree, compare_keys)) {
		free(entry);
		return NULL;
	}
	append(store, entry);
	return entry;
}

static void discard(struct store *store, struct store_entry *entry)
{
	(void)tdelete(entry, &store->tree, compare_keys);
	unlink_entry(store, entry);
	close_fds(store, entry);
	free(entry->bytes);
	free(entry);
}

/* The process that fd is a pidfd of; 0 when it is none, or the process is gone. See proc(5). */
static pid_t read_pid(int fd)
{
	char path[sizeof("/proc/self/fdinfo/") + 3 * sizeof(fd)], text[FDINFO_BYTES];
	_cleanup_close_ int info_fd = -1;
	const char *line;
	ssize_t size;
	long pid;

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (info_fd < 0)
		return 0;
	size = read(info_fd, text, sizeof(text) - 1);
	if (size <= 0)
		return 0;
	text[size] = '\0';
	line = strstr(text, "\nPid:");
	pid = line ? strtol(line + strlen("\nPid:"), NULL, 10) : 0;
	return pid > 0 ? (pid_t)pid : 0;
}

void store_init(struct store *store, size_t max_keys, size_t max_fds)
{
	*store = (struct store){.max_keys = max_keys, .max_fds = max_fds};
}

void store_done(struct store *store)
{
	while (store->first)
		discard(store, store->first);
}

static bool has_room(const struct store *store, const struct store_entry *entry, size_t n_fds)
{
	if (!entry && store->n_keys >= store->max_keys)
		return false;
	return store->n_fds - (entry ? entry->n_fds : 0) + n_fds <= store->max_fds;
}

static void take_bytes(struct store_entry *entry, struct keep_message *message)
{
	free(entry->bytes);
	entry->bytes = message->bytes;
	entry->n_bytes = message->n_bytes;
	message->bytes = NULL;
}

int store_put(struct store *store, struct keep_message *take_message)
{
	struct passed *passed = &take_message->passed;
	struct store_entry *entry = store_find(store, take_message->key);

	if (passed->n_fds > LIMIT_KEY_FDS || !has_room(store, entry, passed->n_fds))
		return -ENOSPC;
	if (!entry)
		entry = add(store, take_message->key);
	if (!entry)
		return -ENOMEM;
	close_fds(store, entry);
	memcpy(entry->fds, passed->fds, passed->n_fds * sizeof(int));
	entry->n_fds = (uint8_t)passed->n_fds;
	store->n_fds += passed->n_fds;
	passed->n_fds = 0;
	entry->pid = entry->n_fds > 0 ? read_pid(entry->fds[0]) : 0;
	entry->number = 0;
	entry->untold = false;
	take_bytes(entry, take_message);
	return 0;
}

int store_update(struct store *store, struct keep_message *take_message)
{
	struct store_entry *entry = store_find(store, take_message->key);

	if (!entry)
		return -ENOENT;
	take_bytes(entry, take_message);
	return 0;
}

void store_drop(struct store *store, const char *key)
{
	struct store_entry *entry = store_find(store, key);

	if (entry)
		discard(store, entry);
}

bool store_is_socket(const struct store_entry *entry)
{
	return strncmp(entry->key, KEEP_SOCKET, strlen(KEEP_SOCKET)) == 0;
}

struct store_entry *store_find_pid(
	const struct store *store, const struct store_entry *from, pid_t pid)
{
	struct store_entry *entry = from ? from->next : store->first;

	while (entry && entry->pid != pid)
		entry = entry->next;
	return entry;
}
