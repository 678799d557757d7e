/*
 * What a program tells inkod, and what it does when nobody listens.
 */

#include "tests/unit/leaks.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "proto/descriptor.h"

#include <inko/actor.h>

#define ABSTRACT "@inko-test-actor"

struct notified {
	char directory[64], path[108];
	int fd;
};

static void notified_open(struct notified *notified, bool abstract)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t length;

	strcpy(notified->directory, "/tmp/inko-test-actor.XXXXXX");
	assert_non_null(mkdtemp(notified->directory));
	if (abstract)
		snprintf(notified->path, sizeof(notified->path), ABSTRACT "-%d", (int)getpid());
	else
		snprintf(notified->path, sizeof(notified->path), "%s/notify", notified->directory);
	memcpy(address.sun_path, notified->path, strlen(notified->path));
	if (abstract)
		address.sun_path[0] = '\0';
	length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(notified->path));
	notified->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(notified->fd, (struct sockaddr *)&address, length), 0);
	setenv("NOTIFY_SOCKET", notified->path, 1);
}

static void notified_close(struct notified *notified)
{
	descriptor_close(&notified->fd);
	unlink(notified->path);
	rmdir(notified->directory);
	unsetenv("NOTIFY_SOCKET");
}

static void assert_told(const struct notified *notified, const char *line)
{
	char buffer[64];
	ssize_t n = recv(notified->fd, buffer, sizeof(buffer), 0);

	assert_int_equal(n, strlen(line));
	assert_memory_equal(buffer, line, strlen(line));
}

static void test_name(void **state)
{
	(void)state;
	unsetenv("INKO_INSTANCE");
	assert_null(inko_actor_name());
	setenv("INKO_INSTANCE", "", 1);
	assert_null(inko_actor_name());
	setenv("INKO_INSTANCE", "web/0", 1);
	assert_string_equal(inko_actor_name(), "web/0");
	unsetenv("INKO_INSTANCE");
}

static void test_tells(void **state)
{
	(void)state;
	for (int abstract = 0; abstract < 2; abstract++) {
		struct notified notified;

		notified_open(&notified, abstract);
		assert_int_equal(inko_actor_ready(), 1);
		assert_told(&notified, "READY=1");
		assert_int_equal(inko_actor_notify("STATUS=at work"), 1);
		assert_told(&notified, "STATUS=at work");
		assert_int_equal(inko_actor_notify(""), -EINVAL);
		notified_close(&notified);
	}
}

static void test_nobody_to_tell(void **state)
{
	char longest[200] = "/";

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(inko_actor_ready(), 0);
	setenv("NOTIFY_SOCKET", "", 1);
	assert_int_equal(inko_actor_ready(), 0);
	setenv("NOTIFY_SOCKET", "relative", 1);
	assert_int_equal(inko_actor_ready(), -EAFNOSUPPORT);
	setenv("NOTIFY_SOCKET", "/nowhere/notify", 1);
	assert_int_equal(inko_actor_ready(), -ENOENT);
	memset(longest + 1, 'x', 150);
	setenv("NOTIFY_SOCKET", longest, 1);
	assert_int_equal(inko_actor_ready(), -ENAMETOOLONG);
	unsetenv("NOTIFY_SOCKET");
}

static void test_gives_up_when_nobody_reads(void **state)
{
	struct notified notified;
	struct timespec begin, end;
	int r;

	(void)state;
	notified_open(&notified, false);
	(void)clock_gettime(CLOCK_MONOTONIC, &begin);
	while ((r = inko_actor_notify("STATUS=again")) == 1)
		;
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	assert_int_equal(r, -EAGAIN);
	assert_in_range(end.tv_sec - begin.tv_sec, 0, 10);

	while (recv(notified.fd, (char[64]){0}, 64, 0) > 0)
		;
	assert_int_equal(inko_actor_ready(), 1);
	notified_close(&notified);
}

static void test_waits_a_little(void **state)
{
	struct notified notified;
	pid_t reader;
	int r = 1;

	(void)state;
	notified_open(&notified, false);
	/* Full: the last one waits for the reader, which is late. */
	reader = fork();
	if (reader == 0) {
		usleep(200000);
		for (int i = 0; i < 2000; i++) {
			while (recv(notified.fd, (char[64]){0}, 64, 0) > 0)
				;
			usleep(1000);
		}
		_exit(0);
	}
	for (int i = 0; i < 600 && r == 1; i++)
		r = inko_actor_notify("STATUS=again");
	assert_int_equal(r, 1);
	kill(reader, SIGKILL);
	assert_int_equal(waitpid(reader, NULL, 0), reader);
	notified_close(&notified);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(test_name),
		leaks_test(test_tells),
		leaks_test(test_nobody_to_tell),
		leaks_test(test_gives_up_when_nobody_reads),
		leaks_test(test_waits_a_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
