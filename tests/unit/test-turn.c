/*
 * Tasks that never have to wait, beside others.
 */

#include "tests/unit/tasks.h"

#include <errno.h>
#include <stdbool.h>

#include <inko/udp.h>
#include <inko/unix.h>

#define CALLS 1000

/* One of two sockets that only the busy task uses, and the other, which does at once what makes
 * that one ready. */
struct busy {
	int (*step)(struct busy *busy);
	struct inko_socket *socket, *other;
	struct inko_address address;
	struct inko_unix_address unix_address;
	struct inko_mailbox *mailbox;
	unsigned int calls;
	bool done;
	unsigned int n_turns; /* that others had meanwhile */
};

/* Steps: one call that might wait, with what makes that needless. */

static int step_read(struct busy *busy)
{
	char byte;

	assert_int_equal(write(inko_socket_get_fd(busy->other), "x", 1), 1);
	return (int)inko_socket_read(busy->socket, &byte, 1);
}

static int step_write(struct busy *busy)
{
	int n = (int)inko_socket_write(busy->socket, "x", 1);
	char byte;

	if (n > 0)
		assert_int_equal(read(inko_socket_get_fd(busy->other), &byte, 1), 1);
	return n;
}

static int step_send_to(struct busy *busy)
{
	int n = (int)inko_socket_send_to(
		busy->socket, "x", 1, &busy->address.ip, busy->address.port);
	char byte;

	if (n > 0)
		assert_int_equal(recv(inko_socket_get_fd(busy->other), &byte, 1, 0), 1);
	return n;
}

static int step_send_to_unix(struct busy *busy)
{
	int n = (int)inko_socket_send_to_unix(busy->socket, "x", 1, &busy->unix_address);
	char byte;

	if (n > 0)
		assert_int_equal(recv(inko_socket_get_fd(busy->other), &byte, 1, 0), 1);
	return n;
}

static int step_receive_from_unix(struct busy *busy)
{
	char byte;

	assert_int_equal(write(inko_socket_get_fd(busy->other), "x", 1), 1);
	return (int)inko_socket_receive_from_unix(busy->socket, &byte, 1, NULL, NULL);
}

static int step_accept(struct busy *busy)
{
	struct inko_socket *accepted;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;
	struct sockaddr_storage at;
	socklen_t size = sizeof(at);

	assert_int_equal(
		getsockname(inko_socket_get_fd(busy->socket), (struct sockaddr *)&at, &size), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, size), 0);
	r = inko_socket_accept(busy->socket, &accepted);
	assert_int_equal(close(fd), 0);
	if (r == 0)
		inko_socket_close(accepted);
	return r;
}

/* To itself. */
static int step_send(struct busy *busy)
{
	struct inko_message *message = message_make("x");
	int r = inko_mailbox_send(busy->mailbox, message);

	if (r == 0)
		assert_int_equal(inko_mailbox_try_receive(busy->mailbox, &message), 0);
	inko_message_free(message);
	return r;
}

static int step_receive(struct busy *busy)
{
	struct inko_message *message = message_make("x");
	int r;

	assert_int_equal(inko_mailbox_try_send(busy->mailbox, message), 0);
	r = inko_mailbox_receive(busy->mailbox, &message);
	if (r == 0)
		inko_message_free(message);
	return r;
}

/* Tasks */

static int be_busy(struct inko_mailbox *mailbox, void *argument)
{
	struct busy *busy = argument;
	int r = 0;

	busy->mailbox = mailbox;
	for (unsigned int i = 0; i < busy->calls && r >= 0; i++)
		r = busy->step(busy);
	busy->done = true;
	return r < 0 ? r : 0;
}

static int count_turns(struct inko_mailbox *mailbox, void *argument)
{
	struct busy *busy = argument;
	int r = 0;

	(void)mailbox;
	for (; r == 0 && !busy->done; busy->n_turns++)
		r = inko_task_yield();
	return r;
}

