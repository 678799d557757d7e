/*
 * Messages between tasks.
 */

#include "tests/unit/tasks.h"

#include <stdbool.h>

#include "libclient/socket.h"
#include "libclient/task-mailbox.h"

static int receive_all(struct inko_mailbox *mailbox, void *argument)
{
	struct record *record = argument;
	struct inko_message *message;
	int n = 0, r;

	while ((r = inko_mailbox_receive(mailbox, &message)) == 0) {
		const char *text = inko_message_peek_bytes(message, NULL);
		bool last = *text == '.';

		assert_int_equal(inko_message_get_kind(message), INKO_MESSAGE);
		assert_int_not_equal(inko_message_get_time(message), 0);
		if (record)
			record_add(record, *text);
		n++;
		inko_message_free(message);
		if (last)
			return n;
	}
	return r;
}

static void send_text(struct inko_task *task, const char *text)
{
	assert_int_equal(inko_mailbox_send(inko_task_get_mailbox(task), message_make(text)), 0);
}

static void test_order(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct record record = {0};
	struct inko_task *task = start(runtime, "x", receive_all, &record);

	(void)state;
	send_text(task, "a");
	assert_int_equal(inko_runtime_dispatch(runtime), 1);
	send_text(task, "b");
	send_text(task, "c");
	send_text(task, ".");
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_string_equal(record.text, "abc.");
	assert_int_equal(result_of(task), 4);
	finish(runtime);
}

/* The bound */

static void test_bound_outside(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct inko_task *task = start(runtime, "x", receive_all, NULL);
	struct inko_mailbox *mailbox = inko_task_get_mailbox(task);
	struct inko_message *message = message_make(".");

	(void)state;
	assert_int_equal(inko_mailbox_room(mailbox), TASK_MAILBOX_MAX);
	for (int i = 0; i < TASK_MAILBOX_MAX; i++)
		send_text(task, "x");
	assert_int_equal(inko_mailbox_room(mailbox), 0);
	assert_int_equal(inko_mailbox_try_send(mailbox, message), -EAGAIN);
	/* Nobody would run who makes room. */
	assert_int_equal(inko_mailbox_send(mailbox, message), -EDEADLK);
	assert_int_equal(inko_runtime_dispatch(runtime), 1);
	assert_int_equal(inko_mailbox_send(mailbox, message), 0);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(result_of(task), TASK_MAILBOX_MAX + 1);
	finish(runtime);
}

#define MANY 1000

static int send_many(struct inko_mailbox *mailbox, void *argument)
{
	struct inko_task *to = argument;

	(void)mailbox;
	for (int i = 0; i < MANY; i++)
		send_text(to, i == MANY - 1 ? "." : "x");
	inko_task_unref(to);
	return 0;
}

static void test_senders_wait_for_room(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct inko_task *task = start(runtime, "receiver", receive_all, NULL);

	(void)state;
	start_detached(runtime, "sender", send_many, inko_task_ref(task));
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(result_of(task), MANY);
	finish(runtime);
}

static int send_one(struct inko_mailbox *mailbox, void *argument)
{
	struct inko_message *message = message_make("x");

	(void)mailbox;
	return inko_mailbox_send(inko_task_get_mailbox(argument), message);
}

struct gate {
	bool open;
	int n_left;
};

/* Begins once the gate is open. */
static int receive_behind_gate(struct inko_mailbox *mailbox, void *argument)
{
	struct gate *gate = argument;
	struct inko_message *message;

	while (!gate->open)
		assert_int_equal(inko_task_yield(), 0);
	for (; gate->n_left > 0; gate->n_left--) {
		assert_int_equal(inko_mailbox_receive(mailbox, &message), 0);
		inko_message_free(message);
	}
	/* Who was woken sends before this ends. */
	return inko_task_yield();
}

#define SENDERS 10

