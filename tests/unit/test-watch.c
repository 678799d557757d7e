/*
 * Tasks that wait for sockets.
 */

#include "tests/unit/tasks.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "libclient/message.h"
#include "libclient/scheduler.h"
#include "libclient/socket.h"
#include "proto/lane.h"

#include <inko/tcp.h>
#include <inko/unix.h>

struct two {
	struct inko_socket *a, *b;
	struct record record;
	int result;
};

static void two_close(struct two *two)
{
	inko_socket_close(two->a);
	inko_socket_close(two->b);
}

/* Reading and writing */

static int read_text(struct inko_mailbox *mailbox, void *argument)
{
	struct two *two = argument;
	char buffer[16] = "";

	(void)mailbox;
	record_add(&two->record, 'r');
	assert_int_equal(inko_socket_read(two->a, buffer, sizeof(buffer)), 3);
	assert_string_equal(buffer, "abc");
	record_add(&two->record, 'R');
	return 0;
}

static int write_text(struct inko_mailbox *mailbox, void *argument)
{
	struct two *two = argument;

	(void)mailbox;
	record_add(&two->record, 'w');
	return inko_socket_write_string(two->b, "abc");
}

static void test_read_parks(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct two two = {0};

	(void)state;
	pair_make(&two.a, &two.b);
	start_detached(runtime, "reader", read_text, &two);
	start_detached(runtime, "writer", write_text, &two);
	finish(runtime);
	assert_string_equal(two.record.text, "rwR");
	two_close(&two);
}

#define MUCH (4 << 20)

static int write_much(struct inko_mailbox *mailbox, void *argument)
{
	char *much = calloc(1, MUCH);
	int r;

	(void)mailbox;
	assert_non_null(much);
	r = inko_socket_write_bytes(((struct two *)argument)->b, much, MUCH);
	free(much);
	return r;
}

static int read_much(struct inko_mailbox *mailbox, void *argument)
{
	struct two *two = argument;
	char buffer[4096];
	ssize_t n, total = 0;

	(void)mailbox;
	while (total < MUCH && (n = inko_socket_read(two->a, buffer, sizeof(buffer))) > 0)
		total += n;
	return total == MUCH ? 0 : 1;
}

static void test_write_parks(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct inko_task *writer, *reader;
	struct two two = {0};
	int result;

	(void)state;
	pair_make(&two.a, &two.b);
	writer = start(runtime, "writer", write_much, &two);
	reader = start(runtime, "reader", read_much, &two);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(inko_task_join(writer, &result), 0);
	assert_int_equal(result, 0);
	assert_int_equal(inko_task_join(reader, &result), 0);
	assert_int_equal(result, 0);
	finish(runtime);
	two_close(&two);
}

/* Both directions of one socket at a time, by two tasks. */
static int echo(struct inko_mailbox *mailbox, void *argument)
{
	struct two *two = argument;
	char buffer[4096];
	ssize_t n, total = 0;

	(void)mailbox;
	while (total < MUCH && (n = inko_socket_read(two->a, buffer, sizeof(buffer))) > 0) {
		assert_int_equal(inko_socket_write_bytes(two->a, buffer, (size_t)n), 0);
		total += n;
	}
	return 0;
}

static int read_back(struct inko_mailbox *mailbox, void *argument)
{
	struct two *two = argument;
	char buffer[4096];
	ssize_t n, total = 0;

	(void)mailbox;
	while (total < MUCH && (n = inko_socket_read(two->b, buffer, sizeof(buffer))) > 0)
		total += n;
	two->result = total == MUCH;
	return 0;
}

static void test_both_directions_at_a_time(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct two two = {0};

	(void)state;
	pair_make(&two.a, &two.b);
	start_detached(runtime, "echo", echo, &two);
	start_detached(runtime, "writer", write_much, &two);
	start_detached(runtime, "reader", read_back, &two);
	finish(runtime);
	assert_true(two.result);
	two_close(&two);
}

