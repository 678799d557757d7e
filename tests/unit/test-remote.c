/*
 * Mailboxes over nng: who dials and who listens.
 */

#include "tests/unit/sockets.h"
#include "tests/unit/tasks.h"

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <inko/remote.h>

#define BIG_BYTES (1u << 20)
#define BODY_MAX_BYTES (16u << 20)
#define WAIT_MSEC 60000

struct address {
	char directory[32], path[48], url[64];
};

static void address_init(struct address *address)
{
	*address = (struct address){.directory = "/tmp/inko-test-remote.XXXXXX"};
	assert_non_null(mkdtemp(address->directory));
	(void)snprintf(address->path, sizeof(address->path), "%s/s", address->directory);
	(void)snprintf(address->url, sizeof(address->url), "ipc://%s", address->path);
}

/* A listener unlinks its path when it is closed: the directory is empty. */
static void address_done(struct address *address)
{
	assert_int_equal(rmdir(address->directory), 0);
}

static struct inko_mailbox *listen_at(const struct address *address)
{
	struct inko_mailbox *mailbox;

	assert_int_equal(inko_mailbox_listen(address->url, &mailbox), 0);
	return mailbox;
}

static struct inko_mailbox *dial(const struct address *address)
{
	struct inko_mailbox *mailbox;

	assert_int_equal(inko_mailbox_dial(address->url, &mailbox), 0);
	return mailbox;
}

static struct inko_message *new_message(const void *bytes, size_t size)
{
	struct inko_message *message;

	assert_int_equal(inko_message_new(bytes, size, &message), 0);
	return message;
}

static bool is_readable(const struct inko_mailbox *mailbox, int msec)
{
	struct pollfd readable = {.fd = inko_mailbox_get_fd(mailbox), .events = POLLIN};

	return poll(&readable, 1, msec) == 1;
}

/* Receives what must be there soon, and frees it. */
static void assert_arrives(struct inko_mailbox *mailbox, const void *bytes, size_t size)
{
	struct inko_message *message;
	size_t received;

	assert_true(is_readable(mailbox, WAIT_MSEC));
	assert_int_equal(inko_mailbox_receive(mailbox, &message), 0);
	assert_int_equal(inko_message_get_kind(message), INKO_MESSAGE);
	assert_memory_equal(inko_message_peek_bytes(message, &received), bytes, size);
	assert_int_equal(received, size);
	inko_message_free(message);
}

static void test_sends_and_receives(void **state)
{
	struct address address;
	struct inko_mailbox *listener, *sender;
	struct inko_message *message;

	(void)state;
	address_init(&address);
	listener = listen_at(&address);
	sender = dial(&address);
	assert_int_equal(inko_mailbox_try_receive(listener, &message), -EAGAIN);
	assert_false(is_readable(listener, 0));
	assert_int_equal(inko_mailbox_send(sender, new_message("hello", 5)), 0);
	assert_arrives(listener, "hello", 5);
	assert_int_equal(inko_mailbox_send(sender, new_message(NULL, 0)), 0);
	assert_arrives(listener, "", 0);
	assert_false(is_readable(listener, 0));
	inko_mailbox_close(sender);
	inko_mailbox_close(listener);
	address_done(&address);
}

static void assert_body_arrives(size_t size)
{
	struct address address;
	struct inko_mailbox *listener, *sender;
	char *body = malloc(size);

	assert_non_null(body);
	for (size_t i = 0; i < size; i++)
		body[i] = (char)(i * 31 >> 5);
	address_init(&address);
	listener = listen_at(&address);
	sender = dial(&address);
	assert_int_equal(inko_mailbox_send(sender, new_message(body, size)), 0);
	assert_arrives(listener, body, size);
	inko_mailbox_close(sender);
	inko_mailbox_close(listener);
	address_done(&address);
	free(body);
}

static void test_big_body(void **state)
{
	(void)state;
	assert_body_arrives(BIG_BYTES);
	assert_body_arrives(BODY_MAX_BYTES);
}

