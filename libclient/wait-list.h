#pragma once

/*
 * Tasks that wait for what no descriptor tells: room in a mailbox, the end of another task. All
 * of it happens in the thread of their runtime.
 */

#include <stdbool.h>

struct inko_task;

/* One that waits; on its own stack. */
struct wait_entry {
	struct inko_task *task;
	struct wait_list *list; /* NULL once it was woken */
	struct wait_entry *next, *previous;
};

/* All zero is empty. */
struct wait_list {
	struct wait_entry *first, *last;
};

void wait_list_append(struct wait_list *list, struct wait_entry *entry, struct inko_task *task);
/* Nothing when it was woken before. */
void wait_list_remove(struct wait_entry *entry);
/* Wakes who has waited longest. */
void wait_list_wake_one(struct wait_list *list);
void wait_list_wake_all(struct wait_list *list);
