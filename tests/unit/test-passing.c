/*
 * Every trap of descriptor passing, provoked.
 */

#include "tests/unit/leaks.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/descriptor.h"
#include "proto/passing.h"

/* Since Linux 6.5; before it nothing can go wrong with it. */
#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif

static void open_pair(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
}

static void close_pair(int fds[2])
{
	descriptor_close(&fds[0]);
	descriptor_close(&fds[1]);
}

static int send_text(int fd, const char *text, const int *fds, size_t n_fds)
{
	struct iovec iov = {.iov_base = (void *)text, .iov_len = strlen(text)};

	return passing_send(fd, &iov, 1, fds, n_fds);
}

static ssize_t receive_text(int fd, char *text, size_t size, int flags, struct passed *passed)
{
	struct iovec iov = {.iov_base = text, .iov_len = size};

	return passing_receive(fd, &iov, 1, flags, passed);
}

static void fill(int *fds, size_t n, int fd)
{
	for (size_t i = 0; i < n; i++)
		fds[i] = fd;
}

static bool is_same_file(int a, int b)
{
	struct stat a_status, b_status;

	return fstat(a, &a_status) == 0 && fstat(b, &b_status) == 0 &&
	       a_status.st_dev == b_status.st_dev && a_status.st_ino == b_status.st_ino;
}

