/*
 * What the supervisor knows of the sockets that systemd gave.
 */

#include "tests/unit/leaks.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/systemd-socket.h"
#include "daemon/supervisor/supervisor.h"
#include "proto/descriptor.h"

static int adopt(struct supervisor *supervisor, const char *key, size_t n_fds)
{
	struct keep_message message = {.verb = KEEP_HELD};
	int r;

	(void)strcpy(message.key, key);
	for (; message.passed.n_fds < n_fds; message.passed.n_fds++)
		message.passed.fds[message.passed.n_fds] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	r = systemd_socket_adopt(supervisor, &message);
	keep_message_done(&message);
	return r;
}

static void done(struct supervisor *supervisor)
{
	while (!TAILQ_EMPTY(&supervisor->systemd_sockets)) {
		struct systemd_socket *socket = TAILQ_FIRST(&supervisor->systemd_sockets);

		TAILQ_REMOVE(&supervisor->systemd_sockets, socket, entries);
		descriptor_close(&socket->fd);
		free(socket);
	}
}

static void finds_by_name(void **state)
{
	struct supervisor supervisor = {0};
	_cleanup_close_ int fd = -1;
	char names[16];

	(void)state;
	TAILQ_INIT(&supervisor.systemd_sockets);
	systemd_socket_format_names(&supervisor, names, sizeof(names));
	assert_string_equal(names, "");
	assert_int_equal(adopt(&supervisor, "socket/http", 1), 0);
	assert_int_equal(adopt(&supervisor, "socket/varlink", 1), 0);
	assert_int_equal(adopt(&supervisor, "socket/https", 1), 0);
	/* Given again: it takes the other's place. */
	assert_int_equal(adopt(&supervisor, "socket/http", 1), 0);
	systemd_socket_format_names(&supervisor, names, sizeof(names));
	assert_string_equal(names, "http, https");
	systemd_socket_format_names(&supervisor, names, 8);
	assert_string_equal(names, "http, h");
	assert_int_equal(systemd_socket_open(&supervisor, "htt", &fd), -ENOENT);
	assert_int_equal(fd, -1);
	assert_int_equal(systemd_socket_open(&supervisor, "varlink", &fd), 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	done(&supervisor);
}

static void refuses_what_is_none(void **state)
{
	struct supervisor supervisor = {0};

	(void)state;
	TAILQ_INIT(&supervisor.systemd_sockets);
	assert_int_equal(adopt(&supervisor, "socket/http", 0), -EBADMSG);
	assert_int_equal(adopt(&supervisor, "socket/http", 2), -EBADMSG);
	assert_int_equal(adopt(&supervisor, "socket/", 1), -EBADMSG);
	assert_int_equal(adopt(&supervisor, "socket/a/b", 1), -EBADMSG);
	assert_true(TAILQ_EMPTY(&supervisor.systemd_sockets));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(finds_by_name),
		leaks_test(refuses_what_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
