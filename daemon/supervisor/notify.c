#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

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

int notify_dispatch(int fd, void (*on_line)(void *context, const char *line), void *context)
{
	char text[4096];
	char *rest = text;
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_PEEK | MSG_DONTWAIT);

	if (n < 0)
		return 0;
	text[n] = 0;
	for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
		if (*line)
			on_line(context, line);
	/* Without a control buffer, so that descriptors which came along are closed. */
	(void)recv(fd, text, 1, MSG_DONTWAIT);
	return 1;
}

const char *notify_find_value(const char *line, const char *variable)
{
	size_t length = strlen(variable);

	return strncmp(line, variable, length) == 0 && line[length] == '=' ? line + length + 1
									   : NULL;
}
