/*
 * Tasks that wait for descriptors which are no sockets of libinko's, and in the mailboxes that are
 * made of them.
 */

#include "tests/unit/lanes.h"
#include "tests/unit/tasks.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/un.h>

#include "libclient/message.h"
#include "libclient/scheduler.h"
#include "proto/runtime.h"

#include <inko/actor.h>
#include <inko/control.h>
#include <inko/tcp.h>
#include <inko/unix.h>

/* Descriptors */

struct waited {
	struct pollfd fds[3];
	size_t n;
	uint64_t deadline_usec;
};

static int wait_for_them(struct inko_mailbox *mailbox, void *argument)
{
	struct waited *waited = argument;

	(void)mailbox;
	return wait_for(waited->fds, waited->n, waited->deadline_usec);
}

static int event_open(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	assert_true(fd >= 0);
	return fd;
}

static void test_one_of_several(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct waited waited = {.fds = {{.fd = event_open(), .events = POLLIN}, {.fd = -1},
					{.fd = event_open(), .events = POLLIN}},
		.n = 3};
	struct inko_task *task = start(runtime, "x", wait_for_them, &waited);

	(void)state;
	waited.fds[1].revents = POLLIN;
	assert_int_equal(inko_runtime_dispatch(runtime), 1);
	assert_int_equal(eventfd_write(waited.fds[2].fd, 1), 0);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(result_of(task), 0);
	assert_int_equal(waited.fds[0].revents, 0);
	assert_int_equal(waited.fds[1].revents, 0);
	assert_int_equal(waited.fds[2].revents, POLLIN);
	/* It is in epoll only while somebody waits. */
	assert_false(poll(&(struct pollfd){.fd = runtime->epoll_fd, .events = POLLIN}, 1, 0));
	(void)close(waited.fds[0].fd);
	(void)close(waited.fds[2].fd);
	finish(runtime);
}

static void test_ends_of_waits(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct waited late = {.fds = {{.fd = event_open(), .events = POLLIN}},
		.n = 1,
		.deadline_usec = wait_now_usec() + SOON_USEC};
	struct waited cancelled = {.fds = {late.fds[0]}, .n = 1};
	struct inko_task *first = start(runtime, "late", wait_for_them, &late);
	struct inko_task *second = start(runtime, "cancelled", wait_for_them, &cancelled);

	(void)state;
	assert_int_equal(inko_runtime_dispatch(runtime), 2);
	inko_task_cancel(second);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(result_of(first), -ETIMEDOUT);
	assert_int_equal(result_of(second), -ECANCELED);
	(void)close(late.fds[0].fd);
	finish(runtime);
}

/* What is ready is told even when the deadline has passed, as poll(2) does. */
static void test_ready_goes_before_late(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct waited waited = {
		.fds = {{.fd = event_open(), .events = POLLIN}}, .n = 1, .deadline_usec = 1};
	struct inko_task *task;

	(void)state;
	assert_int_equal(eventfd_write(waited.fds[0].fd, 1), 0);
	task = start(runtime, "x", wait_for_them, &waited);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(result_of(task), 0);
	(void)close(waited.fds[0].fd);
	finish(runtime);
}

/* What epoll does not take is told as poll(2) tells it. */
static void test_files_and_closed_ones(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct waited file = {
		.fds = {{.fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC), .events = POLLIN}},
		.n = 1};
	struct waited closed = {.fds = {{.fd = 900, .events = POLLIN}}, .n = 1};
	struct inko_task *first = start(runtime, "file", wait_for_them, &file);
	struct inko_task *second = start(runtime, "closed", wait_for_them, &closed);

	(void)state;
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(result_of(first), 0);
	assert_int_equal(file.fds[0].revents, POLLIN);
	assert_int_equal(result_of(second), 0);
	assert_int_equal(closed.fds[0].revents, POLLNVAL);
	(void)close(file.fds[0].fd);
	finish(runtime);
}

