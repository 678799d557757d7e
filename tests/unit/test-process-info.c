/*
 * What the kernel says of a process.
 */

#include "tests/unit/leaks.h"

#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/supervisor/process-info.h"

/* A child of that uid that exits with status, or is killed when that is negative, and has ended. */
static pid_t start(uid_t uid, int status, int *ret_pidfd)
{
	pid_t pid = fork();
	struct pollfd ended;

	assert_true(pid >= 0);
	if (pid == 0) {
		if (prctl(PR_SET_NAME, "a) R 1 7") < 0 || setresuid(uid, uid, uid) < 0)
			_exit(99);
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

static void check_zombie(int status, int expected_code, int expected_status)
{
	int pidfd, code = 0, found = 0, r;
	pid_t pid = start(getuid(), status, &pidfd);

	r = process_info_read_exit(pidfd, pid, &code, &found);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	(void)close(pidfd);
	assert_int_equal(r, 0);
	assert_int_equal(code, expected_code);
	assert_int_equal(found, expected_status);
}

static void knows_a_zombie(void **state)
{
	(void)state;
	check_zombie(7, CLD_EXITED, 7);
	check_zombie(0, CLD_EXITED, 0);
	check_zombie(-SIGKILL, CLD_KILLED, SIGKILL);
}

static void check_reaped(int status, int expected_code, int expected_status)
{
	int pidfd, code = 0, found = 0, r;
	pid_t pid = start(getuid(), status, &pidfd);

	assert_int_equal(waitpid(pid, NULL, 0), pid);
	r = process_info_read_exit(pidfd, pid, &code, &found);
	(void)close(pidfd);
	if (r == -ENOTTY || r == -ESRCH)
		skip(); /* before 6.13 a kernel knows no such call, and before 6.15 it forgets */
	assert_int_equal(r, 0);
	assert_int_equal(code, expected_code);
	assert_int_equal(found, expected_status);
}

static void knows_who_was_waited_for(void **state)
{
	(void)state;
	check_reaped(7, CLD_EXITED, 7);
	check_reaped(0, CLD_EXITED, 0);
	check_reaped(-SIGTERM, CLD_KILLED, SIGTERM);
}

/* Who may signal it, but not trace it: proc(5) shows 0 then. */
static int read_without_ptrace(int pidfd, pid_t pid)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	int code, status, r;
	pid_t reader = fork();

	assert_true(reader >= 0);
	if (reader == 0) {
		if (syscall(SYS_capget, &header, data) < 0)
			_exit(99);
		data[0].effective = 1U << CAP_KILL;
		if (syscall(SYS_capset, &header, data) < 0)
			_exit(99);
		_exit(-process_info_read_exit(pidfd, pid, &code, &status));
	}
	assert_int_equal(waitpid(reader, &status, 0), reader);
	assert_true(WIFEXITED(status));
	r = WEXITSTATUS(status);
	assert_int_not_equal(r, 99);
	return -r;
}

static void does_not_guess(void **state)
{
	int pidfd, r;
	pid_t pid;

	(void)state;
	if (getuid() != 0)
		skip();
	pid = start(65534, 7, &pidfd);
	r = read_without_ptrace(pidfd, pid);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	(void)close(pidfd);
	assert_true(r < 0);
}

static void says_so_of_who_runs(void **state)
{
	int pidfd = pidfd_open(getpid(), 0), code, status;

	(void)state;
	assert_true(pidfd >= 0);
	assert_true(process_info_read_exit(pidfd, getpid(), &code, &status) < 0);
	(void)close(pidfd);
}

static void says_so_of_what_is_no_process(void **state)
{
	int fds[2], code, status;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_true(process_info_read_exit(fds[0], getpid(), &code, &status) < 0);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void knows_a_parent(void **state)
{
	int pidfd;
	pid_t pid = start(getuid(), 0, &pidfd);

	(void)state;
	assert_int_equal(process_info_read_parent(pidfd, pid), getpid());
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(process_info_read_parent(pidfd, pid), 1);
	(void)close(pidfd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(knows_a_zombie),
		leaks_test(knows_who_was_waited_for),
		leaks_test(does_not_guess),
		leaks_test(says_so_of_who_runs),
		leaks_test(says_so_of_what_is_no_process),
		leaks_test(knows_a_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
