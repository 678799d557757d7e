/*
 * Descriptor passing over Unix sockets: see unix(7), cmsg(3) and the header.
 */

#include "proto/passing.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "proto/descriptor.h"

/* What else a holder of the socket can make the kernel add to each message (SO_PASSCRED,
 * SO_PASSPIDFD, SO_PASSSEC, SO_TIMESTAMP): without room for it descriptors would be lost. */
#define OTHER_CONTROL_BYTES 1024

union send_control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(LIMIT_SOCKETS * sizeof(int))];
};

union receive_control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(LIMIT_SOCKETS * sizeof(int)) + OTHER_CONTROL_BYTES];
};

static void push_rights(
	struct msghdr *message, union send_control *control, const int *fds, size_t n_fds)
{
	struct cmsghdr *header;

	message->msg_control = control->bytes;
	message->msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
	memset(control->bytes, 0, message->msg_controllen);
	header = CMSG_FIRSTHDR(message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
	memcpy(CMSG_DATA(header), fds, n_fds * sizeof(int));
}

static size_t payload_bytes(const struct iovec *iov, size_t n_iov)
{
	size_t bytes = 0;

	for (size_t i = 0; i < n_iov; i++)
		bytes += iov[i].iov_len;
	return bytes;
}

int passing_send(int socket_fd, const struct iovec *iov, size_t n_iov, const int *fds, size_t n_fds)
{
	union send_control control;
	struct msghdr message = {.msg_iov = (struct iovec *)iov, .msg_iovlen = n_iov};
	ssize_t sent;

	/* An empty datagram reads like the end. */
	if (n_fds > LIMIT_SOCKETS || payload_bytes(iov, n_iov) == 0)
		return -EINVAL;
	if (n_fds > 0)
		push_rights(&message, &control, fds, n_fds);
	do
		sent = sendmsg(socket_fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent >= 0)
		return 0;
	/* The kernel says once ECONNRESET, and EPIPE ever after, when the last reader closed with
	 * messages unread: to a sender both are the same. */
	return errno == ECONNRESET ? -EPIPE : -errno;
}

static void take_rights(const struct cmsghdr *header, struct passed *passed)
{
	size_t n = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);

	for (size_t i = 0; i < n; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(fd));
		if (passed->n_fds < LIMIT_SOCKETS) {
			passed->fds[passed->n_fds++] = fd;
		} else {
			descriptor_close(&fd);
			passed->truncated = true;
		}
	}
}

#ifndef SCM_PIDFD
#define SCM_PIDFD 0x04
#endif

/* Any holder of the socket can have switched SO_PASSPIDFD on: that descriptor is nobody's. */
static void close_pidfd(const struct cmsghdr *header)
{
	int fd;

	if (header->cmsg_len < CMSG_LEN(sizeof(fd)))
		return;
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	descriptor_close(&fd);
}

static void take_control(struct msghdr *message, struct passed *passed)
{
	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
		header = CMSG_NXTHDR(message, header)) {
		if (header->cmsg_level != SOL_SOCKET)
			continue;
		if (header->cmsg_type == SCM_RIGHTS)
			take_rights(header, passed);
		else if (header->cmsg_type == SCM_PIDFD)
			close_pidfd(header);
	}
}

/* Nothing was read: that is the end only where the other side cannot send any more, else somebody
 * sent an empty datagram. */
static ssize_t end_or_empty(int socket_fd)
{
	struct pollfd poll_fd = {.fd = socket_fd, .events = POLLRDHUP};

	if (poll(&poll_fd, 1, 0) < 0)
		return -errno;
	return poll_fd.revents & (POLLRDHUP | POLLHUP) ? 0 : -EBADMSG;
}