/* Different things of one descriptor, by several tasks. */
static void test_several_in_one(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct waited in, out;
	struct inko_task *reader, *writer;
	char full[4096] = {0};
	int fds[2];

	(void)state;
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	while (write(fds[0], full, sizeof(full)) > 0)
		;
	in = (struct waited){.fds = {{.fd = fds[0], .events = POLLIN}}, .n = 1};
	out = (struct waited){.fds = {{.fd = fds[0], .events = POLLOUT}}, .n = 1};
	reader = start(runtime, "reader", wait_for_them, &in);
	writer = start(runtime, "writer", wait_for_them, &out);
	assert_int_equal(inko_runtime_dispatch(runtime), 2);
	while (read(fds[1], full, sizeof(full)) > 0)
		;
	assert_int_equal(inko_runtime_dispatch(runtime), 1);
	assert_int_equal(result_of(writer), 0);
	assert_int_equal(out.fds[0].revents, POLLOUT);
	/* The room that there is does not wake who waits for bytes, nor the loop. */
	assert_false(poll(&(struct pollfd){.fd = runtime->epoll_fd, .events = POLLIN}, 1, 0));
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(result_of(reader), 0);
	assert_int_equal(in.fds[0].revents, POLLIN);
	(void)close(fds[0]);
	(void)close(fds[1]);
	finish(runtime);
}

/* Closed under who waits, while another holds the same: its events end with the wait, or the loop
 * would not sleep again, and the number may be another's at once. */
static void test_number_is_used_again(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct waited old = {.fds = {{.fd = event_open(), .events = POLLIN}}, .n = 1}, new;
	int number = old.fds[0].fd, held_fd = fcntl(number, F_DUPFD_CLOEXEC, 50);
	struct inko_task *first = start(runtime, "old", wait_for_them, &old), *second;

	(void)state;
	assert_int_equal(inko_runtime_dispatch(runtime), 1);
	assert_int_equal(close(number), 0);
	new = (struct waited){.fds = {{.fd = event_open(), .events = POLLIN}}, .n = 1};
	assert_int_equal(new.fds[0].fd, number);
	second = start(runtime, "new", wait_for_them, &new);
	assert_int_equal(inko_runtime_dispatch(runtime), 2);
	inko_task_cancel(first);
	assert_int_equal(inko_runtime_dispatch(runtime), 1);
	assert_int_equal(result_of(first), -ECANCELED);

	assert_int_equal(eventfd_write(number, 1), 0);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(result_of(second), 0);
	(void)close(number);
	assert_int_equal(eventfd_write(held_fd, 1), 0);
	assert_false(poll(&(struct pollfd){.fd = runtime->epoll_fd, .events = POLLIN}, 1, 0));
	(void)close(held_fd);
	finish(runtime);
}

/* The process's own mailbox */

struct actor {
	struct lanes lanes;
	struct record record;
	struct inko_socket *listener;
	struct inko_mailbox *to;
	unsigned int n_sent;
};

static int receive_some(struct inko_mailbox *mailbox, void *argument)
{
	struct actor *actor = argument;
	struct inko_message *message;
	int r;

	(void)mailbox;
	while ((r = inko_mailbox_receive(actor->lanes.own, &message)) == 0) {
		record_add(&actor->record, *inko_message_peek_bytes(message, NULL));
		inko_message_free(message);
	}
	record_add(&actor->record, '!');
	return r;
}

static void actor_open(struct actor *actor)
{
	*actor = (struct actor){0};
	lanes_open(&actor->lanes, "mailbox:mailbox");
}

static void actor_close(struct actor *actor)
{
	inko_mailbox_close(actor->to);
	lanes_close(&actor->lanes);
}

static void send_text(struct actor *actor, const char *text)
{
	assert_int_equal(lanes_send(&actor->lanes, 1, ENVELOPE_MESSAGE, text, NULL, 0), 0);
}

static void send_stop(struct actor *actor)
{
	assert_int_equal(lanes_send(&actor->lanes, 0, ENVELOPE_STOP, "", NULL, 0), 0);
}

static void test_several_tasks_receive(void **state)
{
	struct inko_runtime *runtime;
	struct inko_task *tasks[3];
	struct actor actor;

	(void)state;
	actor_open(&actor);
	runtime = runtime_make();
	for (int i = 0; i < 3; i++)
		tasks[i] = start(runtime, "receiver", receive_some, &actor);
	assert_int_equal(inko_runtime_dispatch(runtime), 3);
	send_text(&actor, "a");
	assert_int_equal(inko_runtime_dispatch(runtime), 3);
	assert_string_equal(actor.record.text, "a");
	send_text(&actor, "b");
	send_text(&actor, "c");
	assert_int_equal(inko_runtime_dispatch(runtime), 3);
	assert_string_equal(actor.record.text, "abc");
	send_stop(&actor);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_string_equal(actor.record.text, "abc!!!");
	for (int i = 0; i < 3; i++)
		assert_int_equal(result_of(tasks[i]), -ESHUTDOWN);
	actor_close(&actor);
	finish(runtime);
}

