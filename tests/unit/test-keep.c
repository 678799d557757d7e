/*
 * What keeper and supervisor say to each other.
 */

#include "tests/unit/leaks.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/descriptor.h"
#include "proto/keep.h"

/* Has nothing in flight, unlike whoever runs this. */
#define OTHER_UID 61234

static void open_pair(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
}

static void close_pair(int fds[2])
{
	descriptor_close(&fds[0]);
	descriptor_close(&fds[1]);
}

static void sends_and_receives(void **state)
{
	struct keep_message sent = {
		.verb = KEEP_PUT,
		.number = 42,
		.key = "instance/web/0",
		.bytes = (char *)"{}",
		.n_bytes = 2,
		.passed = {.fds = {0, 1}, .n_fds = 2},
	};
	struct keep_message received;
	int pair[2];

	(void)state;
	open_pair(pair);
	assert_int_equal(keep_send(pair[0], &sent, 0), 0);
	assert_int_equal(keep_receive(pair[1], &received), 1);
	assert_int_equal(received.verb, KEEP_PUT);
	assert_int_equal(received.number, 42);
	assert_string_equal(received.key, "instance/web/0");
	assert_string_equal(received.bytes, "{}");
	assert_int_equal(received.n_bytes, 2);
	assert_int_equal(received.passed.n_fds, 2);
	assert_int_equal(fcntl(received.passed.fds[0], F_GETFD), FD_CLOEXEC);
	keep_message_done(&received);
	keep_message_done(&received);
	close_pair(pair);
}

static void sends_what_has_no_key_and_no_bytes(void **state)
{
	struct keep_message sent = {.verb = KEEP_TAKE}, received;
	int pair[2];

	(void)state;
	open_pair(pair);
	assert_int_equal(keep_send(pair[0], &sent, KEEP_FOR_EVER), 0);
	assert_int_equal(keep_receive(pair[1], &received), 1);
	assert_int_equal(received.verb, KEEP_TAKE);
	assert_string_equal(received.key, "");
	assert_string_equal(received.bytes, "");
	assert_int_equal(received.n_bytes, 0);
	assert_int_equal(received.passed.n_fds, 0);
	keep_message_done(&received);
	close_pair(pair);
}

static void carries_as_much_as_the_limits_say(void **state)
{
	struct keep_message sent = {.verb = KEEP_PUT, .n_bytes = LIMIT_STATE_BYTES}, received;
	int pair[2];

	(void)state;
	open_pair(pair);
	sent.bytes = malloc(LIMIT_STATE_BYTES);
	assert_non_null(sent.bytes);
	memset(sent.bytes, 'b', LIMIT_STATE_BYTES);
	memset(sent.key, 'k', LIMIT_KEY_CHARS);
	sent.passed.n_fds = LIMIT_KEY_FDS;
	assert_int_equal(keep_send(pair[0], &sent, 0), 0);
	assert_int_equal(keep_receive(pair[1], &received), 1);
	assert_int_equal(received.n_bytes, LIMIT_STATE_BYTES);
	assert_memory_equal(received.bytes, sent.bytes, LIMIT_STATE_BYTES);
	assert_int_equal(strlen(received.key), LIMIT_KEY_CHARS);
	assert_int_equal(received.passed.n_fds, LIMIT_KEY_FDS);
	keep_message_done(&received);

	sent.n_bytes++;
	assert_int_equal(keep_send(pair[0], &sent, 0), -EMSGSIZE);
	sent.n_bytes = 0;
	sent.passed.n_fds++;
	assert_int_equal(keep_send(pair[0], &sent, 0), -EINVAL);
	free(sent.bytes);
	close_pair(pair);
}

static void says_when_nothing_is_there_and_when_all_is_over(void **state)
{
	struct keep_message message;
	int pair[2];

	(void)state;
	open_pair(pair);
	assert_int_equal(keep_receive(pair[1], &message), -EAGAIN);
	descriptor_close(&pair[0]);
	assert_int_equal(keep_receive(pair[1], &message), 0);
	message = (struct keep_message){.verb = KEEP_TAKE};
	assert_int_equal(keep_send(pair[1], &message, 0), -EPIPE);
	assert_int_equal(keep_send(pair[1], &message, KEEP_FOR_EVER), -EPIPE);
	close_pair(pair);
}

/* A supervisor that was killed while the keeper's messages waited for it. */
static void receives_all_that_a_dead_sender_sent(void **state)
{
	struct keep_message held = {.verb = KEEP_HELD, .key = "unread"};
	struct keep_message put = {.verb = KEEP_PUT, .key = "late", .passed = {.n_fds = 1}};
	struct keep_message received;
	int pair[2];

	(void)state;
	open_pair(pair);
	assert_int_equal(keep_send(pair[1], &held, 0), 0);
	assert_int_equal(keep_send(pair[0], &put, 0), 0);
	assert_int_equal(keep_send(pair[0], &put, 0), 0);
	descriptor_close(&pair[0]);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(keep_receive(pair[1], &received), 1);
		assert_string_equal(received.key, "late");
		assert_int_equal(received.passed.n_fds, 1);
		keep_message_done(&received);
	}
	assert_int_equal(keep_receive(pair[1], &received), 0);
	close_pair(pair);
}

static void does_not_wait_unless_told(void **state)
{
	struct keep_message message = {.verb = KEEP_STOP};
	int pair[2], r;

	(void)state;
	open_pair(pair);
	do
		r = keep_send(pair[0], &message, 0);
	while (r == 0);
	assert_int_equal(r, -EAGAIN);
	close_pair(pair);
}

