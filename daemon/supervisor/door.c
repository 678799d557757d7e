#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/supervisor/door.h"
#include "daemon/supervisor/own-socket.h"
#include "proto/descriptor.h"
#include "proto/runtime.h"

struct door {
	int fd;
	sd_event_source *source;
	door_handler handle;
	void *context;
};

static int on_connect(sd_event_source *source, int listen_fd, uint32_t events, void *userdata)
{
	struct door *door = userdata;
	_cleanup_close_ int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred who;
	socklen_t size = sizeof(who);

	(void)source;
	(void)events;
	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0)
		return 0;
	if (who.uid == geteuid() || who.uid == 0)
		door->handle(door->context, &fd, who.pid);
	return 0;
}

int door_new(sd_event *event, const char *runtime, door_handler handle, void *context,
	struct door **ret_door)
{
	struct door *door = calloc(1, sizeof(*door));
	int r;

	if (!door)
		return -ENOMEM;
	door->fd = -1;
	door->handle = handle;
	door->context = context;
	r = own_socket_open(runtime, RUNTIME_KEEPER, SOCK_SEQPACKET, 0600, &door->fd);
	if (r == 0)
		r = sd_event_add_io(event, &door->source, door->fd, EPOLLIN, on_connect, door);
	if (r < 0) {
		descriptor_close(&door->fd);
		free(door);
		return r;
	}
	(void)sd_event_source_set_ratelimit(door->source, 1000000, 20);
	*ret_door = door;
	return 0;
}