static void test_each_is_for_one_direction(void **state)
{
	struct address address;
	struct inko_mailbox *listener, *sender;
	struct inko_message *message, *none;

	(void)state;
	address_init(&address);
	listener = listen_at(&address);
	sender = dial(&address);
	/* nng before 1.6 leaks what is closed while it connects. */
	assert_true(is_readable(sender, WAIT_MSEC));
	message = new_message("x", 1);
	assert_int_equal(inko_mailbox_try_send(listener, message), -EOPNOTSUPP);
	assert_int_equal(inko_mailbox_room(listener), 0);
	assert_int_equal(inko_mailbox_try_receive(sender, &none), -EOPNOTSUPP);
	inko_message_free(message);
	inko_mailbox_close(sender);
	inko_mailbox_close(listener);
	address_done(&address);
}

static void test_sockets_stay_here(void **state)
{
	struct address address;
	struct inko_mailbox *sender;
	struct inko_message *message = new_message("x", 1);
	struct inko_socket *socket_;
	int ends[2];

	(void)state;
	address_init(&address);
	sender = dial(&address);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(inko_socket_adopt(&ends[0], &socket_), 0);
	assert_int_equal(inko_message_push_socket(message, socket_), 0);
	assert_int_equal(inko_mailbox_send(sender, message), -EREMOTE);
	assert_int_equal(inko_message_count_sockets(message), 1);
	inko_message_free(message);
	close(ends[1]);
	inko_mailbox_close(sender);
	address_done(&address);
}

/* Nobody is there: it stays the caller's until somebody comes. */
static void test_dead_address(void **state)
{
	struct address address;
	struct inko_mailbox *listener, *sender;
	struct inko_message *message = new_message("late", 4);

	(void)state;
	address_init(&address);
	sender = dial(&address);
	assert_int_equal(inko_mailbox_room(sender), 0);
	assert_int_equal(inko_mailbox_try_send(sender, message), -EAGAIN);
	listener = listen_at(&address);
	assert_true(is_readable(sender, WAIT_MSEC));
	assert_int_equal(inko_mailbox_room(sender), 1);
	assert_int_equal(inko_mailbox_try_send(sender, message), 0);
	assert_arrives(listener, "late", 4);
	inko_mailbox_close(sender);
	inko_mailbox_close(listener);
	address_done(&address);
}

static void test_bad_addresses(void **state)
{
	struct inko_mailbox *none;

	(void)state;
	assert_true(inko_mailbox_dial("nowhere", &none) < 0);
	assert_true(inko_mailbox_listen("nowhere", &none) < 0);
	assert_int_equal(inko_mailbox_listen("ipc:///nonexistent/s", &none), -ENOENT);
}

/* Who asks in vain for an address does not harm the one that has it. */
static void test_second_listener(void **state)
{
	struct address address;
	struct inko_mailbox *listener, *sender, *none;

	(void)state;
	address_init(&address);
	listener = listen_at(&address);
	for (int i = 0; i < 50; i++)
		assert_int_equal(inko_mailbox_listen(address.url, &none), -EADDRINUSE);
	sender = dial(&address);
	assert_int_equal(inko_mailbox_send(sender, new_message("still", 5)), 0);
	assert_arrives(listener, "still", 5);
	inko_mailbox_close(sender);
	inko_mailbox_close(listener);
	address_done(&address);
}

static void bind_and_leave(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, path, strlen(path));
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
}

static void test_stale_path(void **state)
{
	struct address address;
	struct inko_mailbox *none;
	FILE *file;

	(void)state;
	address_init(&address);
	bind_and_leave(address.path);
	inko_mailbox_close(listen_at(&address));
	/* What is no socket is somebody's. */
	file = fopen(address.path, "w");
	assert_non_null(file);
	(void)fclose(file);
	assert_int_equal(inko_mailbox_listen(address.url, &none), -EADDRINUSE);
	assert_int_equal(unlink(address.path), 0);
	address_done(&address);
}

static void test_mode(void **state)
{
	struct address address;
	struct inko_mailbox *listener;
	struct stat status;

	(void)state;
	address_init(&address);
	listener = listen_at(&address);
	assert_int_equal(stat(address.path, &status), 0);
	assert_int_equal(status.st_mode, S_IFSOCK | 0600);
	inko_mailbox_close(listener);
	address_done(&address);
}

