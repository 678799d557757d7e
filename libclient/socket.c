/*
 * Stream sockets. A descriptor's O_NONBLOCK belongs to all who hold it and any of them may change
 * it, so nothing here depends on it: every call says MSG_DONTWAIT and waits in poll.
 */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "libclient/stream.h"
#include "libclient/wait.h"
#include "libclient/watch.h"
#include "proto/descriptor.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

union socket_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un un;
};

/* Lifecycle */

static void stream_close_owned(struct owned *owned)
{
	inko_socket_close(
		(struct inko_socket *)((char *)owned - offsetof(struct inko_socket, owned)));
}

void stream_own(struct inko_socket *socket)
{
	owned_enter(&socket->owned, stream_close_owned);
}

static int stream_new(int *take_fd, bool listens, struct inko_socket **ret_socket)
{
	struct inko_socket *socket = malloc(sizeof(*socket));

	if (!socket)
		return -ENOMEM;
	*socket = (struct inko_socket){.fd = descriptor_take(take_fd), .listens = listens};
	stream_own(socket);
	*ret_socket = socket;
	return 0;
}

static int socket_ask(int fd, int option, int *ret_value)
{
	socklen_t size = sizeof(*ret_value);

	return getsockopt(fd, SOL_SOCKET, option, ret_value, &size) < 0 ? -errno : 0;
}

/* A descriptor that came from elsewhere can be anything: the kernel says what it is. */
static int socket_inspect(int fd, bool *ret_listens)
{
	int type, domain, protocol, listens;
	int r;

	r = socket_ask(fd, SO_TYPE, &type);
	if (r == -EBADF && fcntl(fd, F_GETFD) >= 0)
		return -ENOTSOCK; /* O_PATH */
	if (r < 0)
		return r;
	if (socket_ask(fd, SO_DOMAIN, &domain) < 0 || socket_ask(fd, SO_PROTOCOL, &protocol) < 0 ||
		socket_ask(fd, SO_ACCEPTCONN, &listens) < 0)
		return -EPROTOTYPE;
	if (type != SOCK_STREAM)
		return -EPROTOTYPE;
	if (domain == AF_INET || domain == AF_INET6) {
		if (protocol != IPPROTO_TCP && protocol != IPPROTO_MPTCP)
			return -EPROTOTYPE;
	} else if (domain != AF_UNIX) {
		return -EPROTOTYPE;
	}
	*ret_listens = listens;
	return 0;
}

int stream_adopt(int *take_fd, struct service *service, struct inko_socket **ret_socket)
{
	bool listens;
	int r;

	r = socket_inspect(*take_fd, &listens);
	if (r < 0)
		return r;
	r = stream_new(take_fd, listens, ret_socket);
	if (r < 0)
		return r;
	(*ret_socket)->service = service;
	return 0;
}

int inko_socket_adopt(int *take_fd, struct inko_socket **ret_socket)
{
	return stream_adopt(take_fd, NULL, ret_socket);
}

int inko_socket_release(struct inko_socket *take_socket)
{
	int fd = take_socket->fd;

	watch_forget(take_socket);
	owned_leave(&take_socket->owned);
	service_leave(take_socket->service);
	free(take_socket);
	return fd;
}

struct inko_socket *inko_socket_close(struct inko_socket *socket)
{
	if (!socket)
		return NULL;
	watch_forget(socket);
	owned_leave(&socket->owned);
	/* First the descriptor: who is told that there is room may receive another at once. */
	descriptor_close(&socket->fd);
	service_leave(socket->service);
	free(socket);
	return NULL;
}

int inko_socket_get_fd(const struct inko_socket *socket)
{
	return socket->fd;
}

/* Waiting */

void inko_socket_set_deadline(struct inko_socket *socket, uint64_t deadline_usec)
{
	socket->deadline_usec = deadline_usec;
}

/* Listening and connecting */

static socklen_t address_make(
	const struct inko_ip *ip, uint16_t port, union socket_address *ret_address)
{
	*ret_address = (union socket_address){0};
	if (ip->version == 6) {
		ret_address->v6.sin6_family = AF_INET6;
		ret_address->v6.sin6_port = htons(port);
		memcpy(&ret_address->v6.sin6_addr, ip->bytes, 16);
		return sizeof(ret_address->v6);
	}
	ret_address->v4.sin_family = AF_INET;
	ret_address->v4.sin_port = htons(port);
	memcpy(&ret_address->v4.sin_addr, ip->bytes, 4);
	return sizeof(ret_address->v4);
}

