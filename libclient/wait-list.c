/*
 * Lists of waiting tasks. Who is woken leaves the list at once, so that the next to be woken is
 * somebody else.
 */

#include <stddef.h>

#include "libclient/scheduler.h"
#include "libclient/wait-list.h"

void wait_list_append(struct wait_list *list, struct wait_entry *entry, struct inko_task *task)
{
	*entry = (struct wait_entry){.task = task, .list = list, .previous = list->last};
	if (list->last)
		list->last->next = entry;
	else
		list->first = entry;
	list->last = entry;
}

void wait_list_remove(struct wait_entry *entry)
{
	struct wait_list *list = entry->list;

	if (!list)
		return;
	*(entry->previous ? &entry->previous->next : &list->first) = entry->next;
	*(entry->next ? &entry->next->previous : &list->last) = entry->previous;
	entry->list = NULL;
}

void wait_list_wake_one(struct wait_list *list)
{
	bool woken = false;

	/* One that its deadline woke, and that has not run since, would not use it. */
	while (list->first && !woken) {
		struct wait_entry *entry = list->first;

		wait_list_remove(entry);
		woken = scheduler_wake(entry->task, 0);
	}
}

void wait_list_wake_all(struct wait_list *list)
{
	while (list->first)
		wait_list_wake_one(list);
}