/* In tasks */

#define MANY 300

struct talk {
	struct inko_mailbox *sender, *listener;
	const char *url;
	struct record record;
};

static int receive_one(struct inko_mailbox *mailbox, void *argument)
{
	struct talk *talk = argument;
	struct inko_message *message;
	int r;

	(void)mailbox;
	record_add(&talk->record, 'r');
	r = inko_mailbox_receive(talk->listener, &message);
	if (r < 0)
		return r;
	expect_text(message, "hello");
	record_add(&talk->record, 'R');
	return 0;
}

/* Not before somebody is there: then it would wait itself. */
static int send_one(struct inko_mailbox *mailbox, void *argument)
{
	struct talk *talk = argument;

	(void)mailbox;
	assert_true(is_readable(talk->sender, WAIT_MSEC));
	record_add(&talk->record, 's');
	assert_int_equal(inko_mailbox_send(talk->sender, message_make("hello")), 0);
	record_add(&talk->record, 'S');
	return 0;
}

static void talk_close(struct talk *talk)
{
	inko_mailbox_close(talk->sender);
	inko_mailbox_close(talk->listener);
}

/* While one task waits to receive another runs, and sends. */
static void receives_in_a_task(const char *url)
{
	struct inko_runtime *runtime = runtime_make();
	struct talk talk = {0};

	assert_int_equal(inko_mailbox_listen(url, &talk.listener), 0);
	assert_int_equal(inko_mailbox_dial(url, &talk.sender), 0);
	start_detached(runtime, "receiver", receive_one, &talk);
	start_detached(runtime, "sender", send_one, &talk);
	finish(runtime);
	assert_string_equal(talk.record.text, "rsSR");
	talk_close(&talk);
}

static int listen_late(struct inko_mailbox *mailbox, void *argument)
{
	struct talk *talk = argument;

	record_add(&talk->record, 'l');
	assert_int_equal(inko_task_sleep(inko_deadline_after(SOON_USEC)), 0);
	assert_int_equal(inko_mailbox_listen(talk->url, &talk->listener), 0);
	return receive_one(mailbox, argument);
}

static int send_early(struct inko_mailbox *mailbox, void *argument)
{
	struct talk *talk = argument;

	(void)mailbox;
	record_add(&talk->record, 's');
	return inko_mailbox_send(talk->sender, message_make("hello"));
}

/* While one waits to send, since nobody is there, another comes to listen. */
static void sends_in_a_task(const char *url)
{
	struct inko_runtime *runtime = runtime_make();
	struct talk talk = {.url = url};

	assert_int_equal(inko_mailbox_dial(url, &talk.sender), 0);
	start_detached(runtime, "sender", send_early, &talk);
	start_detached(runtime, "listener", listen_late, &talk);
	finish(runtime);
	assert_string_equal(talk.record.text, "slrR");
	talk_close(&talk);
}

static int send_many(struct inko_mailbox *mailbox, void *argument)
{
	struct talk *talk = argument;

	(void)mailbox;
	for (unsigned int i = 0; i < MANY; i++)
		assert_int_equal(inko_mailbox_send(talk->sender, new_message(&i, sizeof(i))), 0);
	return 0;
}

static int receive_many(struct inko_mailbox *mailbox, void *argument)
{
	struct talk *talk = argument;

	(void)mailbox;
	for (unsigned int i = 0; i < MANY; i++) {
		struct inko_message *message;

		assert_int_equal(inko_mailbox_receive(talk->listener, &message), 0);
		assert_memory_equal(inko_message_peek_bytes(message, NULL), &i, sizeof(i));
		inko_message_free(message);
	}
	return 0;
}

/* More than nng holds by itself: both sides wait, now one and now the other. */
static void takes_turns_in_tasks(const char *url)
{
	struct inko_runtime *runtime = runtime_make();
	struct talk talk = {0};

	assert_int_equal(inko_mailbox_listen(url, &talk.listener), 0);
	assert_int_equal(inko_mailbox_dial(url, &talk.sender), 0);
	start_detached(runtime, "sender", send_many, &talk);
	start_detached(runtime, "receiver", receive_many, &talk);
	finish(runtime);
	talk_close(&talk);
}