/* Listening and connecting */

struct served {
	struct inko_socket *listener;
	uint16_t port;
	unsigned int n_served;
};

static int answer(struct inko_mailbox *mailbox, void *argument)
{
	struct inko_message *message;
	struct inko_socket *client;
	char byte;

	(void)argument;
	assert_int_equal(inko_mailbox_receive(mailbox, &message), 0);
	assert_int_equal(inko_message_take_socket(message, &client), 0);
	inko_message_free(message);
	assert_int_equal(inko_socket_read(client, &byte, 1), 1);
	assert_int_equal(inko_socket_write_bytes(client, &byte, 1), 0);
	return 0;
}

#define CLIENTS 50

static int accept_clients(struct inko_mailbox *mailbox, void *argument)
{
	struct served *served = argument;

	(void)mailbox;
	for (; served->n_served < CLIENTS; served->n_served++) {
		struct inko_message *message = message_make("");
		struct inko_socket *client;
		struct inko_task *task;

		assert_int_equal(inko_socket_accept(served->listener, &client), 0);
		task = start(NULL, "answer", answer, NULL);
		assert_int_equal(inko_message_push_socket(message, client), 0);
		assert_int_equal(inko_mailbox_send(inko_task_get_mailbox(task), message), 0);
		inko_task_unref(task);
	}
	return 0;
}

static int ask(struct inko_mailbox *mailbox, void *argument)
{
	struct served *served = argument;
	struct inko_ip ip = inko_ip_v4(127, 0, 0, 1);
	struct inko_socket *server;
	char byte = 'x';

	(void)mailbox;
	assert_int_equal(inko_tcp_connect(&ip, served->port, &server), 0);
	assert_int_equal(inko_task_yield(), 0);
	assert_int_equal(inko_socket_write_bytes(server, &byte, 1), 0);
	assert_int_equal(inko_socket_read(server, &byte, 1), 1);
	assert_int_equal(inko_socket_read(server, &byte, 1), 0);
	return 0;
}

static void test_server_and_clients(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct inko_ip ip = inko_ip_v4(127, 0, 0, 1);
	struct served served = {0};
	struct inko_address address;

	(void)state;
	assert_int_equal(inko_tcp_listen(&ip, 0, &served.listener), 0);
	assert_int_equal(inko_socket_local_address(served.listener, &address), 0);
	served.port = address.port;
	start_detached(runtime, "accept", accept_clients, &served);
	for (int i = 0; i < CLIENTS; i++)
		start_detached(runtime, "ask", ask, &served);
	finish(runtime);
	assert_int_equal(served.n_served, CLIENTS);
	inko_socket_close(served.listener);
}

static int accept_until_shutdown(struct inko_mailbox *mailbox, void *argument)
{
	struct two *two = argument;
	struct inko_socket *client;
	int r;

	(void)mailbox;
	while ((r = inko_socket_accept(two->a, &client)) == 0) {
		inko_socket_close(client);
		record_add(&two->record, 'c');
		/* The end comes while nobody waits. */
		assert_int_equal(inko_task_sleep(wait_now_usec() + SOON_USEC), 0);
	}
	return r;
}

static int shut_listener_down(struct inko_mailbox *mailbox, void *argument)
{
	struct two *two = argument;
	struct inko_socket *client;
	char path[64];

	(void)mailbox;
	(void)snprintf(path, sizeof(path), "/tmp/inko-test-watch-%d", (int)getpid());
	assert_int_equal(inko_unix_connect(path, &client), 0);
	inko_socket_close(client);
	assert_int_equal(inko_task_yield(), 0);
	assert_int_equal(inko_task_yield(), 0);
	return shutdown(inko_socket_get_fd(two->a), SHUT_RDWR);
}

