#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/supervisor/discard.h"
#include "daemon/supervisor/notify.h"
#include "proto/descriptor.h"
#include "proto/runtime.h"

#define MODE 0600

int notify_path(const char *runtime, const char *instance, char ret_path[static PATH_MAX])
{
	char name[128];
	char *slash;

	(void)snprintf(name, sizeof(name), "notify/%s", instance);
	slash = strrchr(name, '/');
	if (slash)
		*slash = '.';
	return runtime_path(runtime, name, ret_path);
}

int notify_open(const char *path, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = -1;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	(void)strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	(void)unlink(path);
	/* Its directory can be passed through by all: who may send is the socket's own affair. */
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || chmod(path, MODE) < 0)
		return -errno;
	*ret_fd = descriptor_take(&fd);
	return 0;
}

int notify_ask_for_senders(int fd)
{
	int yes = 1;

	return setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)) < 0 ? -errno : 0;
}

int notify_give(const char *path, uid_t uid)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return -errno;
	/* No owner but its own is there to change where there are no privileges. */
	if (st.st_uid != uid && lchown(path, uid, (gid_t)-1) < 0)
		return -errno;
	return 0;
}

static void end_lines(struct notification *notification, size_t n_bytes)
{
	notification->n_bytes = n_bytes;
	notification->text[n_bytes] = 0;
	for (size_t i = 0; i < n_bytes; i++)
		if (notification->text[i] == '\n')
			notification->text[i] = 0;
}

static bool stores(const struct notification *notification)
{
	const char *value = notification_find(notification, "FDSTORE");

	return value && strcmp(value, "1") == 0;
}

/* Looks at what is first. As it is left where it is, descriptors in it are copies, which have to be
 * closed: there are none but where they are wanted. */
static int peek(int fd, struct notification *ret_notification, bool *ret_has_fds)
{
	struct iovec iov = {ret_notification->text, LIMIT_NOTIFICATION_BYTES};
	ssize_t n = passing_peek(fd, &iov, 1, &ret_notification->sender, ret_has_fds);

	if (n < 0)
		return (int)n;
	end_lines(ret_notification, (size_t)n);
	ret_notification->passed.n_fds = 0;
	ret_notification->passed.truncated = false;
	if (!*ret_has_fds || !stores(ret_notification))
		return 0;
	/* Without room for them they are lost, and the rest of it is heard all the same. */
	(void)passing_make_sure_of_room(LIMIT_SOCKETS);
	(void)passing_receive(fd, &iov, 1, MSG_PEEK, &ret_notification->passed);
	end_lines(ret_notification, (size_t)n);
	return 0;
}

int notify_dispatch(int fd,
	void (*on_notification)(void *context, struct notification *notification), void *context,
	int *ret_done_fd)
{
	struct notification notification;
	bool has_fds;

	if (peek(fd, &notification, &has_fds) < 0)
		return 0;
	on_notification(context, &notification);
	*ret_done_fd = -1;
	if (has_fds)
		(void)discard_first(fd, &notification.passed, ret_done_fd);
	else
		(void)recv(fd, &(char){0}, 1, MSG_DONTWAIT);
	return 1;
}

void notification_read(
	struct notification *notification, const char *bytes, size_t n_bytes, pid_t sender)
{
	n_bytes = n_bytes < LIMIT_NOTIFICATION_BYTES ? n_bytes : LIMIT_NOTIFICATION_BYTES;
	memcpy(notification->text, bytes, n_bytes);
	end_lines(notification, n_bytes);
	notification->sender = sender;
	notification->passed.n_fds = 0;
	notification->passed.truncated = false;
}

const char *notification_next_line(const struct notification *notification, const char *line)
{
	const char *end = notification->text + notification->n_bytes;

	line = line ? line + strlen(line) + 1 : notification->text;
	while (line < end && !*line)
		line++;
	return line < end ? line : NULL;
}

const char *notification_find(const struct notification *notification, const char *variable)
{
	const char *line = NULL, *value = NULL;

	while (!value && (line = notification_next_line(notification, line)))
		value = notify_find_value(line, variable);
	return value;
}

const char *notify_find_value(const char *line, const char *variable)
{
	size_t length = strlen(variable);

	return strncmp(line, variable, length) == 0 && line[length] == '=' ? line + length + 1
									   : NULL;
}