static int address_make_unix(const char *path, union socket_address *ret_address)
{
	size_t length = strlen(path);

	if (length == 0)
		return -EINVAL;
	if (length >= sizeof(ret_address->un.sun_path))
		return -ENAMETOOLONG;
	*ret_address = (union socket_address){.un = {.sun_family = AF_UNIX}};
	memcpy(ret_address->un.sun_path, path, length);
	return 0;
}

static int socket_set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int bind_and_listen(int *take_fd, const union socket_address *address, socklen_t length,
	struct inko_socket **ret)
{
	if (bind(*take_fd, &address->any, length) < 0)
		return -errno;
	if (listen(*take_fd, SOMAXCONN) < 0)
		return -errno;
	return stream_new(take_fd, true, ret);
}

int inko_tcp_listen(const struct inko_ip *ip, uint16_t port, struct inko_socket **ret_socket)
{
	union socket_address address;
	socklen_t length = address_make(ip, port, &address);
	_cleanup_close_ int fd = -1;
	int r;

	fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	if (fd < 0)
		return -errno;
	r = socket_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (r == 0 && ip->version == 6)
		r = socket_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (r < 0)
		return r;
	return bind_and_listen(&fd, &address, length, ret_socket);
}

int inko_unix_listen(const char *path, struct inko_socket **ret_socket)
{
	union socket_address address;
	_cleanup_close_ int fd = -1;
	int r;

	r = address_make_unix(path, &address);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	return bind_and_listen(&fd, &address, sizeof(address.un), ret_socket);
}

/* A connect that a signal interrupts goes on by itself (connect(2)): only poll can tell. */
static int connect_and_wait(int fd, const union socket_address *address, socklen_t length)
{
	struct pollfd done = {.fd = fd, .events = POLLOUT};
	int r, error;

	if (connect(fd, &address->any, length) == 0)
		return 0;
	if (errno != EINPROGRESS && errno != EINTR)
		return -errno;
	r = wait_for(&done, 1, 0);
	if (r == 0)
		r = socket_ask(fd, SO_ERROR, &error);
	return r < 0 ? r : -error;
}

int inko_tcp_connect(const struct inko_ip *ip, uint16_t port, struct inko_socket **ret_socket)
{
	union socket_address address;
	socklen_t length = address_make(ip, port, &address);
	_cleanup_close_ int fd = -1;
	int r;

	fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	if (fd < 0)
		return -errno;
	r = connect_and_wait(fd, &address, length);
	if (r == 0)
		r = socket_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (r < 0)
		return r;
	/* Whoever is given the descriptor later expects it as accept makes it: blocking. */
	if (fcntl(fd, F_SETFL, 0) < 0)
		return -errno;
	return stream_new(&fd, false, ret_socket);
}

int inko_unix_connect(const char *path, struct inko_socket **ret_socket)
{
	union socket_address address;
	_cleanup_close_ int fd = -1;
	int r;

	r = address_make_unix(path, &address);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* A non-blocking connect says EAGAIN to a full backlog, and nothing tells when there is
	 * room: only connect itself can wait for it. */
	while (connect(fd, &address.any, sizeof(address.un)) < 0)
		if (errno != EINTR)
			return -errno;
	return stream_new(&fd, false, ret_socket);
}

/* Accepting */