/* The end of a Unix listener is told once, and accept itself says EAGAIN for ever. */
static void test_listener_that_is_shut_down(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct two two = {0};
	struct inko_task *task;
	char path[64];
	int result;

	(void)state;
	(void)snprintf(path, sizeof(path), "/tmp/inko-test-watch-%d", (int)getpid());
	(void)unlink(path);
	assert_int_equal(inko_unix_listen(path, &two.a), 0);
	task = start(runtime, "accept", accept_until_shutdown, &two);
	start_detached(runtime, "shutdown", shut_listener_down, &two);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(inko_task_join(task, &result), 0);
	assert_int_equal(result, -ESHUTDOWN);
	assert_string_equal(two.record.text, "c");
	finish(runtime);
	two_close(&two);
	assert_int_equal(unlink(path), 0);
}

/* Ends of waits */

static int read_byte(struct inko_mailbox *mailbox, void *argument)
{
	struct two *two = argument;
	char byte;

	(void)mailbox;
	return (int)inko_socket_read(two->a, &byte, 1);
}

/* One that waits. */
static struct inko_task *start_reader(struct inko_runtime *runtime, struct two *two)
{
	struct inko_task *task = start(runtime, "reader", read_byte, two);

	assert_int_equal(inko_runtime_dispatch(runtime), 1);
	return task;
}

/* What comes ends the wait of reader, which is the last task. */
static void expect_byte(
	struct inko_runtime *runtime, struct two *two, struct inko_task *take_reader)
{
	assert_int_equal(inko_socket_write_string(two->b, "x"), 0);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(result_of(take_reader), 1);
}

static void test_deadline(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct inko_task *task;
	struct two two = {0};

	(void)state;
	pair_make(&two.a, &two.b);
	inko_socket_set_deadline(two.a, wait_now_usec() + SOON_USEC);
	task = start(runtime, "reader", read_byte, &two);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(result_of(task), -ETIMEDOUT);
	/* What needs no waiting succeeds after it. */
	assert_int_equal(inko_socket_write_string(two.b, "x"), 0);
	task = start(runtime, "reader", read_byte, &two);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(result_of(task), 1);
	finish(runtime);
	two_close(&two);
}

static void test_cancel(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct inko_task *task;
	struct two two = {0};

	(void)state;
	pair_make(&two.a, &two.b);
	task = start_reader(runtime, &two);
	inko_task_cancel(task);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(result_of(task), -ECANCELED);
	/* The socket is as good as before. */
	task = start_reader(runtime, &two);
	expect_byte(runtime, &two, task);
	finish(runtime);
	two_close(&two);
}

static void test_second_reader_is_busy(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct inko_task *first, *second;
	struct two two = {0};

	(void)state;
	pair_make(&two.a, &two.b);
	first = start(runtime, "first", read_byte, &two);
	second = start(runtime, "second", read_byte, &two);
	assert_int_equal(inko_runtime_dispatch(runtime), 1);
	assert_int_equal(result_of(second), -EBUSY);
	expect_byte(runtime, &two, first);
	finish(runtime);
	two_close(&two);
}

static void test_socket_of_another_runtime(void **state)
{
	struct inko_runtime *one = runtime_make(), *other = runtime_make();
	struct inko_task *first, *second;
	struct two two = {0};
	int fd;

	(void)state;
	pair_make(&two.a, &two.b);
	first = start_reader(one, &two);
	second = start(other, "second", read_byte, &two);
	assert_int_equal(inko_runtime_dispatch(other), 0);
	assert_int_equal(result_of(second), -EXDEV);
	expect_byte(one, &two, first);

	/* Given up and taken again it is nobody's. */
	fd = inko_socket_release(two.a);
	assert_int_equal(inko_socket_adopt(&fd, &two.a), 0);
	second = start_reader(other, &two);
	expect_byte(other, &two, second);
	finish(one);
	finish(other);
	two_close(&two);
}

/* What outlives what */

