/*
 * Sockets: where they come from and go to, what they are, and until when they wait. A descriptor's
 * O_NONBLOCK belongs to all who hold it and any of them may change it, so nothing here depends on
 * it: every call says MSG_DONTWAIT, or what comes to the same, and waits by itself.
 */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "libclient/socket.h"
#include "libclient/wait.h"
#include "libclient/watch.h"
#include "proto/descriptor.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* Lifecycle */

static void socket_close_owned(struct owned *owned)
{
	inko_socket_close(
		(struct inko_socket *)((char *)owned - offsetof(struct inko_socket, owned)));
}

void socket_own(struct inko_socket *socket)
{
	owned_enter(&socket->owned, socket_close_owned);
}

int socket_new(int *take_fd, int domain, int type, struct inko_socket **ret_socket)
{
	struct inko_socket *socket = malloc(sizeof(*socket));

	if (!socket)
		return -ENOMEM;
	*socket = (struct inko_socket){
		.fd = descriptor_take(take_fd), .domain = domain, .type = type};
	socket_own(socket);
	*ret_socket = socket;
	return 0;
}

int socket_open(int domain, int type, int protocol, struct inko_socket **ret_socket)
{
	_cleanup_close_ int fd = socket(domain, type | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		return -errno;
	return socket_new(&fd, domain, type, ret_socket);
}

static int domain_of(enum inko_socket_family family)
{
	switch (family) {
	case INKO_IPV4:
		return AF_INET;
	case INKO_IPV6:
		return AF_INET6;
	case INKO_UNIX:
		return AF_UNIX;
	}
	return -EINVAL;
}

static int type_of(enum inko_socket_type type)
{
	switch (type) {
	case INKO_STREAM:
		return SOCK_STREAM;
	case INKO_DATAGRAM:
		return SOCK_DGRAM;
	case INKO_SEQPACKET:
		return SOCK_SEQPACKET;
	case INKO_RAW:
		return SOCK_RAW;
	}
	return -EINVAL;
}

int inko_socket_new(enum inko_socket_family family, enum inko_socket_type type, int protocol,
	struct inko_socket **ret_socket)
{
	if (domain_of(family) < 0 || type_of(type) < 0)
		return -EINVAL;
	/* The kernel makes a datagram socket of a raw one of Unix. */
	if (family == INKO_UNIX && type == INKO_RAW)
		return -ESOCKTNOSUPPORT;
	return socket_open(domain_of(family), type_of(type), protocol, ret_socket);
}

int socket_ask(int fd, int option, int *ret_value)
{
	socklen_t size = sizeof(*ret_value);

	return getsockopt(fd, SOL_SOCKET, option, ret_value, &size) < 0 ? -errno : 0;
}

int socket_adopt(int *take_fd, struct service *service, struct inko_socket **ret_socket)
{
	int domain, type, listens, r;

	/* It can be anything: the kernel says what. */
	r = socket_ask(*take_fd, SO_TYPE, &type);
	if (r == -EBADF && fcntl(*take_fd, F_GETFD) >= 0)
		return -ENOTSOCK; /* O_PATH */
	if (r == 0)
		r = socket_ask(*take_fd, SO_DOMAIN, &domain);
	if (r < 0)
		return r;
	if (domain != AF_INET && domain != AF_INET6 && domain != AF_UNIX)
		return -EPROTOTYPE;
	r = socket_ask(*take_fd, SO_ACCEPTCONN, &listens);
	if (r == 0)
		r = socket_new(take_fd, domain, type, ret_socket);
	if (r < 0)
		return r;
	(*ret_socket)->listens = listens;
	(*ret_socket)->shared = true;
	(*ret_socket)->service = service;
	return 0;
}

int inko_socket_adopt(int *take_fd, struct inko_socket **ret_socket)
{
	int r = socket_adopt(take_fd, NULL, ret_socket);

	if (r < 0)
		return r;
	/* Of a descriptor that is open it cannot fail. */
	(void)fcntl((*ret_socket)->fd, F_SETFD, FD_CLOEXEC);
	return 0;
}

/* Ends what tasks wait for in calls on it, before its descriptor is closed or given away. */
static void socket_forget_waits(struct inko_socket *socket)
{
	watch_forget(socket);
	wait_list_wake_all(&socket->users);
}

int inko_socket_release(struct inko_socket *take_socket)
{
	int fd = take_socket->fd;

	take_socket->shared = true;
	socket_forget_waits(take_socket);
	owned_leave(&take_socket->owned);
	service_leave(take_socket->service);
	free(take_socket);
	return fd;
}

int inko_socket_clone(struct inko_socket *socket, struct inko_socket **ret_socket)
{
	_cleanup_close_ int fd = fcntl(socket->fd, F_DUPFD_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	r = socket_new(&fd, socket->domain, socket->type, ret_socket);
	if (r < 0)
		return r;
	(*ret_socket)->listens = socket->listens;
	(*ret_socket)->shared = true;
	socket->shared = true;
	return 0;
}

struct inko_socket *inko_socket_close(struct inko_socket *socket)
{
	if (!socket)
		return NULL;
	socket_forget_waits(socket);
	owned_leave(&socket->owned);
	/* First the descriptor: who is told that there is room may receive another at once. */
	descriptor_close(&socket->fd);
	service_leave(socket->service);
	free(socket);
	return NULL;
}

/* What it is */

int inko_socket_get_fd(struct inko_socket *socket)
{
	/* Who asks may copy it or send it on. */
	socket->shared = true;
	return socket->fd;
}

enum inko_socket_family inko_socket_get_family(const struct inko_socket *socket)
{
	switch (socket->domain) {
	case AF_INET:
		return INKO_IPV4;
	case AF_INET6:
		return INKO_IPV6;
	default:
		return INKO_UNIX;
	}
}

enum inko_socket_type inko_socket_get_type(const struct inko_socket *socket)
{
	switch (socket->type) {
	case SOCK_STREAM:
		return INKO_STREAM;
	case SOCK_DGRAM:
		return INKO_DATAGRAM;
	case SOCK_SEQPACKET:
		return INKO_SEQPACKET;
	default:
		return INKO_RAW;
	}
}

bool inko_socket_is_listening(const struct inko_socket *socket)
{
	int listens;

	return socket_ask(socket->fd, SO_ACCEPTCONN, &listens) == 0 && listens;
}

static const struct {
	bool is_unix;
	int type;
	int protocol;
	bool listens;
} kinds[] = {
	[INKO_TCP_SERVER] = {false, SOCK_STREAM, IPPROTO_TCP, true},
	[INKO_TCP_CLIENT] = {false, SOCK_STREAM, IPPROTO_TCP, false},
	[INKO_UDP] = {false, SOCK_DGRAM, IPPROTO_UDP, false},
	[INKO_UNIX_SERVER] = {true, SOCK_STREAM, 0, true},
	[INKO_UNIX_CLIENT] = {true, SOCK_STREAM, 0, false},
	[INKO_UNIX_DATAGRAM] = {true, SOCK_DGRAM, 0, false},
};

int inko_socket_require(const struct inko_socket *socket, enum inko_socket_kind kind)
{
	int protocol, r;

	if (kind <= 0 || kind >= sizeof(kinds) / sizeof(*kinds))
		return -EINVAL;
	r = socket_ask(socket->fd, SO_PROTOCOL, &protocol);
	if (r < 0)
		return r;
	if (protocol == IPPROTO_MPTCP)
		protocol = IPPROTO_TCP;
	if ((socket->domain == AF_UNIX) != kinds[kind].is_unix ||
		socket->type != kinds[kind].type || protocol != kinds[kind].protocol ||
		inko_socket_is_listening(socket) != kinds[kind].listens)
		return -EPROTOTYPE;
	return 0;
}

/* Waiting */

uint64_t inko_deadline_after(uint64_t usec)
{
	uint64_t now_usec = wait_now_usec();

	return usec < UINT64_MAX - now_usec ? now_usec + usec : UINT64_MAX;
}

void inko_socket_set_deadline(struct inko_socket *socket, uint64_t deadline_usec)
{
	socket->deadline_usec = deadline_usec;
}

void inko_socket_reset_deadline(struct inko_socket *socket)
{
	socket->deadline_usec = 0;
}

int socket_wait_after(struct inko_socket *socket, int error, short events, struct socket_wait *wait)
{
	if (error == EINTR)
		return 0;
	if (error != EAGAIN)
		return -error;
	return wait_for_socket(socket, events, wait);
}

int socket_wait_to_receive(struct inko_socket *socket, int error, struct socket_wait *wait)
{
	int r;

	if (error == EINTR)
		return 1;
	if (error != EAGAIN)
		return -error;
	/* A datagram socket whose receiving was shut down says EAGAIN to who does not wait, while
	 * poll says that it can be read. */
	if (wait->revents & POLLRDHUP)
		return 0;
	r = wait_for_socket(socket, POLLIN | POLLRDHUP, wait);
	return r < 0 ? r : 1;
}

/* Ending */

static int socket_shut_down(struct inko_socket *socket, int how)
{
	return shutdown(socket->fd, how) < 0 ? -errno : 0;
}

int inko_socket_shutdown(struct inko_socket *socket)
{
	return socket_shut_down(socket, SHUT_RDWR);
}

int inko_socket_shutdown_read(struct inko_socket *socket)
{
	return socket_shut_down(socket, SHUT_RD);
}

int inko_socket_shutdown_write(struct inko_socket *socket)
{
	return socket_shut_down(socket, SHUT_WR);
}