static int close_socket(struct inko_mailbox *mailbox, void *argument)
{
	struct busy *busy = argument;

	(void)mailbox;
	busy->socket = inko_socket_close(busy->socket);
	return 0;
}

/* The busy one first, which has made all of its calls by the time that anybody else runs unless it
 * lets them. */
static void check_turns(struct busy *busy)
{
	struct inko_runtime *runtime = runtime_make();
	struct inko_task *task;
	int result;

	busy->calls = CALLS;
	task = start(runtime, "busy", be_busy, busy);
	start_detached(runtime, "other", count_turns, busy);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(inko_task_join(task, &result), 0);
	assert_int_equal(result, 0);
	assert_in_range(busy->n_turns, CALLS / 100, CALLS);
	finish(runtime);
	inko_socket_close(busy->socket);
	inko_socket_close(busy->other);
}

static struct busy pair_of(int type, int (*step)(struct busy *busy))
{
	struct busy busy = {.step = step};

	assert_int_equal(inko_unix_pair(type, &busy.socket, &busy.other), 0);
	return busy;
}

static void test_streams(void **state)
{
	struct busy reader = pair_of(INKO_STREAM, step_read);
	struct busy writer = pair_of(INKO_STREAM, step_write);

	(void)state;
	check_turns(&reader);
	check_turns(&writer);
}

static void test_datagrams(void **state)
{
	struct busy receiver = pair_of(INKO_DATAGRAM, step_receive_from_unix);
	struct busy sender = {.step = step_send_to_unix}, udp = {.step = step_send_to};
	struct inko_ip ip = inko_ip_v4(127, 0, 0, 1);

	(void)state;
	check_turns(&receiver);
	assert_int_equal(inko_unix_datagram("@inko-test-turn-a", &sender.socket), 0);
	assert_int_equal(inko_unix_datagram("@inko-test-turn-b", &sender.other), 0);
	assert_int_equal(inko_unix_address_parse("@inko-test-turn-b", &sender.unix_address), 0);
	check_turns(&sender);
	assert_int_equal(inko_udp_bind(&ip, 0, &udp.socket), 0);
	assert_int_equal(inko_udp_bind(&ip, 0, &udp.other), 0);
	assert_int_equal(inko_socket_local_address(udp.other, &udp.address), 0);
	check_turns(&udp);
}

static void test_accept(void **state)
{
	struct busy busy = {.step = step_accept};

	(void)state;
	assert_int_equal(inko_unix_listen("@inko-test-turn", &busy.socket), 0);
	check_turns(&busy);
}

static void test_mailboxes(void **state)
{
	struct busy sender = pair_of(INKO_STREAM, step_send);
	struct busy receiver = pair_of(INKO_STREAM, step_receive);

	(void)state;
	check_turns(&sender);
	check_turns(&receiver);
}

/* What the others do to it in their turn. */

static void test_cancelled(void **state)
{
	struct busy busy = pair_of(INKO_STREAM, step_read);
	struct inko_runtime *runtime = runtime_make();
	struct inko_task *task;
	int result;

	(void)state;
	busy.calls = CALLS;
	task = start(runtime, "busy", be_busy, &busy);
	inko_task_cancel(task);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(inko_task_join(task, &result), 0);
	assert_int_equal(result, -ECANCELED);
	finish(runtime);
	inko_socket_close(busy.socket);
	inko_socket_close(busy.other);
}

static void test_closed(void **state)
{
	struct busy busy = pair_of(INKO_STREAM, step_read);
	struct inko_runtime *runtime = runtime_make();
	struct inko_task *task;
	int result;

	(void)state;
	busy.calls = CALLS;
	task = start(runtime, "busy", be_busy, &busy);
	start_detached(runtime, "closer", close_socket, &busy);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(inko_task_join(task, &result), 0);
	assert_int_equal(result, -EBADF);
	finish(runtime);
	inko_socket_close(busy.other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(test_streams),
		leaks_test(test_datagrams),
		leaks_test(test_accept),
		leaks_test(test_mailboxes),
		leaks_test(test_cancelled),
		leaks_test(test_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
