#pragma once

/*
 * What tests of tasks have in common.
 */

#include "tests/unit/leaks.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libclient/wait.h"

#include <inko/socket.h>
#include <inko/task.h>

/* Long enough for what happens at once, and in vain otherwise. */
#define SOON_USEC 20000

/* What happened, a letter each. */
struct record {
	char text[256];
	size_t n;
};

static inline void record_add(struct record *record, char letter)
{
	assert_true(record->n < sizeof(record->text) - 1);
	record->text[record->n++] = letter;
	record->text[record->n] = '\0';
}

static inline struct inko_runtime *runtime_make(void)
{
	struct inko_runtime *runtime;

	assert_int_equal(inko_runtime_new(&runtime), 0);
	return runtime;
}

typedef int (*task_function)(struct inko_mailbox *mailbox, void *argument);

static inline struct inko_task *start(
	struct inko_runtime *runtime, const char *name, task_function function, void *argument)
{
	struct inko_task *task;

	assert_int_equal(inko_task_spawn(runtime, name, function, argument, &task), 0);
	return task;
}

static inline void start_detached(
	struct inko_runtime *runtime, const char *name, task_function function, void *argument)
{
	assert_int_equal(inko_task_spawn(runtime, name, function, argument, NULL), 0);
}

/* Runs all tasks to their end, and frees the runtime. */
static inline void finish(struct inko_runtime *runtime)
{
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(inko_runtime_count_tasks(runtime), 0);
	assert_null(inko_runtime_free(runtime));
}

/* Takes a task that has ended, or that another task is to wait for: what its function returned. */
static inline int result_of(struct inko_task *take_task)
{
	int result;

	assert_int_equal(inko_task_join(take_task, &result), 0);
	return result;
}

/* What function returns in a task, with nothing else beside it. */
static inline int in_a_task(task_function function, void *argument)
{
	struct inko_runtime *runtime = runtime_make();
	struct inko_task *task = start(runtime, "alone", function, argument);
	int result;

	assert_int_equal(inko_runtime_run(runtime), 0);
	result = result_of(task);
	finish(runtime);
	return result;
}

static inline void pair_make(struct inko_socket **ret_a, struct inko_socket **ret_b)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(inko_socket_adopt(&fds[0], ret_a), 0);
	assert_int_equal(inko_socket_adopt(&fds[1], ret_b), 0);
}

/* The same, and the running task has waited for the first: it is in the runtime's epoll, and has a
 * deadline that has come. */
static inline void pair_make_watched(struct inko_socket **ret_a, struct inko_socket **ret_b)
{
	char byte;

	pair_make(ret_a, ret_b);
	inko_socket_set_deadline(*ret_a, wait_now_usec() + 1000);
	assert_int_equal(inko_socket_read(*ret_a, &byte, 1), -ETIMEDOUT);
}

static inline struct inko_message *message_make(const char *text)
{
	struct inko_message *message;

	assert_int_equal(inko_message_new(text, strlen(text), &message), 0);
	return message;
}

static inline void expect_text(struct inko_message *message, const char *text)
{
	assert_string_equal(inko_message_peek_bytes(message, NULL), text);
	inko_message_free(message);
}
