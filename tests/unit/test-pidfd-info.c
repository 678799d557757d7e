/*
 * How a process ended that somebody else waited for.
 */

#include "tests/unit/leaks.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/supervisor/pidfd-info.h"

/* A child that exits with status, or is killed when that is negative, and has ended. */
static pid_t start(int status, int *ret_pidfd)
{
	pid_t pid = fork();
	struct pollfd ended;

	assert_true(pid >= 0);
	if (pid == 0) {
		if (status < 0)
			(void)kill(getpid(), -status);
		_exit(status);
	}
	*ret_pidfd = pidfd_open(pid, 0);
	assert_true(*ret_pidfd >= 0);
	ended = (struct pollfd){.fd = *ret_pidfd, .events = POLLIN};
	assert_int_equal(poll(&ended, 1, -1), 1);
	return pid;
}

static void check(int status, int expected_code, int expected_status)
{
	int pidfd, code = 0, found = 0, r;
	pid_t pid = start(status, &pidfd);

	r = pidfd_info_read_exit(pidfd, &code, &found);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	if (r != -EAGAIN) {
		(void)close(pidfd);
		skip(); /* a kernel before 6.13 knows no such call */
	}
	r = pidfd_info_read_exit(pidfd, &code, &found);
	(void)close(pidfd);
	if (r == -ESRCH)
		skip(); /* and one before 6.15 forgets it */
	assert_int_equal(r, 0);
	assert_int_equal(code, expected_code);
	assert_int_equal(found, expected_status);
}

static void knows_an_exit_status(void **state)
{
	(void)state;
	check(7, CLD_EXITED, 7);
	check(0, CLD_EXITED, 0);
}

static void knows_a_signal(void **state)
{
	(void)state;
	check(-SIGKILL, CLD_KILLED, SIGKILL);
}

static void says_so_of_what_is_no_process(void **state)
{
	int fds[2], code, status;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_true(pidfd_info_read_exit(fds[0], &code, &status) < 0);
	assert_true(pidfd_info_read_exit(fds[0], &code, &status) != -EAGAIN);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(knows_an_exit_status),
		leaks_test(knows_a_signal),
		leaks_test(says_so_of_what_is_no_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
