/*
 * What a program tells inkod about itself, in the words of sd_notify(3).
 */

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "libclient/wait.h"
#include "proto/descriptor.h"

#include <inko/actor.h>

#define NOTIFY_WAIT_USEC 1000000

const char *inko_actor_name(void)
{
	const char *name = getenv("INKO_INSTANCE");

	return name && *name ? name : NULL;
}

int inko_actor_ready(void)
{
	return inko_actor_notify("READY=1");
}

/* The path, or with '@' the abstract name, that NOTIFY_SOCKET may be (sd_notify(3)). */
static int notify_address(const char *path, struct sockaddr_un *ret_address, socklen_t *ret_length)
{
	size_t length = strlen(path);

	if ((path[0] != '/' && path[0] != '@') || length < 2)
		return -EAFNOSUPPORT;
	if (length >= sizeof(ret_address->sun_path))
		return -ENAMETOOLONG;

	*ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(ret_address->sun_path, path, length);
	if (path[0] == '@')
		ret_address->sun_path[0] = '\0';
	*ret_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	return 0;
}

/* sd_notify() blocks for as long as nobody reads the other side, which would tie this program's
 * life to inkod's: a restart of inkod would stop all that report a status meanwhile. So it waits
 * for a second and then gives up. */
static int notify_send(int fd, const char *line)
{
	struct pollfd room = {.fd = fd, .events = POLLOUT};
	uint64_t deadline_usec = wait_now_usec() + NOTIFY_WAIT_USEC;

	for (;;) {
		int r;

		if (send(fd, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return 1;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		r = wait_for(&room, 1, deadline_usec);
		if (r < 0)
			return r == -ETIMEDOUT ? -EAGAIN : r;
	}
}

int inko_actor_notify(const char *line)
{
	const char *path = getenv("NOTIFY_SOCKET");
	_cleanup_close_ int fd = -1;
	struct sockaddr_un address;
	socklen_t length;
	int r;

	if (!path || !*path)
		return 0;
	if (!*line)
		return -EINVAL;
	r = notify_address(path, &address, &length);
	if (r < 0)
		return r;

	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Connected, so that poll says when there is room on the other side. */
	if (connect(fd, (struct sockaddr *)&address, length) < 0)
		return -errno;
	return notify_send(fd, line);
}
