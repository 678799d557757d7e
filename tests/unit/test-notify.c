/*
 * The notify socket: what is read is taken off it only after it was told.
 */

#include "tests/unit/leaks.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/supervisor/notify.h"
#include "proto/descriptor.h"

struct heard {
	char lines[8][64];
	size_t n, n_fds;
	int fd; /* is looked at while a line is told */
	bool was_there;
};

static void on_notification(void *context, struct notification *notification)
{
	struct heard *heard = context;
	const char *line = NULL;
	char byte;

	while ((line = notification_next_line(notification, line)))
		(void)snprintf(heard->lines[heard->n++], sizeof(heard->lines[0]), "%s", line);
	heard->n_fds = notification->passed.n_fds;
	heard->was_there = recv(heard->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)strcpy(address.sun_path, path);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* A notify socket, and somebody who has it. */
struct way {
	char directory[sizeof("/tmp/inko-notify-XXXXXX")], path[PATH_MAX];
	int fd, sender;
};

static void begin(struct way *way)
{
	(void)strcpy(way->directory, "/tmp/inko-notify-XXXXXX");
	assert_non_null(mkdtemp(way->directory));
	(void)snprintf(way->path, sizeof(way->path), "%s/socket", way->directory);
	assert_int_equal(notify_open(way->path, &way->fd), 0);
	way->sender = connect_to(way->path);
}

static void end(struct way *way)
{
	descriptor_close(&way->sender);
	descriptor_close(&way->fd);
	(void)unlink(way->path);
	(void)rmdir(way->directory);
}

static void tells_lines(void **state)
{
	struct heard heard = {0};
	struct way way;
	int done_fd = -1;

	(void)state;
	begin(&way);
	heard.fd = way.fd;
	assert_int_equal(notify_dispatch(way.fd, on_notification, &heard, &done_fd), 0);
	assert_int_equal(send(way.sender, "READY=1\n\nSTATUS=a b\n", 20, 0), 20);
	assert_int_equal(notify_dispatch(way.fd, on_notification, &heard, &done_fd), 1);
	assert_int_equal(heard.n, 2);
	assert_string_equal(heard.lines[0], "READY=1");
	assert_string_equal(heard.lines[1], "STATUS=a b");
	/* A supervisor that died in between would have left it for the next. */
	assert_true(heard.was_there);
	assert_int_equal(notify_dispatch(way.fd, on_notification, &heard, &done_fd), 0);
	end(&way);
}

/* The other end of what was passed is closed when the notification has been dealt with, and not
 * before: who sent BARRIER=1 waits for it. Copies are made of what may be stored. */
static void closes_what_came_with(const char *text, size_t n_fds)
{
	_cleanup_close_ int ours = -1, theirs = -1;
	struct iovec iov = {(void *)text, strlen(text)};
	struct heard heard = {0};
	struct way way;
	int pair[2], done_fd = -1;

	begin(&way);
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	ours = pair[0];
	theirs = pair[1];
	assert_int_equal(passing_send(way.sender, &iov, 1, &theirs, 1), 0);
	descriptor_close(&theirs);
	heard.fd = way.fd;
	assert_int_equal(poll(&(struct pollfd){.fd = ours}, 1, 0), 0);
	assert_int_equal(notify_dispatch(way.fd, on_notification, &heard, &done_fd), 1);
	assert_int_equal(heard.n_fds, n_fds);
	assert_true(done_fd >= 0);
	assert_int_equal(poll(&(struct pollfd){.fd = done_fd}, 1, -1), 1);
	descriptor_close(&done_fd);
	assert_int_equal(poll(&(struct pollfd){.fd = ours}, 1, 0), 1);
	assert_int_equal(notify_dispatch(way.fd, on_notification, &heard, &done_fd), 0);
	end(&way);
}

static void closes_what_nobody_takes(void **state)
{
	(void)state;
	closes_what_came_with("BARRIER=1", 0);
	closes_what_came_with("FDSTORE=1", 1);
}

/* Nor does an empty one, or one of zero bytes, stop those behind it. */
static void bears_odd_ones(void **state)
{
	struct heard heard = {0};
	struct way way;
	int done_fd = -1;

	(void)state;
	begin(&way);
	heard.fd = way.fd;
	assert_int_equal(send(way.sender, "", 0, 0), 0);
	assert_int_equal(send(way.sender, "\0\0\n", 3, 0), 3);
	assert_int_equal(send(way.sender, "READY=1", 7, 0), 7);
	assert_int_equal(notify_dispatch(way.fd, on_notification, &heard, &done_fd), 1);
	assert_int_equal(notify_dispatch(way.fd, on_notification, &heard, &done_fd), 1);
	assert_int_equal(heard.n, 0);
	assert_int_equal(notify_dispatch(way.fd, on_notification, &heard, &done_fd), 1);
	assert_int_equal(heard.n, 1);
	assert_int_equal(notify_dispatch(way.fd, on_notification, &heard, &done_fd), 0);
	end(&way);
}

/* A file that a former inkod left is no hindrance. */
static void binds_over_a_file(void **state)
{
	_cleanup_close_ int second = -1;
	struct way way;

	(void)state;
	begin(&way);
	assert_int_equal(notify_open(way.path, &second), 0);
	end(&way);
}

static void names_the_socket_of_an_instance(void **state)
{
	char path[PATH_MAX];

	(void)state;
	assert_int_equal(notify_path("/run/inko", "web.x/12", path), 0);
	assert_string_equal(path, "/run/inko/notify/web.x.12");
}

static void finds_values(void **state)
{
	(void)state;
	assert_string_equal(notify_find_value("STATUS=a=b", "STATUS"), "a=b");
	assert_string_equal(notify_find_value("STATUS=", "STATUS"), "");
	assert_null(notify_find_value("STATUS", "STATUS"));
	assert_null(notify_find_value("STATUSES=a", "STATUS"));
	assert_null(notify_find_value("", "STATUS"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(finds_values),
		leaks_test(tells_lines),
		leaks_test(closes_what_nobody_takes),
		leaks_test(bears_odd_ones),
		leaks_test(binds_over_a_file),
		leaks_test(names_the_socket_of_an_instance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