static int accept_until_stop(struct inko_mailbox *mailbox, void *argument)
{
	struct actor *actor = argument;
	struct inko_socket *client;

	(void)mailbox;
	return inko_mailbox_accept(actor->lanes.own, actor->listener, &client);
}

/* The stop is read off inkod's lane by who receives, and by nobody else after that. */
static void test_stop_that_another_task_heard(void **state)
{
	struct inko_runtime *runtime;
	struct inko_ip ip = inko_ip_v4(127, 0, 0, 1);
	struct inko_task *receiver, *acceptor;
	struct actor actor;

	(void)state;
	actor_open(&actor);
	runtime = runtime_make();
	assert_int_equal(inko_tcp_listen(&ip, 0, &actor.listener), 0);
	receiver = start(runtime, "receiver", receive_some, &actor);
	assert_int_equal(inko_runtime_dispatch(runtime), 1);
	send_stop(&actor);
	acceptor = start(runtime, "acceptor", accept_until_stop, &actor);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(result_of(receiver), -ESHUTDOWN);
	assert_int_equal(result_of(acceptor), -ESHUTDOWN);
	inko_socket_close(actor.listener);
	actor_close(&actor);
	finish(runtime);
}

/* As above, the acceptor first. */
static void test_stop_while_accepting(void **state)
{
	struct inko_runtime *runtime;
	struct inko_ip ip = inko_ip_v4(127, 0, 0, 1);
	struct inko_task *acceptors[2];
	struct inko_message *message;
	struct actor actor;

	(void)state;
	actor_open(&actor);
	runtime = runtime_make();
	assert_int_equal(inko_tcp_listen(&ip, 0, &actor.listener), 0);
	for (int i = 0; i < 2; i++)
		acceptors[i] = start(runtime, "acceptor", accept_until_stop, &actor);
	assert_int_equal(inko_runtime_dispatch(runtime), 2);
	send_stop(&actor);
	/* Outside of the tasks, before they could. */
	assert_int_equal(inko_mailbox_try_receive(actor.lanes.own, &message), -ESHUTDOWN);
	assert_int_equal(inko_runtime_run(runtime), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(result_of(acceptors[i]), -ESHUTDOWN);
	inko_socket_close(actor.listener);
	actor_close(&actor);
	finish(runtime);
}

/* A connection that is passed on between tasks is in service until somebody closes it. */
static void test_passed_on_it_counts(void **state)
{
	struct inko_message *message, *passed = message_make("");
	struct inko_socket *client;
	struct actor actor;
	int peers[2], fd;

	(void)state;
	actor_open(&actor);
	inko_mailbox_set_concurrency(actor.lanes.own, 1);
	for (int i = 0; i < 2; i++) {
		fd = lanes_connection(&peers[i]);
		assert_int_equal(lanes_send(&actor.lanes, 1, ENVELOPE_CONNECTION, "", &fd, 1), 0);
		(void)close(fd);
	}
	assert_int_equal(inko_mailbox_receive(actor.lanes.own, &message), 0);
	assert_int_equal(inko_message_take_socket(message, &client), 0);
	inko_message_free(message);
	assert_int_equal(inko_message_push_socket(passed, client), 0);
	assert_int_equal(inko_mailbox_try_receive(actor.lanes.own, &message), -EAGAIN);
	inko_message_free(passed);
	assert_int_equal(inko_mailbox_try_receive(actor.lanes.own, &message), 0);
	inko_message_free(message);
	for (int i = 0; i < 2; i++)
		(void)close(peers[i]);
	actor_close(&actor);
}

/* Outboxes */

static int send_one(struct inko_mailbox *mailbox, void *argument)
{
	struct actor *actor = argument;
	struct inko_message *message = message_make("x");
	int r = inko_mailbox_send(actor->to, message);

	(void)mailbox;
	actor->n_sent += r == 0;
	return r;
}

static struct lane_ends actor_give_lane(struct actor *actor, unsigned int queue, uint64_t number)
{
	struct lane_ends ends = lane_ends_open(queue);

	lanes_tell(&actor->lanes, number, ENVELOPE_LANE_OUT, "web/0", &ends.write_fd, 1);
	return ends;
}

static void actor_open_to_web(struct actor *actor)
{
	actor_open(actor);
	assert_int_equal(inko_mailbox_open(actor->lanes.own, "web", &actor->to), 0);
}

/* The news of a receiver comes to one task, and others that wait for it hear of it. */
static void test_lane_that_another_task_heard_of(void **state)
{
	struct inko_runtime *runtime;
	struct inko_task *senders[3];
	struct lane_ends ends;
	struct actor actor;

	(void)state;
	actor_open_to_web(&actor);
	runtime = runtime_make();
	for (int i = 0; i < 3; i++)
		senders[i] = start(runtime, "sender", send_one, &actor);
	assert_int_equal(inko_runtime_dispatch(runtime), 3);
	ends = actor_give_lane(&actor, LANES_QUEUE, 7);
	assert_int_equal(inko_runtime_run(runtime), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(result_of(senders[i]), 0);
	assert_int_equal(actor.n_sent, 3);
	lane_ends_close(&ends);
	actor_close(&actor);
	finish(runtime);
}

#define QUEUE 8

static void drain(int read_fd)
{
	char bytes[4096];

	while (recv(read_fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

/* Who saw first that there is room took the lane out of the outbox's epoll. */
static void test_room_that_another_task_saw(void **state)
{
	struct inko_runtime *runtime;
	struct inko_task *senders[QUEUE];
	struct lane_ends ends;
	struct actor actor;

	(void)state;
	actor_open_to_web(&actor);
	runtime = runtime_make();
	ends = actor_give_lane(&actor, QUEUE, 7);
	while (inko_mailbox_room(actor.to) > 0)
		assert_int_equal(inko_mailbox_send(actor.to, message_make("full")), 0);
	for (int i = 0; i < QUEUE / 2; i++)
		senders[i] = start(runtime, "sender", send_one, &actor);
	assert_int_equal(inko_runtime_dispatch(runtime), QUEUE / 2);
	drain(ends.read_fd);
	/* Outside of the tasks, before they could. */
	assert_true(inko_mailbox_room(actor.to) >= QUEUE / 2);
	assert_int_equal(inko_mailbox_try_send(actor.to, message_make("first")), 0);
	assert_int_equal(inko_runtime_run(runtime), 0);
	for (int i = 0; i < QUEUE / 2; i++)
		assert_int_equal(result_of(senders[i]), 0);
	lane_ends_close(&ends);
	actor_close(&actor);
	finish(runtime);
}

static void test_stop_while_sending(void **state)
{
	struct inko_runtime *runtime;
	struct inko_task *sender;
	struct actor actor;

	(void)state;
	actor_open_to_web(&actor);
	runtime = runtime_make();
	sender = start(runtime, "sender", send_one, &actor);
	start_detached(runtime, "receiver", receive_some, &actor);
	assert_int_equal(inko_runtime_dispatch(runtime), 2);
	send_stop(&actor);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(result_of(sender), -ESHUTDOWN);
	actor_close(&actor);
	finish(runtime);
}

/* A socket that waited here, and is sent out, is not in this process's epoll any more. */
static int send_socket_out(struct inko_mailbox *mailbox, void *argument)
{
	struct actor *actor = argument;
	struct inko_message *message = message_make("");
	struct inko_socket *a, *b;

	(void)mailbox;
	pair_make_watched(&a, &b);
	assert_int_equal(inko_message_push_socket(message, a), 0);
	assert_int_equal(inko_mailbox_send(actor->to, message), 0);
	assert_int_equal(inko_socket_write_string(b, "x"), 0);
	return 0;
}

static void test_socket_that_leaves(void **state)
{
	struct inko_runtime *runtime;
	struct lane_message received;
	struct lane_ends ends;
	struct actor actor;

	(void)state;
	actor_open_to_web(&actor);
	runtime = runtime_make();
	ends = actor_give_lane(&actor, LANES_QUEUE, 7);
	start_detached(runtime, "sender", send_socket_out, &actor);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(lane_receive(ends.read_fd, false, &received), 1);
	assert_int_equal(received.passed.n_fds, 1);
	/* An event would be told here, for as long as anybody holds the socket. */
	assert_int_equal(epoll_wait(runtime->epoll_fd, &(struct epoll_event){0}, 1, 0), 0);
	lane_message_done(&received);
	lane_ends_close(&ends);
	actor_close(&actor);
	finish(runtime);
}

/* What else waits */

static int count_rounds(struct inko_mailbox *mailbox, void *argument)
{
	(void)mailbox;
	while (*(int *)argument >= 0) {
		++*(int *)argument;
		if (inko_task_sleep(wait_now_usec() + 1000) < 0)
			break;
	}
	return 0;
}

static int wait_for_refs(struct inko_mailbox *mailbox, void *argument)
{
	unsigned int n_tries = 0;

	(void)mailbox;
	assert_int_equal(message_wait_for_refs(&n_tries), 0);
	assert_true(*(int *)argument > 1);
	*(int *)argument = -1;
	return 0;
}

static void test_shortage_of_descriptors_in_flight(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	int n_rounds = 0;

	(void)state;
	start_detached(runtime, "other", count_rounds, &n_rounds);
	start_detached(runtime, "short", wait_for_refs, &n_rounds);
	finish(runtime);
}

static int notify_in_vain(struct inko_mailbox *mailbox, void *argument)
{
	(void)mailbox, (void)argument;
	for (int i = 0; i < 10000; i++) {
		int r = inko_actor_notify("STATUS=busy");

		if (r != 1)
			return r;
	}
	return 0;
}

/* Nobody reads: the others run on, and the wait can be cancelled. */
static void test_notify(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "@inko-test-awaited"};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 18);
	struct inko_runtime *runtime = runtime_make();
	struct inko_task *task;

	(void)state;
	address.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", "@inko-test-awaited", 1), 0);
	task = start(runtime, "notifier", notify_in_vain, NULL);
	assert_int_equal(inko_runtime_dispatch(runtime), 1);
	inko_task_cancel(task);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(result_of(task), -ECANCELED);
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
	(void)close(fd);
	finish(runtime);
}

struct asked {
	char directory[64];
	struct inko_socket *listener;
};

static int serve_control(struct inko_mailbox *mailbox, void *argument)
{
	static const char answer[] = "{\"parameters\":{\"n\":1}}";
	struct asked *asked = argument;
	struct inko_socket *client;
	char call[4096];

	(void)mailbox;
	assert_int_equal(inko_socket_accept(asked->listener, &client), 0);
	assert_true(inko_socket_read(client, call, sizeof(call)) > 0);
	assert_int_equal(inko_task_yield(), 0);
	return inko_socket_write_bytes(client, answer, sizeof(answer));
}

static int call_control(struct inko_mailbox *mailbox, void *argument)
{
	struct asked *asked = argument;
	struct inko_control *control;
	char *error, *parameters;
	int r;

	(void)mailbox;
	assert_int_equal(inko_control_connect(asked->directory, &control), 0);
	r = inko_control_call(control, "Status", NULL, &error, &parameters);
	if (r == 0) {
		assert_string_equal(parameters, "{\"n\":1}");
		free(parameters);
		/* Nobody answers a second time. */
		assert_int_equal(inko_control_set_timeout(control, SOON_USEC), 0);
		r = inko_control_call(control, "Status", NULL, &error, &parameters);
	}
	inko_control_close(control);
	return r;
}

/* The other side of the connection is a task of the same thread. */
static void test_control(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct asked asked = {.directory = "/tmp/inko-test-awaited-XXXXXX"};
	struct inko_task *task;
	char path[128];

	(void)state;
	assert_non_null(mkdtemp(asked.directory));
	(void)snprintf(path, sizeof(path), "%s/%s", asked.directory, RUNTIME_CONTROL);
	assert_int_equal(inko_unix_listen(path, &asked.listener), 0);
	task = start(runtime, "caller", call_control, &asked);
	start_detached(runtime, "server", serve_control, &asked);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(result_of(task), -ECONNRESET);
	inko_socket_close(asked.listener);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(asked.directory), 0);
	finish(runtime);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(test_one_of_several),
		leaks_test(test_ends_of_waits),
		leaks_test(test_ready_goes_before_late),
		leaks_test(test_files_and_closed_ones),
		leaks_test(test_several_in_one),
		leaks_test(test_number_is_used_again),
		leaks_test(test_several_tasks_receive),
		leaks_test(test_stop_that_another_task_heard),
		leaks_test(test_stop_while_accepting),
		leaks_test(test_passed_on_it_counts),
		leaks_test(test_lane_that_another_task_heard_of),
		leaks_test(test_room_that_another_task_saw),
		leaks_test(test_stop_while_sending),
		leaks_test(test_socket_that_leaves),
		leaks_test(test_shortage_of_descriptors_in_flight),
		leaks_test(test_notify),
		leaks_test(test_control),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
