#pragma once

/*
 * What a task is for the rest of libinko.
 */

#include <stdbool.h>

#include "libclient/mailbox.h"
#include "libclient/owned.h"
#include "libclient/stack.h"
#include "libclient/switch.h"
#include "libclient/task-mailbox.h"
#include "libclient/timers.h"
#include "libclient/wait-list.h"

#include <inko/task.h>

struct inko_task {
	unsigned int n_references;
	struct inko_runtime *runtime;	   /* NULL once it has ended */
	struct inko_task *next, *previous; /* of all in the runtime */

	struct switch_context context;
	struct stack *stack;
	int (*function)(struct inko_mailbox *mailbox, void *argument);
	void *argument;

	struct inko_task *next_ready;
	struct timer timer;
	bool parked, cancelled, returned;
	int woken_with;

	struct inko_mailbox mailbox;
	struct task_queue queue; /* behind the mailbox */
	struct belongings belongings;

	int result;
	struct wait_list joining;
	void (*on_end)(int result, void *context);
	void *on_end_context;
	char name[];
};

/* Its function has returned and nobody stands on its stack: closes what it owned, tells who wants
 * to know, and lets the runtime's reference go. */
void task_end(struct inko_task *task);