static void receive_slowly(int fd, int n)
{
	struct keep_message message;

	for (int received = 0; received < n;) {
		int r = keep_receive(fd, &message);

		if (r == -EAGAIN)
			(void)usleep(100);
		else if (r == 1)
			received++;
		else
			_exit(1);
		if (r == 1)
			keep_message_done(&message);
	}
	_exit(0);
}

static void waits_when_told(void **state)
{
	const int n = 2000;
	struct keep_message message = {.verb = KEEP_PUT, .key = "k", .passed = {.n_fds = 1}};
	int pair[2];
	siginfo_t info = {0};
	pid_t pid;

	(void)state;
	open_pair(pair);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		receive_slowly(pair[1], n);
	for (int i = 0; i < n; i++)
		assert_int_equal(keep_send(pair[0], &message, KEEP_FOR_EVER), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED), 0);
	assert_int_equal(info.si_status, 0);
	close_pair(pair);
}

/* What a process without privileges may have in flight: its limit of open files. */
static int fill_what_may_be_in_flight(int fd)
{
	const struct rlimit limit = {.rlim_cur = 16, .rlim_max = 16};
	struct keep_message message = {.verb = KEEP_PUT, .passed = {.n_fds = LIMIT_KEY_FDS}};
	int r;

	if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || (geteuid() == 0 && setuid(OTHER_UID) < 0))
		return -errno;
	do
		r = keep_send(fd, &message, 0);
	while (r == 0);
	return r;
}

/* Nobody receives: a wait for the kernel's room has a bound too. */
static void waits_for_room_as_long_as_told(void **state)
{
	struct keep_message message = {.verb = KEEP_PUT, .passed = {.n_fds = 1}};
	siginfo_t info = {0};
	int pair[2];
	pid_t pid;

	(void)state;
	open_pair(pair);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)alarm(20);
		_exit(fill_what_may_be_in_flight(pair[0]) == -ETOOMANYREFS &&
					keep_send(pair[0], &message, 50) == -ETOOMANYREFS
				? EXIT_SUCCESS
				: EXIT_FAILURE);
	}
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED), 0);
	assert_int_equal(info.si_code, CLD_EXITED);
	assert_int_equal(info.si_status, EXIT_SUCCESS);
	close_pair(pair);
}

struct raw_head {
	uint32_t verb, number;
	char key[LIMIT_KEY_CHARS + 1];
};

static void send_raw(int fd, const struct raw_head *head, size_t size, size_t n_fds)
{
	struct iovec iov = {.iov_base = (void *)head, .iov_len = size};
	const int fds[LIMIT_KEY_FDS + 1] = {0};

	assert_int_equal(passing_send(fd, &iov, 1, fds, n_fds), 0);
}

static void refuses_what_is_invalid(void **state)
{
	struct raw_head head = {.verb = KEEP_VERBS};
	struct keep_message message;
	int pair[2];

	(void)state;
	open_pair(pair);
	send_raw(pair[0], &head, sizeof(head), 0);
	head.verb = 0;
	send_raw(pair[0], &head, sizeof(head), 1);
	head.verb = KEEP_PUT;
	send_raw(pair[0], &head, sizeof(head), LIMIT_KEY_FDS + 1);
	send_raw(pair[0], &head, 4, 1);
	memset(head.key, 'k', sizeof(head.key));
	send_raw(pair[0], &head, sizeof(head), 2);
	assert_int_equal(send(pair[0], "", 0, 0), 0);
	for (int i = 0; i < 6; i++)
		assert_int_equal(keep_receive(pair[1], &message), -EBADMSG);
	assert_int_equal(keep_receive(pair[1], &message), -EAGAIN);
	close_pair(pair);
}

static void refuses_more_bytes_than_the_limit(void **state)
{
	size_t size = sizeof(struct raw_head) + LIMIT_STATE_BYTES + 1;
	struct raw_head *head = calloc(1, size);
	struct keep_message message;
	int pair[2];

	(void)state;
	assert_non_null(head);
	open_pair(pair);
	head->verb = KEEP_PUT;
	send_raw(pair[0], head, size, 1);
	assert_int_equal(keep_receive(pair[1], &message), -EBADMSG);
	free(head);
	close_pair(pair);
}

static void leaves_what_it_has_no_room_for(void **state)
{
	struct keep_message message = {.verb = KEEP_PUT, .passed = {.n_fds = 1}};
	struct rlimit before, none;
	int pair[2];

	(void)state;
	open_pair(pair);
	assert_int_equal(keep_send(pair[0], &message, 0), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(keep_receive(pair[1], &message), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(keep_receive(pair[1], &message), 1);
	assert_int_equal(message.passed.n_fds, 1);
	keep_message_done(&message);
	close_pair(pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(sends_and_receives),
		leaks_test(sends_what_has_no_key_and_no_bytes),
		leaks_test(carries_as_much_as_the_limits_say),
		leaks_test(says_when_nothing_is_there_and_when_all_is_over),
		leaks_test(receives_all_that_a_dead_sender_sent),
		leaks_test(does_not_wait_unless_told),
		leaks_test(waits_when_told),
		leaks_test(waits_for_room_as_long_as_told),
		leaks_test(refuses_what_is_invalid),
		leaks_test(refuses_more_bytes_than_the_limit),
		leaks_test(leaves_what_it_has_no_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