int stream_prepare_accept(const struct inko_socket *listener)
{
	int flags = fcntl(listener->fd, F_GETFL);

	if (flags < 0)
		return -errno;
	if (flags & O_NONBLOCK)
		return 0;
	/* Set for all who hold it, and never cleared: somebody who clears it (systemd does at each
	 * start of a service without NonBlocking=yes) makes accept wait for a connection that
	 * another process took. */
	return fcntl(listener->fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

/* Errors that accept(2) passes on from the connection that it took off the queue: that one is
 * gone and the next may be well. */
static bool accept_failed_for_one(int error)
{
	switch (error) {
	case EINTR:
	case ECONNABORTED:
	case EPROTO:
	case ENOPROTOOPT:
	case EOPNOTSUPP:
	case ENETDOWN:
	case ENETUNREACH:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case ENONET:
		return true;
	default:
		return false;
	}
}

int stream_try_accept(struct inko_socket *listener, short revents, struct inko_socket **ret_socket)
{
	_cleanup_close_ int fd = -1;

	do
		fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
	while (fd < 0 && accept_failed_for_one(errno));
	if (fd >= 0)
		return stream_new(&fd, false, ret_socket);
	if (errno == EINVAL && listener->listens)
		return -ESHUTDOWN;
	/* A Unix listener that was shut down says EAGAIN for ever when it is non-blocking. */
	if (errno == EAGAIN && revents & (POLLHUP | POLLRDHUP))
		return -ESHUTDOWN;
	return -errno;
}

int inko_socket_accept(struct inko_socket *listener, struct inko_socket **ret_socket)
{
	int r = stream_prepare_accept(listener);
	short revents = 0;

	while (r == 0) {
		r = stream_try_accept(listener, revents, ret_socket);
		if (r != -EAGAIN)
			return r;
		r = wait_for_socket_events(listener, STREAM_ACCEPT_EVENTS, &revents);
	}
	return r;
}

/* Reading and writing */

ssize_t inko_socket_read(struct inko_socket *socket, void *buffer, size_t size)
{
	if (size == 0)
		return -EINVAL;
	for (;;) {
		ssize_t n = recv(socket->fd, buffer, size, MSG_DONTWAIT);
		int r;

		if (n >= 0)
			return n;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		r = wait_for_socket(socket, POLLIN);
		if (r < 0)
			return r;
	}
}

ssize_t inko_socket_read_exactly(struct inko_socket *socket, void *buffer, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = inko_socket_read(socket, (char *)buffer + done, size - done);

		if (n < 0)
			return n;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int inko_socket_write(struct inko_socket *socket, const void *bytes, size_t size)
{
	const char *next = bytes;

	while (size > 0) {
		ssize_t n = send(socket->fd, next, size, MSG_DONTWAIT | MSG_NOSIGNAL);
		int r;

		if (n >= 0) {
			next += n;
			size -= (size_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		r = wait_for_socket(socket, POLLOUT);
		if (r < 0)
			return r;
	}
	return 0;
}

int inko_socket_write_string(struct inko_socket *socket, const char *text)
{
	return inko_socket_write(socket, text, strlen(text));
}

int inko_socket_shutdown(struct inko_socket *socket)
{
	return shutdown(socket->fd, SHUT_RDWR) < 0 ? -errno : 0;
}

int inko_socket_shutdown_write(struct inko_socket *socket)
{
	return shutdown(socket->fd, SHUT_WR) < 0 ? -errno : 0;
}

/* Addresses */

static int address_split(
	const union socket_address *address, struct inko_ip *ret_ip, uint16_t *ret_port)
{
	struct inko_ip ip = {0};
	uint16_t port = 0;

	switch (address->any.sa_family) {
	case AF_INET:
		ip.version = 4;
		memcpy(ip.bytes, &address->v4.sin_addr, 4);
		port = ntohs(address->v4.sin_port);
		break;
	case AF_INET6:
		ip.version = 6;
		memcpy(ip.bytes, &address->v6.sin6_addr, 16);
		port = ntohs(address->v6.sin6_port);
		break;
	default:
		if (ret_ip)
			return -EAFNOSUPPORT;
	}
	if (ret_ip)
		*ret_ip = ip;
	if (ret_port)
		*ret_port = port;
	return 0;
}

int inko_socket_local_address(
	const struct inko_socket *socket, struct inko_ip *ret_ip, uint16_t *ret_port)
{
	union socket_address address = {0};
	socklen_t length = sizeof(address);

	if (getsockname(socket->fd, &address.any, &length) < 0)
		return -errno;
	return address_split(&address, ret_ip, ret_port);
}

int inko_socket_peer_address(
	const struct inko_socket *socket, struct inko_ip *ret_ip, uint16_t *ret_port)
{
	union socket_address address = {0};
	socklen_t length = sizeof(address);

	if (getpeername(socket->fd, &address.any, &length) < 0)
		return -errno;
	return address_split(&address, ret_ip, ret_port);
}
