#pragma once

/*
 * What the keeper holds: bytes and descriptors under keys, in the order in which they came.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/keep.h"

/* Far above what one host's actors need; a supervisor in a loop must not fill the memory. */
#define STORE_KEYS_MAX 100000

struct store_entry {
	const char *key;
	char *bytes;
	size_t n_bytes;
	struct store_entry *previous, *next;
	int fds[LIMIT_KEY_FDS];
	uint8_t n_fds;
	bool untold;	 /* number is news for the supervisor */
	pid_t pid;	 /* of the first descriptor if it is a pidfd, else 0 */
	uint32_t number; /* how that process ended: see KEEP_EXITED; 0 unless it did. Or who said
			  * it: see KEEP_HEARD */
};

struct store {
	void *tree; /* tsearch(3) of entries by key */
	struct store_entry *first, *last;
	size_t n_keys, n_fds;
	size_t max_keys, max_fds;
	bool has_untold; /* an entry may be */
};

void store_init(struct store *store, size_t max_keys, size_t max_fds);
void store_done(struct store *store);

/* Holds message's bytes and descriptors, which are taken on success, under its key, in place of
 * what it held. -ENOSPC over a maximum, -ENOMEM; what it held then stays. */
int store_put(struct store *store, struct keep_message *take_message);
/* Puts message's bytes, taken on success, in place of the key's. -ENOENT. */
int store_update(struct store *store, struct keep_message *take_message);
/* Closes what key holds and forgets it; nothing if there is no such key. */
void store_drop(struct store *store, const char *key);

/* Is it a socket that the keeper was given (KEEP_SOCKET)? */
bool store_is_socket(const struct store_entry *entry);
/* What is held under key, or NULL. */
struct store_entry *store_find(const struct store *store, const char *key);
/* The next entry behind from (NULL: the first) whose first descriptor was, when it was put, a
 * pidfd of the process pid. May be NULL. */
struct store_entry *store_find_pid(
	const struct store *store, const struct store_entry *from, pid_t pid);
