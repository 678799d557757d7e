/*
 * The lanes that a process was started with, by what the environment says of them.
 */

#include "tests/unit/lanes.h"

#include "libclient/inherited.h"

/* Descriptor 3 and the n_fds - 1 after it are lanes. */
static void pass(size_t n_fds, const char *names)
{
	struct lane_ends ends = lane_ends_open(LANES_QUEUE);

	for (int fd = 3; fd < 3 + (int)n_fds; fd++)
		assert_int_equal(dup2(ends.read_fd, fd), fd);
	lane_ends_close(&ends);
	lanes_set_environment(getpid(), n_fds, names);
}

static void unpass(size_t n_fds)
{
	assert_int_equal(close_range(3, 3 + (unsigned int)n_fds - 1, 0), 0);
	unsetenv("LISTEN_PID");
}

static void expect_lane(struct inherited *inherited, int expected_fd, bool expected_shared)
{
	bool shared;
	int fd;

	assert_int_equal(inherited_take(inherited, &fd, &shared), 1);
	assert_int_equal(fd, expected_fd);
	assert_int_equal(shared, expected_shared);
}

/* What is left of it has no lane, nor has it when asked again. */
static void expect_end(struct inherited *inherited)
{
	bool shared = true;
	int fd = -2;

	assert_int_equal(inherited_take(inherited, &fd, &shared), 0);
	assert_int_equal(inherited_take(inherited, &fd, &shared), 0);
	assert_int_equal(fd, -2);
	assert_true(shared);
}

static void test_nothing_was_passed(void **state)
{
	static const char *const bad[] = {"", "0", "x", "1x", "-1", "+1", " 1", "0x1", "2147483645",
		"2147483648", "99999999999999999999"};
	struct inherited inherited;

	(void)state;
	pass(1, "mailbox");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		setenv("LISTEN_FDS", bad[i], 1);
		assert_int_equal(inherited_init(&inherited), -ENOENT);
		lanes_set_environment(getpid(), 1, "mailbox");
		setenv("LISTEN_PID", bad[i], 1);
		assert_int_equal(inherited_init(&inherited), -ENOENT);
		lanes_set_environment(getpid(), 1, "mailbox");
	}
	unsetenv("LISTEN_FDS");
	assert_int_equal(inherited_init(&inherited), -ENOENT);
	lanes_set_environment(getppid(), 1, "mailbox");
	assert_int_equal(inherited_init(&inherited), -ENOENT);
	unsetenv("LISTEN_PID");
	assert_int_equal(inherited_init(&inherited), -ENOENT);
	/* What is not ours stays as it is. */
	assert_int_equal(fcntl(3, F_GETFD) & FD_CLOEXEC, 0);
	unpass(1);
}

static void test_lanes_by_their_names(void **state)
{
	struct inherited inherited;

	(void)state;
	pass(6, "mailbox:web:mailbox-shared::mailboxes:mailbox");
	assert_int_equal(inherited_init(&inherited), 0);
	for (int fd = 3; fd < 9; fd++)
		assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	expect_lane(&inherited, 3, false);
	expect_lane(&inherited, 5, true);
	expect_lane(&inherited, 8, false);
	expect_end(&inherited);
	assert_string_equal(getenv("LISTEN_FDS"), "6");
	unpass(6);
}

/* Fewer names than descriptors, and more. */
static void test_names_that_do_not_match_in_number(void **state)
{
	struct inherited inherited;

	(void)state;
	pass(2, "mailbox");
	assert_int_equal(inherited_init(&inherited), 0);
	expect_lane(&inherited, 3, false);
	expect_end(&inherited);
	setenv("LISTEN_FDNAMES", "web:mailbox:mailbox", 1);
	assert_int_equal(inherited_init(&inherited), 0);
	expect_lane(&inherited, 4, false);
	expect_end(&inherited);
	setenv("LISTEN_FDNAMES", "", 1);
	assert_int_equal(inherited_init(&inherited), 0);
	expect_end(&inherited);
	unsetenv("LISTEN_FDNAMES");
	assert_int_equal(inherited_init(&inherited), 0);
	expect_end(&inherited);
	unpass(2);
}

static void test_announced_and_not_there(void **state)
{
	struct inherited inherited;

	(void)state;
	pass(1, "mailbox:mailbox");
	setenv("LISTEN_FDS", "2", 1);
	assert_int_equal(inherited_init(&inherited), -EBADF);
	unpass(1);
}

static void test_named_like_a_lane_and_none(void **state)
{
	struct inherited inherited;
	bool shared;
	int fds[2], fd;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fds[0], 3);
	lanes_set_environment(getpid(), 1, "mailbox");
	assert_int_equal(inherited_init(&inherited), 0);
	assert_int_equal(inherited_take(&inherited, &fd, &shared), -ENOTSOCK);
	unpass(2);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(fds[0], 3);
	lanes_set_environment(getpid(), 1, "mailbox-shared");
	assert_int_equal(inherited_init(&inherited), 0);
	assert_int_equal(inherited_take(&inherited, &fd, &shared), -EPROTOTYPE);
	unpass(2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(test_nothing_was_passed),
		leaks_test(test_lanes_by_their_names),
		leaks_test(test_names_that_do_not_match_in_number),
		leaks_test(test_announced_and_not_there),
		leaks_test(test_named_like_a_lane_and_none),
	};

	/* Whoever started this may have left descriptors open from 3 on. */
	(void)close_range(3, ~0u, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
