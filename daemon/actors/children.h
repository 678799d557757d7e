#pragma once

/*
 * Those that inko-stdio has started and that have not ended, each with its client's address.
 * One is waited for after it was added and not before: until then its pid is nobody else's.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <inko/inko.h>

struct child {
	pid_t pid;
	bool has_source;
	struct inko_address source;
};

struct children {
	struct child *all; /* n of them; there is room for max */
	size_t n, max;
};

/* -ENOMEM. */
int children_init(struct children *children, size_t max);
void children_done(struct children *children);

/* There is room. It may have ended already. */
void children_add(struct children *children, const struct child *child);
/* Sends all of them that signal. */
void children_kill(const struct children *children, int number);
bool child_is_of(const struct child *child, const struct inko_ip *source);
/* How many have a client with that address. */
size_t children_count_of(const struct children *children, const struct inko_ip *source);

/* Waits for one that has ended, and forgets it: its pid, or 0 when there is none, or the next that
 * has ended was not added yet. It is there after children_add, then. */
pid_t children_reap(struct children *children, int *ret_status);
