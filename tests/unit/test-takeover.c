/*
 * Who is at the other end, as the keeper that takes over asks it.
 */

#include "tests/unit/leaks.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/keeper/takeover.h"
#include "proto/descriptor.h"

static void open_link(int ret_fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_fds), 0);
}

static void close_both(int fds[2])
{
	descriptor_close(&fds[0]);
	descriptor_close(&fds[1]);
}

static void finds_who_made_the_link(void **state)
{
	int link[2], pidfd = -1;
	pid_t pid = 0;

	(void)state;
	open_link(link);
	assert_int_equal(takeover_find_peer(link[0], &pid, &pidfd), 0);
	assert_int_equal(pid, getpid());
	assert_int_equal(pidfd_send_signal(pidfd, 0, NULL, 0), 0);
	(void)close(pidfd);
	close_both(link);
}

static void says_that_it_is_gone(void **state)
{
	int link[2], pidfd = -1;
	pid_t pid = 0;

	(void)state;
	open_link(link);
	descriptor_close(&link[1]);
	assert_int_equal(takeover_find_peer(link[0], &pid, &pidfd), -ECONNRESET);
	assert_int_equal(pidfd, -1);
	close_both(link);
}

/* Gives process the limit back when something is said on fd. */
static _Noreturn void give_back(pid_t process, int fd, const struct rlimit *limit)
{
	char byte;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	_exit(read(fd, &byte, 1) == 1 && prlimit(process, RLIMIT_NOFILE, limit, NULL) == 0
			? EXIT_SUCCESS
			: EXIT_FAILURE);
}

/* So that what is in use is all that there may be. */
static struct rlimit allow_no_more(void)
{
	struct rlimit before, limit;
	int next = dup(STDIN_FILENO);

	assert_true(next >= 0);
	(void)close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = before;
	limit.rlim_cur = (rlim_t)next;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return before;
}

/* No descriptor to ask with says nothing about who is there: a second supervisor would be
 * started beside it. */
static void waits_for_a_descriptor(void **state)
{
	int link[2], said[2], stderr_fd, status, pidfd = -1;
	struct rlimit before;
	pid_t pid = 0, child, parent = getpid();

	(void)state;
	open_link(link);
	open_link(said);
	stderr_fd = dup(STDERR_FILENO);
	before = allow_no_more();
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		give_back(parent, said[0], &before);
	assert_int_equal(dup2(said[1], STDERR_FILENO), STDERR_FILENO);
	status = takeover_find_peer(link[0], &pid, &pidfd);
	(void)dup2(stderr_fd, STDERR_FILENO);
	close_both(said);
	assert_int_equal(status, 0);
	assert_int_equal(pid, parent);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	(void)close(pidfd);
	(void)close(stderr_fd);
	close_both(link);
}

/* Nor does it stand in the way of who wants it to end. */
static void ends_without_a_descriptor(void **state)
{
	int link[2], stderr_fd, null_fd, status, pidfd = -1;
	struct rlimit before;
	sigset_t mask, former;
	pid_t pid = 0;

	(void)state;
	open_link(link);
	stderr_fd = dup(STDERR_FILENO);
	null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGTERM);
	assert_int_equal(sigprocmask(SIG_BLOCK, &mask, &former), 0);
	assert_int_equal(raise(SIGTERM), 0);
	before = allow_no_more();
	(void)dup2(null_fd, STDERR_FILENO);
	status = takeover_find_peer(link[0], &pid, &pidfd);
	(void)dup2(stderr_fd, STDERR_FILENO);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(sigprocmask(SIG_SETMASK, &former, NULL), 0);
	assert_int_equal(status, -ECANCELED);
	assert_int_equal(pidfd, -1);
	(void)close(null_fd);
	(void)close(stderr_fd);
	close_both(link);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(finds_who_made_the_link),
		leaks_test(says_that_it_is_gone),
		leaks_test(waits_for_a_descriptor),
		leaks_test(ends_without_a_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