static void test_socket_outlives_the_runtime(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct two two = {0};
	char byte;

	(void)state;
	pair_make(&two.a, &two.b);
	start_detached(runtime, "reader", read_byte, &two);
	assert_int_equal(inko_runtime_dispatch(runtime), 1);
	assert_non_null(two.a->watch);
	assert_null(inko_runtime_free(runtime));
	assert_null(two.a->watch);
	assert_int_equal(inko_socket_write_string(two.b, "x"), 0);
	assert_int_equal(inko_socket_read(two.a, &byte, 1), 1);
	two_close(&two);
}

static int close_other(struct inko_mailbox *mailbox, void *argument)
{
	struct two *two = argument;

	(void)mailbox;
	two->a = inko_socket_close(two->a);
	return 0;
}

static void test_closed_while_somebody_waits(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct inko_task *task;
	struct two two = {0};

	(void)state;
	pair_make(&two.a, &two.b);
	task = start(runtime, "reader", read_byte, &two);
	start_detached(runtime, "closer", close_other, &two);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(result_of(task), -EBADF);
	finish(runtime);
	two_close(&two);
}

/* Two that nobody else holds, as far as the library knows. */
static void unshared_pair(struct two *two)
{
	assert_int_equal(inko_unix_pair(INKO_STREAM, &two->a, &two->b), 0);
}

/* Ways in which a socket comes to be held by somebody else: each returns a descriptor of it. */

static int hold_copy(struct two *two)
{
	return fcntl(inko_socket_get_fd(two->a), F_DUPFD_CLOEXEC, 50);
}

static int hold_clone(struct two *two)
{
	struct inko_socket *clone;

	assert_int_equal(inko_socket_clone(two->a, &clone), 0);
	return inko_socket_release(clone);
}

static int hold_original(struct two *two)
{
	struct inko_socket *clone;
	int fd;

	assert_int_equal(inko_socket_clone(two->a, &clone), 0);
	fd = inko_socket_release(two->a);
	two->a = clone;
	return fd;
}

static int hold_what_was_adopted(struct two *two)
{
	int fd = inko_socket_release(two->a), held_fd = fcntl(fd, F_DUPFD_CLOEXEC, 50);

	assert_int_equal(inko_socket_adopt(&fd, &two->a), 0);
	return held_fd;
}

static int wait_a_moment(struct inko_mailbox *mailbox, void *argument)
{
	struct two *two = argument;
	char byte;
	ssize_t n;

	(void)mailbox;
	inko_socket_set_deadline(two->a, inko_deadline_after(1000));
	n = inko_socket_read(two->a, &byte, 1);
	inko_socket_reset_deadline(two->a);
	return n == -ETIMEDOUT ? 0 : -EIO;
}

static bool has_events(struct inko_runtime *runtime)
{
	struct pollfd events = {.fd = inko_runtime_get_fd(runtime), .events = POLLIN};

	return poll(&events, 1, 0) == 1;
}

/* The same description is held under another number: its events find nobody, not even a socket that
 * has the old number and the old watch by now, and they wake nobody either. */
static void check_held_by_another(int (*hold)(struct two *two))
{
	struct inko_runtime *runtime = runtime_make();
	struct two two = {0}, next = {0};
	struct inko_task *task;
	int held_fd;

	unshared_pair(&two);
	held_fd = hold(&two);
	task = start(runtime, "reader", wait_a_moment, &two);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(result_of(task), 0);
	two.a = inko_socket_close(two.a);

	unshared_pair(&next);
	task = start_reader(runtime, &next);
	assert_int_equal(inko_socket_write_string(two.b, "x"), 0);
	assert_false(has_events(runtime));
	assert_int_equal(inko_socket_write_string(next.b, "y"), 0);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(result_of(task), 1);
	finish(runtime);
	two_close(&two);
	two_close(&next);
	assert_int_equal(close(held_fd), 0);
}

static void test_closed_while_another_holds_it(void **state)
{
	(void)state;
	check_held_by_another(hold_copy);
	check_held_by_another(hold_clone);
	check_held_by_another(hold_original);
	check_held_by_another(hold_what_was_adopted);
}

