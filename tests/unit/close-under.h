#pragma once

/*
 * A socket that is closed while a task is in a call on it.
 */

#include "tests/unit/leaks.h"

#include <inko/socket.h>
#include <inko/task.h>

/* Runs function in a task, and once that waits closes *socket, which it waits for or with: what the
 * function returned. */
static inline int close_under(int (*function)(struct inko_mailbox *mailbox, void *argument),
	void *argument, struct inko_socket **socket)
{
	struct inko_runtime *runtime;
	struct inko_task *task;
	int result = 0;

	assert_int_equal(inko_runtime_new(&runtime), 0);
	assert_int_equal(inko_task_spawn(runtime, "waits", function, argument, &task), 0);
	assert_int_equal(inko_runtime_dispatch(runtime), 1);
	*socket = inko_socket_close(*socket);
	/* It is told at once, and not when something else comes. */
	assert_int_equal(inko_runtime_dispatch(runtime), 0);
	assert_int_equal(inko_task_join(task, &result), 0);
	assert_null(inko_runtime_free(runtime));
	return result;
}