static void passes_bytes_and_descriptors(void **state)
{
	int pair[2], ends[2];
	struct passed passed;
	char text[16];

	(void)state;
	open_pair(pair);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(send_text(pair[0], "two", ends, 2), 0);
	assert_int_equal(receive_text(pair[1], text, sizeof(text), 0, &passed), 3);
	assert_memory_equal(text, "two", 3);
	assert_int_equal(passed.n_fds, 2);
	assert_false(passed.truncated);
	assert_true(is_same_file(passed.fds[0], ends[0]));
	assert_true(is_same_file(passed.fds[1], ends[1]));
	assert_int_equal(fcntl(passed.fds[0], F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(passed.fds[1], F_GETFD), FD_CLOEXEC);
	passing_close(&passed);
	assert_int_equal(passed.n_fds, 0);
	close_pair(ends);
	close_pair(pair);
}

static void passes_none(void **state)
{
	int pair[2];
	struct passed passed;
	char text[16];

	(void)state;
	open_pair(pair);
	assert_int_equal(send_text(pair[0], "x", NULL, 0), 0);
	assert_int_equal(receive_text(pair[1], text, sizeof(text), 0, &passed), 1);
	assert_int_equal(passed.n_fds, 0);
	close_pair(pair);
}

static void passes_as_many_as_the_kernel_allows(void **state)
{
	int pair[2], fds[LIMIT_SOCKETS + 1];
	struct passed passed;
	char text[16];

	(void)state;
	open_pair(pair);
	fill(fds, LIMIT_SOCKETS + 1, pair[0]);
	assert_int_equal(send_text(pair[0], "x", fds, LIMIT_SOCKETS + 1), -EINVAL);
	assert_int_equal(send_text(pair[0], "x", fds, LIMIT_SOCKETS), 0);
	assert_int_equal(receive_text(pair[1], text, sizeof(text), 0, &passed), 1);
	assert_int_equal(passed.n_fds, LIMIT_SOCKETS);
	passing_close(&passed);
	close_pair(pair);
}

static void refuses_to_send_what_reads_like_the_end(void **state)
{
	int pair[2];

	(void)state;
	open_pair(pair);
	assert_int_equal(send_text(pair[0], "", NULL, 0), -EINVAL);
	assert_int_equal(send_text(pair[0], "", pair, 1), -EINVAL);
	close_pair(pair);
}

static void says_when_nothing_is_there(void **state)
{
	int pair[2];
	struct passed passed;
	char text[16];

	(void)state;
	open_pair(pair);
	assert_int_equal(receive_text(pair[1], text, sizeof(text), 0, &passed), -EAGAIN);
	assert_int_equal(passed.n_fds, 0);
	close_pair(pair);
}

static void never_waits_when_full(void **state)
{
	int pair[2], r;

	(void)state;
	open_pair(pair);
	do
		r = send_text(pair[0], "x", NULL, 0);
	while (r == 0);
	assert_int_equal(r, -EAGAIN);
	close_pair(pair);
}

static void tells_the_end_from_an_empty_datagram(void **state)
{
	int pair[2];
	struct passed passed;
	char text[16];

	(void)state;
	open_pair(pair);
	assert_int_equal(send(pair[0], "", 0, 0), 0);
	assert_int_equal(send_text(pair[0], "behind", NULL, 0), 0);
	assert_int_equal(receive_text(pair[1], text, sizeof(text), 0, &passed), -EBADMSG);
	assert_int_equal(receive_text(pair[1], text, sizeof(text), 0, &passed), 6);
	descriptor_close(&pair[0]);
	assert_int_equal(receive_text(pair[1], text, sizeof(text), 0, &passed), 0);
	close_pair(pair);
}

/* As a sender without this code could. */
static void send_raw(int fd, const char *bytes, size_t size, const int *fds, size_t n_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(LIMIT_SOCKETS * sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = (void *)bytes, .iov_len = size};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = CMSG_SPACE(n_fds * sizeof(int)),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
	memcpy(CMSG_DATA(header), fds, n_fds * sizeof(int));
	assert_int_equal(sendmsg(fd, &message, 0), size);
}

static void closes_descriptors_that_come_with_nothing(void **state)
{
	int pair[2];
	struct passed passed;
	char text[16];

	(void)state;
	open_pair(pair);
	send_raw(pair[0], "", 0, pair, 2);
	assert_int_equal(receive_text(pair[1], text, sizeof(text), 0, &passed), -EBADMSG);
	assert_int_equal(passed.n_fds, 0);
	close_pair(pair);
}

static void reports_a_payload_that_is_too_long(void **state)
{
	int pair[2];
	struct passed passed;
	char text[2];

	(void)state;
	open_pair(pair);
	assert_int_equal(send_text(pair[0], "long", pair, 2), 0);
	assert_int_equal(receive_text(pair[1], text, sizeof(text), 0, &passed), 2);
	assert_true(passed.truncated);
	assert_int_equal(passed.n_fds, 0);
	close_pair(pair);
}

/* A soft limit with room for n descriptors more. */
static void leave_room(size_t n, struct rlimit *ret_before)
{
	struct rlimit limit;
	int lowest = fcntl(0, F_DUPFD_CLOEXEC, 0);

	assert_true(lowest >= 0);
	assert_int_equal(close(lowest), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, ret_before), 0);
	limit = *ret_before;
	limit.rlim_cur = (rlim_t)lowest + n;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void restore_room(const struct rlimit *before)
{
	assert_int_equal(setrlimit(RLIMIT_NOFILE, before), 0);
}

static void reports_descriptors_that_found_no_room(void **state)
{
	int pair[2], fds[8];
	struct rlimit before;
	struct passed passed;
	char text[16];

	(void)state;
	open_pair(pair);
	fill(fds, 8, pair[0]);
	assert_int_equal(send_text(pair[0], "x", fds, 8), 0);
	leave_room(3, &before);
	assert_int_equal(receive_text(pair[1], text, sizeof(text), 0, &passed), 1);
	restore_room(&before);
	assert_true(passed.truncated);
	assert_int_equal(passed.n_fds, 0);
	close_pair(pair);
}

/* The kernel counts what is in flight for the whole uid against the sender's soft limit, unless
 * the sender is privileged. */
static void passes_on_that_too_much_is_in_flight(void **state)
{
	int pair[2], fds[LIMIT_SOCKETS], r;
	struct rlimit before;

	(void)state;
	open_pair(pair);
	fill(fds, LIMIT_SOCKETS, pair[0]);
	leave_room(0, &before);
	do
		r = send_text(pair[0], "x", fds, LIMIT_SOCKETS);
	while (r == 0);
	restore_room(&before);
	assert_true(r == -ETOOMANYREFS || r == -EAGAIN);
	close_pair(pair);
}

static void knows_how_much_room_there_is(void **state)
{
	struct rlimit before;

	(void)state;
	assert_int_equal(passing_make_sure_of_room(0), 0);
	assert_int_equal(passing_make_sure_of_room(LIMIT_SOCKETS), 0);
	leave_room(3, &before);
	assert_int_equal(passing_make_sure_of_room(0), 0);
	assert_int_equal(passing_make_sure_of_room(3), 0);
	assert_int_equal(passing_make_sure_of_room(4), -EMFILE);
	restore_room(&before);
	leave_room(0, &before);
	assert_int_equal(passing_make_sure_of_room(1), -EMFILE);
	restore_room(&before);
}

/* Free numbers below one that is in use count as well. */
static void finds_room_in_gaps(void **state)
{
	struct rlimit before;
	int lowest;

	(void)state;
	leave_room(4, &before);
	lowest = fcntl(0, F_DUPFD_CLOEXEC, 0);
	assert_true(lowest >= 0);
	assert_int_equal(dup3(0, lowest + 3, O_CLOEXEC), lowest + 3);
	assert_int_equal(close(lowest), 0);
	assert_int_equal(passing_make_sure_of_room(3), 0);
	assert_int_equal(passing_make_sure_of_room(4), -EMFILE);
	assert_int_equal(close(lowest + 3), 0);
	restore_room(&before);
}

static void survives_credentials_that_a_holder_switched_on(void **state)
{
	int pair[2], fds[LIMIT_SOCKETS], on = 1;
	struct passed passed;
	char text[16];

	(void)state;
	open_pair(pair);
	assert_int_equal(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
	assert_int_equal(setsockopt(pair[1], SOL_SOCKET, SO_TIMESTAMP, &on, sizeof(on)), 0);
	(void)setsockopt(pair[1], SOL_SOCKET, SO_PASSPIDFD, &on, sizeof(on));
	fill(fds, LIMIT_SOCKETS, pair[0]);
	assert_int_equal(send_text(pair[0], "x", fds, LIMIT_SOCKETS), 0);
	assert_int_equal(receive_text(pair[1], text, sizeof(text), 0, &passed), 1);
	assert_false(passed.truncated);
	assert_int_equal(passed.n_fds, LIMIT_SOCKETS);
	passing_close(&passed);
	close_pair(pair);
}

static void peeks_with_copies(void **state)
{
	int pair[2];
	struct passed passed;
	char text[16];

	(void)state;
	open_pair(pair);
	assert_int_equal(send_text(pair[0], "x", pair, 1), 0);
	assert_int_equal(receive_text(pair[1], text, sizeof(text), MSG_PEEK, &passed), 1);
	assert_int_equal(passed.n_fds, 1);
	passing_close(&passed);
	assert_int_equal(receive_text(pair[1], text, sizeof(text), 0, &passed), 1);
	assert_int_equal(passed.n_fds, 1);
	passing_close(&passed);
	close_pair(pair);
}

/* Without SIGPIPE, which would end this program. */
/* Descriptors in it are not installed, so that none has to be closed. */
static void peeks_without_copies(void **state)
{
	int pair[2], ends[2], yes = 1;
	char text[16];
	struct iovec iov = {text, sizeof(text)};
	struct passed passed;
	uintptr_t before;
	bool has_fds = false;
	pid_t sender = 0;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)), 0);
	assert_int_equal(passing_peek(pair[1], &iov, 1, &sender, &has_fds), -EAGAIN);
	assert_int_equal(send_text(pair[0], "two", ends, 2), 0);
	assert_int_equal(send_text(pair[0], "none", NULL, 0), 0);
	before = leaks_count_fds();
	assert_int_equal(passing_peek(pair[1], &iov, 1, &sender, &has_fds), 3);
	assert_int_equal(leaks_count_fds(), before);
	assert_true(has_fds);
	assert_int_equal(sender, getpid());
	/* They are still there. */
	assert_int_equal(receive_text(pair[1], text, sizeof(text), 0, &passed), 3);
	assert_int_equal(passed.n_fds, 2);
	passing_close(&passed);
	assert_int_equal(passing_peek(pair[1], &iov, 1, &sender, &has_fds), 4);
	assert_false(has_fds);
	close_pair(ends);
	close_pair(pair);
}

