/*
 * Programs that are started for connections: what they have, and what becomes of those that cannot
 * be.
 */

#include "tests/unit/leaks.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/actors/spawner.h"

/* More than there are threads, so that each has several, one after the other. */
#define JOBS 64

/* Has the job done, and returns our end of its connection. */
static int do_job(struct spawner *spawner, struct spawner_job *job)
{
	struct pollfd done = {.fd = spawner_get_fd(spawner), .events = POLLIN};
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
	job->fd = pair[1];
	spawner_push(spawner, job);
	assert_int_equal(poll(&done, 1, -1), 1);
	assert_ptr_equal(spawner_pop(spawner), job);
	assert_null(spawner_pop(spawner));
	assert_int_equal(job->fd, -1);
	return pair[0];
}

static void read_all(int fd, char text[static 256])
{
	ssize_t n;
	size_t size = 0;

	while ((n = read(fd, text + size, 255 - size)) > 0)
		size += (size_t)n;
	text[size] = '\0';
}

/* It waits for its input, no signal is blocked, and nothing of the one before is left to it. */
static void runs_the_program(void **state)
{
	static char shell[] = "/bin/sh", option[] = "-c", variable[] = "A=a";
	static char script[] = "read x; echo \"$A ${M-none} $x\"; grep SigBlk /proc/self/status";
	static char *command[] = {shell, option, script, NULL}, *environment[] = {variable, NULL};
	static const char *const wanted[] = {"a none hello\nSigBlk:\t0000000000000000\n",
		"a m hello\nSigBlk:\t0000000000000000\n"};
	struct spawner *spawner;
	char said[256];
	int status;

	(void)state;
	assert_int_equal(spawner_new(command, environment, &spawner), 0);
	for (int i = 0; i < JOBS; i++) {
		struct spawner_job job = {.more = {i % 2 ? "M=m" : NULL}};
		int fd = do_job(spawner, &job);

		assert_true(job.pid > 0);
		assert_int_equal(write(fd, "hello\n", 6), 6);
		read_all(fd, said);
		assert_string_equal(said, wanted[i % 2]);
		assert_int_equal(waitpid(job.pid, &status, 0), job.pid);
		assert_int_equal(status, 0);
		(void)close(fd);
	}
}

/* Why is told, its client is let go, and there is nobody to be waited for. */
static void tells_what_cannot_be_run(void **state)
{
	static char program[] = "/there/is/none";
	static char *command[] = {program, NULL}, *environment[] = {NULL};
	struct spawner *spawner;
	char said[256];

	(void)state;
	assert_int_equal(spawner_new(command, environment, &spawner), 0);
	for (int i = 0; i < JOBS; i++) {
		struct spawner_job job = {0};
		int fd = do_job(spawner, &job);

		assert_int_equal(job.pid, -ENOENT);
		read_all(fd, said);
		assert_string_equal(said, "");
		(void)close(fd);
	}
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

int main(void)
{
	/* A spawner is there as long as the process is. */
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_the_program),
		cmocka_unit_test(tells_what_cannot_be_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
