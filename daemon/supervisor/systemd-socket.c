#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/holding.h"
#include "daemon/supervisor/supervisor.h"
#include "daemon/supervisor/systemd-socket.h"
#include "proto/descriptor.h"
#include "proto/name.h"

static struct systemd_socket *find(struct supervisor *supervisor, const char *name)
{
	struct systemd_socket *socket;

	TAILQ_FOREACH(socket, &supervisor->systemd_sockets, entries)
		if (strcmp(socket->name, name) == 0)
			return socket;
	return NULL;
}

static struct systemd_socket *add(struct supervisor *supervisor, const char *name)
{
	struct systemd_socket *socket = calloc(1, sizeof(*socket) + strlen(name) + 1);

	if (!socket)
		return NULL;
	socket->fd = -1;
	(void)strcpy(socket->name, name);
	TAILQ_INSERT_TAIL(&supervisor->systemd_sockets, socket, entries);
	return socket;
}

int systemd_socket_adopt(struct supervisor *supervisor, struct keep_message *message)
{
	const char *name = message->key + strlen(KEEP_SOCKET);
	struct systemd_socket *socket;

	if (message->passed.n_fds != 1 || !name_is_valid(name))
		return -EBADMSG;
	socket = find(supervisor, name);
	if (!socket)
		socket = add(supervisor, name);
	if (!socket)
		return -ENOMEM;
	descriptor_close(&socket->fd);
	socket->fd = message->passed.fds[0];
	message->passed.n_fds = 0;
	return 0;
}

void systemd_socket_put_all(struct supervisor *supervisor)
{
	static const struct json_field no_fields[] = {JSON_FIELDS_END};
	struct systemd_socket *socket;
	char key[LIMIT_KEY_CHARS];

	TAILQ_FOREACH(socket, &supervisor->systemd_sockets, entries) {
		(void)snprintf(key, sizeof(key), KEEP_SOCKET "%s", socket->name);
		holding_put(supervisor->holding, key, no_fields, NULL, &socket->fd, 1);
	}
}

bool systemd_socket_has(struct supervisor *supervisor, const char *name)
{
	return find(supervisor, name);
}

int systemd_socket_open(struct supervisor *supervisor, const char *name, int *ret_fd)
{
	const struct systemd_socket *socket = find(supervisor, name);
	int fd = socket ? fcntl(socket->fd, F_DUPFD_CLOEXEC, 0) : -1;

	if (fd < 0)
		return socket ? -errno : -ENOENT;
	*ret_fd = fd;
	return 0;
}

void systemd_socket_format_names(const struct supervisor *supervisor, char *text, size_t size)
{
	const struct systemd_socket *socket;
	size_t length = 0;

	text[0] = '\0';
	TAILQ_FOREACH(socket, &supervisor->systemd_sockets, entries) {
		if (strcmp(socket->name, SYSTEMD_SOCKET_CONTROL) == 0 || length >= size)
			continue;
		length += (size_t)snprintf(
			text + length, size - length, "%s%s", length > 0 ? ", " : "", socket->name);
	}
}
