/*
 * A ring a task, in which everything knows its neighbours: entering and leaving need no memory
 * and cannot fail.
 */

#include <stddef.h>

#include "libclient/owned.h"
#include "libclient/scheduler.h"
#include "libclient/task.h"

void belongings_init(struct belongings *belongings)
{
	struct owned *ring = &belongings->ring;

	*ring = (struct owned){.next = ring, .previous = ring};
}

void belongings_close(struct belongings *belongings)
{
	while (belongings->ring.next != &belongings->ring)
		belongings->ring.next->close(belongings->ring.next);
}

void owned_leave(struct owned *owned)
{
	if (!owned->next)
		return;
	owned->next->previous = owned->previous;
	owned->previous->next = owned->next;
	owned->next = owned->previous = NULL;
}

void owned_enter(struct owned *owned, void (*close)(struct owned *owned))
{
	struct inko_task *task = scheduler_running_task();
	struct owned *ring;

	owned_leave(owned);
	if (!task)
		return;
	ring = &task->belongings.ring;
	*owned = (struct owned){.next = ring->next, .previous = ring, .close = close};
	ring->next->previous = owned;
	ring->next = owned;
}
