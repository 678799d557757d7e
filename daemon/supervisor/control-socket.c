#include <sys/socket.h>

#include "daemon/supervisor/client.h"
#include "daemon/supervisor/control-socket.h"
#include "daemon/supervisor/held.h"
#include "daemon/supervisor/holding.h"
#include "daemon/supervisor/interface.h"
#include "daemon/supervisor/own-socket.h"
#include "daemon/supervisor/supervisor.h"
#include "daemon/supervisor/systemd-socket.h"
#include "proto/descriptor.h"
#include "proto/runtime.h"

#define KEY "control"

/* It has no state but itself. */
static const struct json_field fields[] = {JSON_FIELDS_END};

static void put(struct supervisor *supervisor, int fd)
{
	holding_put(supervisor->holding, KEY, fields, NULL, &fd, 1);
}

static int open_new(struct supervisor *supervisor, int *ret_fd)
{
	int r = own_socket_open(supervisor->runtime, RUNTIME_CONTROL, SOCK_STREAM, 0660, ret_fd);

	if (r == 0)
		put(supervisor, *ret_fd);
	return r;
}

int control_socket_serve(struct supervisor *supervisor, struct held *held)
{
	struct keep_message *message = held_find(held, KEY);
	_cleanup_close_ int fd = -1;
	int r = systemd_socket_open(supervisor, SYSTEMD_SOCKET_CONTROL, &fd);

	if (r < 0 && message && message->passed.n_fds == 1) {
		fd = message->passed.fds[0];
		message->passed.n_fds = 0;
	} else if (r < 0) {
		r = open_new(supervisor, &fd);
		if (r < 0)
			return r;
	}
	return clients_new(
		supervisor->event, &fd, &interface_events, supervisor, &supervisor->clients);
}

void control_socket_put(struct supervisor *supervisor)
{
	if (!systemd_socket_has(supervisor, SYSTEMD_SOCKET_CONTROL))
		put(supervisor, clients_peek_fd(supervisor->clients));
}

void control_socket_follow_systemd(struct supervisor *supervisor)
{
	_cleanup_close_ int fd = -1;

	if (systemd_socket_open(supervisor, SYSTEMD_SOCKET_CONTROL, &fd) == 0)
		clients_move(supervisor->clients, &fd);
}