static void cancelled_in_a_task(const char *url)
{
	struct inko_runtime *runtime = runtime_make();
	struct inko_task *receiver;
	struct talk talk = {0};
	int result;

	assert_int_equal(inko_mailbox_listen(url, &talk.listener), 0);
	assert_int_equal(inko_mailbox_dial(url, &talk.sender), 0);
	receiver = start(runtime, "receiver", receive_one, &talk);
	assert_int_equal(inko_runtime_dispatch(runtime), 1);
	inko_task_cancel(receiver);
	assert_int_equal(inko_runtime_dispatch(runtime), 0);
	assert_int_equal(inko_task_join(receiver, &result), 0);
	assert_int_equal(result, -ECANCELED);
	/* The mailbox is as good as before. */
	start_detached(runtime, "receiver", receive_one, &talk);
	start_detached(runtime, "sender", send_one, &talk);
	finish(runtime);
	assert_string_equal(talk.record.text, "rrsSR");
	talk_close(&talk);
}

/* One case for the addresses of each kind. */
#define over_ipc_and_tcp(function)                                                                 \
	static void test_##function##_over_ipc(void **state)                                       \
	{                                                                                          \
		struct address address;                                                            \
                                                                                                   \
		(void)state;                                                                       \
		address_init(&address);                                                            \
		function(address.url);                                                             \
		address_done(&address);                                                            \
	}                                                                                          \
	static void test_##function##_over_tcp(void **state)                                       \
	{                                                                                          \
		struct place place = sockets_nowhere(INKO_IPV4);                                   \
		char url[64];                                                                      \
                                                                                                   \
		(void)state;                                                                       \
		(void)snprintf(url, sizeof(url), "tcp://127.0.0.1:%d", place.ip.port);             \
		function(url);                                                                     \
	}
over_ipc_and_tcp(receives_in_a_task) over_ipc_and_tcp(sends_in_a_task)
	over_ipc_and_tcp(takes_turns_in_tasks) over_ipc_and_tcp(cancelled_in_a_task)

#define PAUSE_USEC 20000
#define QUIET_PAUSES 10

	/* The first call of nng opens what it keeps, before any case counts. */
	static int start_nng(void **state)
{
	struct inko_mailbox *mailbox;

	assert_int_equal(inko_mailbox_dial("ipc:///nonexistent/s", &mailbox), 0);
	inko_mailbox_close(mailbox);
	*state = (void *)leaks_count_fds();
	for (int quiet = 0; quiet < QUIET_PAUSES; quiet++) {
		usleep(PAUSE_USEC);
		if (leaks_count_fds() != (uintptr_t)*state)
			quiet = 0;
		*state = (void *)leaks_count_fds();
	}
	return 0;
}

/* nng's threads close descriptors a moment after it says so. */
static int settle(void **state)
{
	for (int msec = 0; msec < WAIT_MSEC && leaks_count_fds() != (uintptr_t)*state;
		msec += PAUSE_USEC / 1000)
		usleep(PAUSE_USEC);
	return leaks_teardown(state);
}

#define remote_test(function) cmocka_unit_test_teardown(function, settle)
#define in_tasks_test(function)                                                                    \
	remote_test(test_##function##_over_ipc), remote_test(test_##function##_over_tcp)

int main(void)
{
	const struct CMUnitTest tests[] = {
		remote_test(test_sends_and_receives),
		remote_test(test_big_body),
		remote_test(test_each_is_for_one_direction),
		remote_test(test_sockets_stay_here),
		remote_test(test_dead_address),
		remote_test(test_bad_addresses),
		remote_test(test_second_listener),
		remote_test(test_stale_path),
		remote_test(test_mode),
		in_tasks_test(receives_in_a_task),
		in_tasks_test(sends_in_a_task),
		in_tasks_test(takes_turns_in_tasks),
		in_tasks_test(cancelled_in_a_task),
	};

	return cmocka_run_group_tests(tests, start_nng, NULL);
}