ssize_t passing_receive(
	int socket_fd, const struct iovec *iov, size_t n_iov, int flags, struct passed *ret_passed)
{
	union receive_control control;
	struct msghdr message;
	ssize_t received;

	ret_passed->n_fds = 0;
	ret_passed->truncated = false;
	do {
		message = (struct msghdr){
			.msg_iov = (struct iovec *)iov,
			.msg_iovlen = n_iov,
			.msg_control = control.bytes,
			.msg_controllen = sizeof(control.bytes),
		};
		received = recvmsg(socket_fd, &message, flags | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		/* ECONNRESET comes once, in front of what still waits, when the other side closed
		 * with messages unread: what it had sent must be received all the same. */
	} while (received < 0 && (errno == EINTR || errno == ECONNRESET));
	if (received < 0)
		return -errno;

	take_control(&message, ret_passed);
	if (message.msg_flags & (MSG_CTRUNC | MSG_TRUNC))
		ret_passed->truncated = true;
	if (received == 0 && ret_passed->n_fds > 0) {
		passing_close(ret_passed);
		return -EBADMSG;
	}
	if (ret_passed->truncated)
		passing_close(ret_passed);
	return received > 0 ? received : end_or_empty(socket_fd);
}

static pid_t find_sender(struct msghdr *message)
{
	struct ucred sender;

	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
		header = CMSG_NXTHDR(message, header))
		if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_CREDENTIALS &&
			header->cmsg_len >= CMSG_LEN(sizeof(sender))) {
			memcpy(&sender, CMSG_DATA(header), sizeof(sender));
			return sender.pid;
		}
	return 0;
}

ssize_t passing_peek(
	int socket_fd, const struct iovec *iov, size_t n_iov, pid_t *ret_sender, bool *ret_has_fds)
{
	/* The sender comes first, and fills it: for descriptors there is no room left, so that the
	 * kernel only says that some came. */
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct msghdr message = {
		.msg_iov = (struct iovec *)iov,
		.msg_iovlen = n_iov,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct passed passed = {.n_fds = 0};
	ssize_t received;

	do
		received = recvmsg(socket_fd, &message, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (received < 0 && errno == EINTR);
	if (received < 0)
		return -errno;
	*ret_sender = find_sender(&message);
	/* Without SO_PASSCRED there was room for some. */
	take_control(&message, &passed);
	*ret_has_fds = passed.n_fds > 0 || (message.msg_flags & MSG_CTRUNC);
	passing_close(&passed);
	return received;
}

void passing_close(struct passed *passed)
{
	for (size_t i = 0; i < passed->n_fds; i++)
		descriptor_close(&passed->fds[i]);
	passed->n_fds = 0;
}

/* Are the n highest numbers that this process may use free? The kernel gives out the lowest, so
 * they are unless it is short; and poll says it of all of them in one call. */
static bool top_is_free(size_t n, rlim_t limit)
{
	struct pollfd fds[LIMIT_SOCKETS];

	if (n > LIMIT_SOCKETS || limit > INT_MAX || limit < n)
		return false;
	for (size_t i = 0; i < n; i++)
		fds[i] = (struct pollfd){.fd = (int)(limit - 1 - i)};
	if (poll(fds, n, 0) != (int)n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!(fds[i].revents & POLLNVAL))
			return false;
	}
	return true;
}

static int try_room(size_t n)
{
	int fds[LIMIT_SOCKETS];
	size_t taken = 0;
	int r = 0;

	if (n > LIMIT_SOCKETS)
		return -EINVAL;
	fds[0] = open("/", O_PATH | O_CLOEXEC);
	if (fds[0] < 0)
		return errno == ENFILE ? -EMFILE : -errno;
	for (taken = 1; taken < n; taken++) {
		fds[taken] = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
		if (fds[taken] < 0) {
			r = -EMFILE;
			break;
		}
	}
	while (taken > 0)
		descriptor_close(&fds[--taken]);
	return r;
}

int passing_make_sure_of_room(size_t n)
{
	struct rlimit limit;

	if (n == 0)
		return 0;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && top_is_free(n, limit.rlim_cur))
		return 0;
	return try_room(n);
}
