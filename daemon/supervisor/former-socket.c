#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/former-socket.h"
#include "daemon/supervisor/holding.h"
#include "daemon/supervisor/listener.h"
#include "daemon/supervisor/listening-socket.h"
#include "daemon/supervisor/log.h"
#include "daemon/supervisor/supervisor.h"
#include "daemon/supervisor/systemd-socket.h"
#include "proto/address.h"
#include "proto/descriptor.h"
#include "proto/name.h"

/* It has no state but itself, and the listener's name in its key. */
static const struct json_field no_fields[] = {JSON_FIELDS_END};

static const char *key_of(const struct former_socket *former, char key[static LIMIT_KEY_CHARS])
{
	(void)snprintf(key, LIMIT_KEY_CHARS, FORMER_SOCKET_KEY "%s/%" PRIu64, former->listener,
		former->inode);
	return key;
}

static struct former_socket *find(
	struct supervisor *supervisor, const char *listener, uint64_t inode)
{
	struct former_socket *former;

	TAILQ_FOREACH(former, &supervisor->former_sockets, entries)
		if (former->inode == inode && strcmp(former->listener, listener) == 0)
			return former;
	return NULL;
}

/* Takes the descriptor. */
static int add(struct supervisor *supervisor, const char *listener, uint64_t inode, int *take_fd,
	struct former_socket **ret_former)
{
	struct former_socket *former = calloc(1, sizeof(*former) + strlen(listener) + 1);

	if (!former)
		return -ENOMEM;
	former->inode = inode;
	former->fd = descriptor_take(take_fd);
	(void)strcpy(former->listener, listener);
	TAILQ_INSERT_TAIL(&supervisor->former_sockets, former, entries);
	*ret_former = former;
	return 0;
}

static void put(struct supervisor *supervisor, const struct former_socket *former)
{
	char key[LIMIT_KEY_CHARS];

	holding_put(supervisor->holding, key_of(former, key), no_fields, NULL, &former->fd, 1);
}

static void let_go(struct supervisor *supervisor, struct former_socket *former)
{
	char key[LIMIT_KEY_CHARS];

	holding_drop(supervisor->holding, key_of(former, key));
	TAILQ_REMOVE(&supervisor->former_sockets, former, entries);
	descriptor_close(&former->fd);
	free(former);
}

int former_socket_keep(struct supervisor *supervisor, const char *listener, int fd)
{
	_cleanup_close_ int copy = -1;
	struct former_socket *former;
	uint64_t inode;
	int r = listening_socket_identify(fd, &inode);

	if (r < 0 || find(supervisor, listener, inode))
		return r;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return -errno;
	r = add(supervisor, listener, inode, &copy, &former);
	if (r == 0)
		put(supervisor, former);
	return r;
}

/* It listens for systemd too, whatever becomes of the listener. */
static bool is_systemds(struct supervisor *supervisor, uint64_t inode)
{
	const struct systemd_socket *socket;
	uint64_t other;

	TAILQ_FOREACH(socket, &supervisor->systemd_sockets, entries)
		if (listening_socket_identify(socket->fd, &other) == 0 && other == inode)
			return true;
	return false;
}

static bool is_at(const struct former_socket *former, const struct address *address)
{
	char text[ADDRESS_TEXT_BYTES], other_text[ADDRESS_TEXT_BYTES];
	struct address other;

	if (listening_socket_adopt(former->fd, &other) < 0)
		return false;
	address_format(address, text);
	address_format(&other, other_text);
	return strcmp(text, other_text) == 0;
}

int former_socket_open(struct supervisor *supervisor, const char *listener,
	const struct address *address, int *ret_fd)
{
	struct former_socket *former;
	int fd;

	TAILQ_FOREACH(former, &supervisor->former_sockets, entries) {
		if (strcmp(former->listener, listener) != 0 || !is_at(former, address) ||
			is_systemds(supervisor, former->inode))
			continue;
		fd = fcntl(former->fd, F_DUPFD_CLOEXEC, 0);
		if (fd < 0)
			return -errno;
		*ret_fd = fd;
		return 0;
	}
	return -ENOENT;
}

void former_socket_take_back(struct supervisor *supervisor, const char *listener, int fd)
{
	struct former_socket *former = NULL;
	uint64_t inode;

	if (listening_socket_identify(fd, &inode) == 0)
		former = find(supervisor, listener, inode);
	if (former)
		let_go(supervisor, former);
}

void former_socket_forget(struct supervisor *supervisor, const char *listener)
{
	struct former_socket *former, *next;

	for (former = TAILQ_FIRST(&supervisor->former_sockets); former; former = next) {
		next = TAILQ_NEXT(former, entries);
		if (strcmp(former->listener, listener) == 0)
			let_go(supervisor, former);
	}
}

void former_socket_on_drained(struct supervisor *supervisor, const char *listener, uint64_t inode)
{
	struct former_socket *former = find(supervisor, listener, inode);

	if (!former)
		return;
	log_info("%s: all that waited at its former socket are accepted", listener);
	let_go(supervisor, former);
}

/* It is the one that its listener has, or that was given away: who moved the listener was killed in
 * the middle. */
static bool is_left_over(struct supervisor *supervisor, const char *name, uint64_t inode)
{
	const struct listener *listener = listener_find(supervisor, name);
	uint64_t current;

	if (!listener || listener->give)
		return listener;
	return listening_socket_identify(listener->fd, &current) == 0 && current == inode;
}

int former_socket_adopt(struct supervisor *supervisor, struct keep_message *message)
{
	char *name = message->key + strlen(FORMER_SOCKET_KEY), *slash = strrchr(name, '/');
	struct former_socket *former;
	uint64_t inode;
	int r;

	if (!slash || message->passed.n_fds != 1)
		return -EBADMSG;
	r = listening_socket_identify(message->passed.fds[0], &inode);
	if (r < 0)
		return r;
	*slash = '\0';
	if (!name_is_valid(name))
		return -EBADMSG;
	if (is_left_over(supervisor, name, inode)) {
		*slash = '/';
		holding_drop(supervisor->holding, message->key);
		return 0;
	}
	r = add(supervisor, name, inode, &message->passed.fds[0], &former);
	if (r == 0)
		message->passed.n_fds = 0;
	return r;
}

void former_socket_put_all(struct supervisor *supervisor)
{
	struct former_socket *former;

	TAILQ_FOREACH(former, &supervisor->former_sockets, entries)
		put(supervisor, former);
}
