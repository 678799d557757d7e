/*
 * What inkod passes a process at its start: descriptors from 3 on, told of in the environment as
 * sd_listen_fds(3) says. Some are lanes, by their names; those of other names are the program's.
 * Read here and not by libsystemd, which a program need not link to have a mailbox.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libclient/inherited.h"
#include "proto/lane.h"

#define FIRST_FD 3

static bool parse_number(const char *text, unsigned long max, unsigned long *ret_number)
{
	unsigned long number = 0;

	if (!text || !*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		number = number * 10 + (unsigned long)(*text - '0');
		if (number > max)
			return false;
	}
	*ret_number = number;
	return true;
}

static int count_passed_fds(int *ret_n_fds)
{
	unsigned long pid, n_fds;

	if (!parse_number(getenv("LISTEN_PID"), INT_MAX, &pid) || (pid_t)pid != getpid())
		return -ENOENT;
	if (!parse_number(getenv("LISTEN_FDS"), INT_MAX - FIRST_FD, &n_fds) || n_fds == 0)
		return -ENOENT;
	*ret_n_fds = (int)n_fds;
	return 0;
}

/* All of them before anything else is opened, so that those that are announced and not there are
 * not taken for that. */
static int close_on_exec(int end_fd)
{
	for (int fd = FIRST_FD; fd < end_fd; fd++)
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			return -errno;
	return 0;
}

int inherited_init(struct inherited *inherited)
{
	int n_fds, r;

	r = count_passed_fds(&n_fds);
	if (r == 0)
		r = close_on_exec(FIRST_FD + n_fds);
	if (r < 0)
		return r;
	*inherited = (struct inherited){
		.fd = FIRST_FD,
		.end_fd = FIRST_FD + n_fds,
		.names = getenv("LISTEN_FDNAMES") ?: "",
	};
	return 0;
}

static bool name_is(const char *name, size_t length, const char *wanted)
{
	return strlen(wanted) == length && memcmp(name, wanted, length) == 0;
}

static int check_lane(int fd)
{
	socklen_t size = sizeof(int);
	int type;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
		return -errno;
	return type == SOCK_SEQPACKET ? 0 : -EPROTOTYPE;
}

/* The next descriptor, and its name, which is no string; false after the last. */
static bool next(
	struct inherited *inherited, int *ret_fd, const char **ret_name, size_t *ret_length)
{
	const char *name = inherited->names;
	size_t length = strcspn(name, ":");

	if (inherited->fd >= inherited->end_fd)
		return false;
	inherited->names += name[length] ? length + 1 : length;
	*ret_fd = inherited->fd++;
	*ret_name = name;
	*ret_length = length;
	return true;
}

int inherited_find(const struct inherited *inherited, const char *name)
{
	struct inherited left = *inherited;
	const char *found;
	size_t length;
	int fd;

	while (next(&left, &fd, &found, &length))
		if (name_is(found, length, name))
			return fd;
	return -1;
}

int inherited_take(struct inherited *inherited, int *ret_fd, bool *ret_shared)
{
	const char *name;
	size_t length;
	int fd;

	while (next(inherited, &fd, &name, &length)) {
		bool shared = name_is(name, length, LANE_FD_NAME_SHARED);
		int r;

		if (!shared && !name_is(name, length, LANE_FD_NAME))
			continue;
		r = check_lane(fd);
		if (r < 0)
			return r;
		*ret_fd = fd;
		*ret_shared = shared;
		return 1;
	}
	return 0;
}