/* One that gave up, and that has not run since, leaves its turn to the next. */
static void test_every_waiting_sender_has_its_turn(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct gate gate = {.n_left = SENDERS - 1};
	struct inko_task *task = start(runtime, "gated", receive_behind_gate, &gate);
	struct inko_task *senders[SENDERS];

	(void)state;
	for (int i = 0; i < TASK_MAILBOX_MAX; i++)
		send_text(task, "x");
	for (int i = 0; i < SENDERS; i++)
		senders[i] = start(runtime, "sender", send_one, task);
	assert_int_equal(inko_runtime_dispatch(runtime), SENDERS + 1);
	/* Behind the other one, which yields. */
	inko_task_cancel(senders[0]);
	gate.open = true;
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(result_of(senders[0]), -ECANCELED);
	for (int i = 1; i < SENDERS; i++)
		assert_int_equal(result_of(senders[i]), 0);
	inko_task_unref(task);
	finish(runtime);
}

static int send_to_self(struct inko_mailbox *mailbox, void *argument)
{
	struct inko_message *message;
	int r;

	(void)argument;
	for (int i = 0; i < TASK_MAILBOX_MAX; i++)
		assert_int_equal(inko_mailbox_send(mailbox, message_make("x")), 0);
	message = message_make("one too many");
	r = inko_mailbox_send(mailbox, message);
	/* What waits in it goes with the task. */
	return r;
}

static void test_full_of_own_messages(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct inko_task *task = start(runtime, "self", send_to_self, NULL);

	(void)state;
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(result_of(task), -EDEADLK);
	finish(runtime);
}

/* Ends */

static int end_at_once(struct inko_mailbox *mailbox, void *argument)
{
	(void)mailbox, (void)argument;
	return 0;
}

static void test_to_an_ended_task(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct inko_task *task = start(runtime, "x", end_at_once, NULL);
	struct inko_message *message = message_make("late");

	(void)state;
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(inko_mailbox_send(inko_task_get_mailbox(task), message), -EPIPE);
	assert_int_equal(inko_mailbox_try_send(inko_task_get_mailbox(task), message), -EPIPE);
	inko_message_free(message);
	inko_task_unref(task);
	finish(runtime);
}

static int sleep_then_end(struct inko_mailbox *mailbox, void *argument)
{
	(void)mailbox, (void)argument;
	return inko_task_sleep(wait_now_usec() + SOON_USEC);
}

