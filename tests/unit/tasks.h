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

/* What function returns in a task, with nothing else beside it. */
static inline int in_a_task(task_function function, void *argument)
{
	struct inko_runtime *runtime = runtime_make();
	struct inko_task *task = start(runtime, "alone", function, argument);
	int result;

	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(inko_task_join(task, &result), 0);
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