static void says_epipe_to_a_sender_without_receiver(void **state)
{
	int pair[2];

	(void)state;
	open_pair(pair);
	assert_int_equal(send_text(pair[0], "x", NULL, 0), 0);
	descriptor_close(&pair[1]);
	assert_int_equal(send_text(pair[0], "x", NULL, 0), -EPIPE);
	assert_int_equal(send_text(pair[0], "x", NULL, 0), -EPIPE);
	close_pair(pair);
}

/* The kernel puts ECONNRESET in front of it. */
static void receives_what_a_sender_left_that_had_not_read_all(void **state)
{
	int pair[2];
	struct passed passed;
	char text[16];

	(void)state;
	open_pair(pair);
	assert_int_equal(send_text(pair[1], "never read", NULL, 0), 0);
	assert_int_equal(send_text(pair[0], "last", pair, 1), 0);
	descriptor_close(&pair[0]);
	assert_int_equal(receive_text(pair[1], text, sizeof(text), 0, &passed), 4);
	assert_int_equal(passed.n_fds, 1);
	passing_close(&passed);
	assert_int_equal(receive_text(pair[1], text, sizeof(text), 0, &passed), 0);
	close_pair(pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(passes_bytes_and_descriptors),
		leaks_test(passes_none),
		leaks_test(passes_as_many_as_the_kernel_allows),
		leaks_test(refuses_to_send_what_reads_like_the_end),
		leaks_test(says_when_nothing_is_there),
		leaks_test(never_waits_when_full),
		leaks_test(tells_the_end_from_an_empty_datagram),
		leaks_test(closes_descriptors_that_come_with_nothing),
		leaks_test(reports_a_payload_that_is_too_long),
		leaks_test(reports_descriptors_that_found_no_room),
		leaks_test(passes_on_that_too_much_is_in_flight),
		leaks_test(knows_how_much_room_there_is),
		leaks_test(finds_room_in_gaps),
		leaks_test(survives_credentials_that_a_holder_switched_on),
		leaks_test(peeks_with_copies),
		leaks_test(peeks_without_copies),
		leaks_test(says_epipe_to_a_sender_without_receiver),
		leaks_test(receives_what_a_sender_left_that_had_not_read_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
