#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/supervisor/own-socket.h"
#include "proto/descriptor.h"
#include "proto/runtime.h"

int own_socket_open(const char *directory, const char *name, int type, mode_t mode, int *ret_fd)
{
	_cleanup_close_ int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address;
	int r = fd < 0 ? -errno : runtime_address(directory, name, &address);

	if (r < 0)
		return r;
	(void)unlink(address.sun_path);
	/* Before it listens nobody can connect. */
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		chmod(address.sun_path, mode) < 0 || listen(fd, SOMAXCONN) < 0)
		return -errno;
	*ret_fd = descriptor_take(&fd);
	return 0;
}
