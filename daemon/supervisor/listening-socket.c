#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/supervisor/listening-socket.h"
#include "proto/address.h"
#include "proto/descriptor.h"

/* The kernel cuts it to net.core.somaxconn, which is what the operator allows. */
#define BACKLOG 65535

/* A socket file that nobody listens on any more is in the way of the next listener. Any other file
 * refuses connections just as well, and is somebody's. */
static bool is_stale(const struct address *address)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	return fd >= 0 && lstat(address->un.sun_path, &st) == 0 && S_ISSOCK(st.st_mode) &&
	       connect(fd, &address->any, address->length) < 0 && errno == ECONNREFUSED;
}

/* Of what is in use. */
static int find_obstacle(const struct address *address)
{
	struct stat st;

	if (address->any.sa_family != AF_UNIX || lstat(address->un.sun_path, &st) < 0)
		return -EADDRINUSE;
	return S_ISSOCK(st.st_mode) ? -EADDRINUSE : -ENOTSOCK;
}

static int bind_socket(int fd, const struct address *address)
{
	if (bind(fd, &address->any, address->length) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return -errno;
	if (address->any.sa_family == AF_UNIX && is_stale(address) &&
		unlink(address->un.sun_path) == 0 && bind(fd, &address->any, address->length) == 0)
		return 0;
	return find_obstacle(address);
}

static int make(const struct address *address, int *ret_fd)
{
	_cleanup_close_ int fd =
		socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;

	if (fd < 0)
		return -errno;
	if (address->any.sa_family != AF_UNIX &&
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	/* [::] and 0.0.0.0 are two listeners, whatever net.ipv6.bindv6only says. */
	if (address->any.sa_family == AF_INET6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
		return -errno;
	*ret_fd = descriptor_take(&fd);
	return 0;
}

/* May a socket file be made there? */
static int try_file(const struct address *address)
{
	_cleanup_free_ char *path = strdup(address->un.sun_path);
	struct stat st;

	if (!path)
		return -ENOMEM;
	if (lstat(path, &st) == 0 && !is_stale(address))
		return find_obstacle(address);
	return faccessat(AT_FDCWD, dirname(path), W_OK | X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

int listening_socket_try(const struct address *address)
{
	_cleanup_close_ int fd = -1;
	int r;

	if (address->any.sa_family == AF_UNIX)
		return try_file(address);
	r = make(address, &fd);
	return r < 0 ? r : bind_socket(fd, address);
}

int listening_socket_open(struct address *address, int *ret_fd)
{
	_cleanup_close_ int fd = -1;
	int r = make(address, &fd);

	if (r == 0)
		r = bind_socket(fd, address);
	if (r < 0)
		return r;
	if (listen(fd, BACKLOG) < 0)
		return -errno;
	if (address->any.sa_family != AF_UNIX) {
		address->length = sizeof(address->v6);
		if (getsockname(fd, &address->any, &address->length) < 0)
			return -errno;
	}
	*ret_fd = descriptor_take(&fd);
	return 0;
}

static int get_option(int fd, int option)
{
	int value = -1;
	socklen_t length = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &length) < 0 ? -errno : value;
}

int listening_socket_set_blocking(int fd, bool blocks)
{
	int flags = fcntl(fd, F_GETFL);
	int wanted = blocks ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;

	if (flags < 0 || (flags != wanted && fcntl(fd, F_SETFL, wanted) < 0))
		return -errno;
	return 0;
}

int listening_socket_adopt(int fd, struct address *ret_address)
{
	struct address address = {.length = sizeof(address.un)};
	int r;

	if (get_option(fd, SO_ACCEPTCONN) != 1 || get_option(fd, SO_TYPE) != SOCK_STREAM)
		return -EPROTOTYPE;
	r = listening_socket_set_blocking(fd, false);
	if (r < 0)
		return r;
	if (getsockname(fd, &address.any, &address.length) < 0)
		return -errno;
	*ret_address = address;
	return 0;
}

void listening_socket_unlink(const char *address)
{
	static const char scheme[] = "unix://";

	if (strncmp(address, scheme, strlen(scheme)) == 0)
		(void)unlink(address + strlen(scheme));
}

int listening_socket_identify(int fd, uint64_t *ret_inode)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*ret_inode = st.st_ino;
	return 0;
}