static void test_senders_hear_of_the_end(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct inko_task *task = start(runtime, "x", sleep_then_end, NULL);
	struct inko_task *senders[3];

	(void)state;
	for (int i = 0; i < TASK_MAILBOX_MAX; i++)
		send_text(task, "x");
	for (int i = 0; i < 3; i++)
		senders[i] = start(runtime, "sender", send_one, task);
	assert_int_equal(inko_runtime_run(runtime), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(result_of(senders[i]), -EPIPE);
	inko_task_unref(task);
	finish(runtime);
}

static void test_undelivered_sockets_are_closed(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct inko_task *task = start(runtime, "x", end_at_once, NULL);
	struct inko_message *message = message_make("");
	struct inko_socket *a, *b;
	char byte;

	(void)state;
	pair_make(&a, &b);
	assert_int_equal(inko_message_push_socket(message, a), 0);
	assert_int_equal(inko_mailbox_send(inko_task_get_mailbox(task), message), 0);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(inko_socket_read(b, &byte, 1), 0);
	inko_socket_close(b);
	inko_task_unref(task);
	finish(runtime);
}

/* Whose it is */

static int try_to_receive(struct inko_mailbox *mailbox, void *argument)
{
	struct inko_message *message;
	int r = inko_mailbox_receive(argument, &message);

	assert_int_equal(inko_mailbox_try_receive(mailbox, &message), -EAGAIN);
	assert_int_equal(inko_mailbox_try_receive(argument, &message), r);
	return r;
}

static void test_only_its_task_receives(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct inko_task *task = start(runtime, "x", receive_all, NULL), *other;
	struct inko_mailbox *mailbox = inko_task_get_mailbox(task);
	struct inko_message *message;

	(void)state;
	other = start(runtime, "other", try_to_receive, mailbox);
	assert_int_equal(inko_mailbox_receive(mailbox, &message), -EOPNOTSUPP);
	assert_int_equal(inko_mailbox_get_fd(mailbox), -EOPNOTSUPP);
	assert_null(inko_mailbox_close(mailbox));
	assert_int_equal(inko_runtime_dispatch(runtime), 1);
	assert_int_equal(result_of(other), -EOPNOTSUPP);
	send_text(task, ".");
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(result_of(task), 1);
	finish(runtime);
}

static void test_across_runtimes(void **state)
{
	struct inko_runtime *one = runtime_make(), *other = runtime_make();
	struct inko_task *task = start(one, "x", receive_all, NULL);
	struct inko_task *sender = start(other, "sender", send_one, task);

	(void)state;
	assert_int_equal(inko_runtime_run(other), 0);
	assert_int_equal(result_of(sender), -EXDEV);
	send_text(task, ".");
	assert_int_equal(inko_runtime_run(one), 0);
	assert_int_equal(result_of(task), 1);
	finish(one);
	finish(other);
}

/* Sockets */

struct handed {
	struct inko_socket *socket;
	struct inko_task *to;
};

static int pass_socket(struct inko_mailbox *mailbox, void *argument)
{
	struct handed *handed = argument;
	struct inko_message *message = message_make("");
	struct inko_socket *a, *b;

	(void)mailbox;
	/* It has a watch, and a deadline. */
	pair_make_watched(&a, &b);
	inko_socket_set_deadline(a, UINT64_MAX / 2);
	assert_non_null(a->watch);
	handed->socket = a;
	assert_int_equal(inko_message_push_socket(message, a), 0);
	assert_int_equal(inko_message_count_sockets(message), 1);
	assert_int_equal(inko_mailbox_send(inko_task_get_mailbox(handed->to), message), 0);
	/* The receiver has it before this one, which owned it, ends. */
	return inko_socket_write_string(b, "x");
}

static int take_socket(struct inko_mailbox *mailbox, void *argument)
{
	struct handed *handed = argument;
	struct inko_message *message;
	struct inko_socket *socket;
	char byte;

	assert_int_equal(inko_mailbox_receive(mailbox, &message), 0);
	assert_int_equal(inko_message_take_socket(message, &socket), 0);
	assert_int_equal(inko_message_take_socket(message, &socket), -ENOENT);
	inko_message_free(message);
	assert_ptr_equal(socket, handed->socket);
	assert_non_null(socket->watch);
	assert_int_equal(socket->deadline_usec, UINT64_MAX / 2);
	return (int)inko_socket_read(socket, &byte, 1);
}

static void test_sockets_move_as_they_are(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct handed handed = {0};

	(void)state;
	handed.to = start(runtime, "taker", take_socket, &handed);
	start_detached(runtime, "passer", pass_socket, &handed);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(result_of(handed.to), 1);
	finish(runtime);
}

static int take_many(struct inko_mailbox *mailbox, void *argument)
{
	struct inko_message *message;
	int n = 0;

	(void)argument;
	assert_int_equal(inko_mailbox_receive(mailbox, &message), 0);
	while (n < 10) {
		struct inko_socket *socket;

		assert_int_equal(inko_message_take_socket(message, &socket), 0);
		n++;
	}
	return (int)inko_message_count_sockets(message);
}

static void test_many_sockets(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct inko_task *task = start(runtime, "x", take_many, NULL);
	struct inko_message *message = message_make("");

	(void)state;
	for (int i = 0; i < 10; i++) {
		struct inko_socket *a, *b;

		pair_make(&a, &b);
		assert_int_equal(inko_message_push_socket(message, a), 0);
		assert_int_equal(inko_message_push_socket(message, b), 0);
	}
	assert_int_equal(inko_mailbox_send(inko_task_get_mailbox(task), message), 0);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(result_of(task), 10);
	finish(runtime);
}

static void test_take_as_descriptor(void **state)
{
	struct inko_message *message = message_make("");
	struct inko_socket *a, *b;
	int number, fd;

	(void)state;
	pair_make(&a, &b);
	number = inko_socket_get_fd(a);
	assert_int_equal(inko_message_push_socket(message, a), 0);
	assert_int_equal(inko_message_take_fd(message, &fd), 0);
	assert_int_equal(fd, number);
	inko_message_free(message);
	assert_int_equal(close(fd), 0);
	inko_socket_close(b);
}

/* Answers */

static int reply_twice(struct inko_mailbox *mailbox, void *argument)
{
	struct inko_message *question;

	(void)argument;
	assert_int_equal(inko_mailbox_receive(mailbox, &question), 0);
	assert_int_equal(inko_message_reply(question, message_make("one")), 0);
	assert_int_equal(inko_message_reply(question, message_make("two")), 0);
	inko_message_free(question);
	return 0;
}

static int ask(struct inko_mailbox *mailbox, void *argument)
{
	struct inko_message *question = message_make("?"), *answer;

	inko_message_set_correlation(question, 42);
	assert_int_equal(inko_mailbox_send(inko_task_get_mailbox(argument), question), 0);
	assert_int_equal(inko_mailbox_receive(mailbox, &answer), 0);
	assert_int_equal(inko_message_get_kind(answer), INKO_ANSWER);
	assert_int_equal(inko_message_get_correlation(answer), 42);
	expect_text(answer, "one");
	assert_int_equal(inko_mailbox_receive(mailbox, &answer), 0);
	expect_text(answer, "two");
	return 0;
}

static void test_reply(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct inko_task *answers = start(runtime, "answers", reply_twice, NULL);

	(void)state;
	start_detached(runtime, "asks", ask, answers);
	assert_int_equal(inko_runtime_run(runtime), 0);
	inko_task_unref(answers);
	finish(runtime);
}

static int reply_in_vain(struct inko_mailbox *mailbox, void *argument)
{
	struct inko_message *question, *answer = message_make("");
	int r;

	(void)argument;
	assert_int_equal(inko_mailbox_receive(mailbox, &question), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(inko_task_yield(), 0);
	r = inko_message_reply(question, answer);
	inko_message_free(answer);
	inko_message_free(question);
	return r;
}

static void test_nobody_to_reply_to(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct inko_task *first = start(runtime, "first", reply_in_vain, NULL);
	struct inko_task *second = start(runtime, "second", reply_in_vain, NULL);

	(void)state;
	/* Who is no task receives no answers; and one that has ended neither. */
	send_text(first, "from outside");
	start_detached(runtime, "sender", send_one, second);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(result_of(first), -ENOTCONN);
	assert_int_equal(result_of(second), -ENOTCONN);
	finish(runtime);
}

static int pass_on(struct inko_mailbox *mailbox, void *argument)
{
	struct inko_message *message;

	assert_int_equal(inko_mailbox_receive(mailbox, &message), 0);
	return inko_mailbox_send(inko_task_get_mailbox(argument), message);
}

/* Who asked first is answered, whoever passes the question on. */
static void test_reply_to_who_asked_first(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct inko_task *answers = start(runtime, "answers", reply_twice, NULL);
	struct inko_task *between = start(runtime, "between", pass_on, answers);

	(void)state;
	start_detached(runtime, "asks", ask, between);
	assert_int_equal(inko_runtime_run(runtime), 0);
	inko_task_unref(answers);
	inko_task_unref(between);
	finish(runtime);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(test_order),
		leaks_test(test_bound_outside),
		leaks_test(test_senders_wait_for_room),
		leaks_test(test_every_waiting_sender_has_its_turn),
		leaks_test(test_full_of_own_messages),
		leaks_test(test_to_an_ended_task),
		leaks_test(test_senders_hear_of_the_end),
		leaks_test(test_undelivered_sockets_are_closed),
		leaks_test(test_only_its_task_receives),
		leaks_test(test_across_runtimes),
		leaks_test(test_sockets_move_as_they_are),
		leaks_test(test_many_sockets),
		leaks_test(test_take_as_descriptor),
		leaks_test(test_reply),
		leaks_test(test_nobody_to_reply_to),
		leaks_test(test_reply_to_who_asked_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
