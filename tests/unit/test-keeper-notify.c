/*
 * What the keeper says to who started it.
 */

#include "tests/unit/leaks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/keeper/notify.h"
#include "proto/descriptor.h"

/* A manager that listens where text says, with '@' for an abstract name. */
static int listen_at(const char *text)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(text));
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	(void)strcpy(address.sun_path, text);
	if (text[0] == '@')
		address.sun_path[0] = '\0';
	else
		length++;
	assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", text, 1), 0);
	return fd;
}

static void assert_said(int fd, const char *text)
{
	char said[NOTIFY_BYTES + 1];
	ssize_t size = recv(fd, said, NOTIFY_BYTES, MSG_DONTWAIT);

	assert_true(size >= 0);
	said[size] = '\0';
	assert_string_equal(said, text);
}

static void assert_silent(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
}

static void say_at(const char *address)
{
	_cleanup_close_ int manager = listen_at(address);
	struct notify notify;

	notify_open(&notify);
	assert_true(notify_is_wanted(&notify));
	notify_say(&notify, "READY=1\nSTATUS=x", 0);
	assert_said(manager, "READY=1\nSTATUS=x");
	assert_true(notify_due_msec(&notify) == UINT64_MAX);
	notify_close(&notify);
	assert_string_equal(getenv("NOTIFY_SOCKET"), address);
}

static void says_at_a_path_and_at_a_name(void **state)
{
	char path[64], name[64];

	(void)state;
	(void)snprintf(path, sizeof(path), "/tmp/inko-notify-%d", (int)getpid());
	(void)snprintf(name, sizeof(name), "@inko-notify-%d", (int)getpid());
	say_at(path);
	assert_int_equal(unlink(path), 0);
	say_at(name);
}

static void nobody_asked(void **state)
{
	static const char *const addresses[] = {NULL, "", "x", "/", "@", "vsock:2:1",
		"/12345678901234567890123456789012345678901234567890123456789012345678901234567890"
		"1234567890123456789012345678"};
	struct notify notify;

	(void)state;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
		assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
		if (addresses[i])
			assert_int_equal(setenv("NOTIFY_SOCKET", addresses[i], 1), 0);
		notify_open(&notify);
		assert_false(notify_is_wanted(&notify));
		notify_say(&notify, "READY=1", 0);
		assert_true(notify_due_msec(&notify) == UINT64_MAX);
		notify_retry(&notify, 1000);
		notify_close(&notify);
	}
}

static void fill(struct notify *notify)
{
	for (int i = 0; notify_due_msec(notify) == UINT64_MAX && i < 100000; i++)
		notify_say(notify, "STATUS=old", 7);
	assert_int_not_equal(notify_due_msec(notify), UINT64_MAX);
}

static void drain(int fd)
{
	char byte;

	while (recv(fd, &byte, 1, MSG_DONTWAIT) >= 0)
		;
}

static void waits_for_a_manager_that_is_behind(void **state)
{
	_cleanup_close_ int manager = -1;
	struct notify notify;
	char name[64];

	(void)state;
	(void)snprintf(name, sizeof(name), "@inko-notify-%d", (int)getpid());
	manager = listen_at(name);
	notify_open(&notify);
	fill(&notify);
	notify_say(&notify, "READY=1", 8);
	notify_say(&notify, "STATUS=new", 9);
	drain(manager);
	notify_retry(&notify, 8);
	assert_silent(manager);
	notify_retry(&notify, notify_due_msec(&notify));
	assert_said(manager, "STATUS=new\nREADY=1");
	assert_silent(manager);
	assert_true(notify_due_msec(&notify) == UINT64_MAX);
	notify_close(&notify);
}

static void has_a_bound(void **state)
{
	_cleanup_close_ int manager = -1;
	struct notify notify;
	char name[64], line[NOTIFY_BYTES + 1];

	(void)state;
	(void)snprintf(name, sizeof(name), "@inko-notify-%d", (int)getpid());
	manager = listen_at(name);
	notify_open(&notify);
	fill(&notify);
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	/* What no manager would take is not said at all. */
	notify_say(&notify, line, 8);
	/* What leaves no room for what waits takes its place. */
	memcpy(line, "X=", 2);
	line[NOTIFY_BYTES - 1] = '\0';
	notify_say(&notify, line, 8);
	drain(manager);
	notify_retry(&notify, notify_due_msec(&notify));
	assert_said(manager, line);
	notify_close(&notify);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(says_at_a_path_and_at_a_name),
		leaks_test(nobody_asked),
		leaks_test(waits_for_a_manager_that_is_behind),
		leaks_test(has_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