static void test_released(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct inko_task *task;
	struct two two = {0};
	int fd;

	(void)state;
	unshared_pair(&two);
	task = start(runtime, "reader", wait_a_moment, &two);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(result_of(task), 0);
	fd = inko_socket_release(two.a);
	two.a = NULL;
	assert_int_equal(inko_socket_write_string(two.b, "x"), 0);
	assert_false(has_events(runtime));
	finish(runtime);
	two_close(&two);
	assert_int_equal(close(fd), 0);
}

/* Whoever received it goes on with it. */
static void test_sent_by_a_lane(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct inko_message *message;
	struct inko_task *task;
	struct two two = {0};
	int write_fd, read_fd;

	(void)state;
	assert_int_equal(lane_open(8, &write_fd, &read_fd), 0);
	unshared_pair(&two);
	task = start(runtime, "reader", wait_a_moment, &two);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(result_of(task), 0);
	assert_int_equal(inko_message_new(NULL, 0, &message), 0);
	assert_int_equal(inko_message_push_socket(message, two.a), 0);
	assert_int_equal(message_send_into_lane(write_fd, message, ENVELOPE_MESSAGE), 0);
	two.a = NULL;
	inko_message_free(message);
	assert_int_equal(inko_socket_write_string(two.b, "x"), 0);
	assert_false(has_events(runtime));
	finish(runtime);
	two_close(&two);
	assert_int_equal(close(write_fd), 0);
	assert_int_equal(close(read_fd), 0);
}

/* An event of a generation that is over is nobody's, and none reaches freed memory. */
static void test_stale_event(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	uint32_t index, generation;
	struct inko_task *task;
	struct two two = {0};

	(void)state;
	pair_make(&two.a, &two.b);
	start_detached(runtime, "reader", read_byte, &two);
	assert_int_equal(inko_runtime_dispatch(runtime), 1);
	index = two.a->watch->index;
	generation = two.a->watch->generation;
	assert_int_equal(inko_socket_write_string(two.b, "x"), 0);
	assert_int_equal(inko_runtime_run(runtime), 0);
	two_close(&two);
	watch_on_event(runtime, index, generation, POLLIN);

	pair_make(&two.a, &two.b);
	task = start_reader(runtime, &two);
	assert_int_equal(two.a->watch->index, index);
	watch_on_event(runtime, index, generation, POLLIN);
	assert_int_equal(two.a->watch->reader.seen, 0);
	inko_task_cancel(task);
	assert_int_equal(inko_runtime_run(runtime), 0);
	inko_task_unref(task);
	finish(runtime);
	two_close(&two);
}

/* Watches of sockets that come and go are used again. */
static void test_watches_do_not_grow(void **state)
{
	struct inko_runtime *runtime = runtime_make();

	(void)state;
	for (int i = 0; i < 300; i++) {
		struct two two = {0};

		pair_make(&two.a, &two.b);
		start_detached(runtime, "reader", read_byte, &two);
		assert_int_equal(inko_runtime_dispatch(runtime), 1);
		assert_int_equal(inko_socket_write_string(two.b, "x"), 0);
		assert_int_equal(inko_runtime_run(runtime), 0);
		two_close(&two);
	}
	assert_int_equal(runtime->watches.n_chunks, 1);
	finish(runtime);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(test_read_parks),
		leaks_test(test_write_parks),
		leaks_test(test_both_directions_at_a_time),
		leaks_test(test_server_and_clients),
		leaks_test(test_listener_that_is_shut_down),
		leaks_test(test_deadline),
		leaks_test(test_cancel),
		leaks_test(test_second_reader_is_busy),
		leaks_test(test_socket_of_another_runtime),
		leaks_test(test_socket_outlives_the_runtime),
		leaks_test(test_closed_while_somebody_waits),
		leaks_test(test_closed_while_another_holds_it),
		leaks_test(test_released),
		leaks_test(test_sent_by_a_lane),
		leaks_test(test_stale_event),
		leaks_test(test_watches_do_not_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
