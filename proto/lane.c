/*
 * Lanes. What is said here about shutdown and the accounting of AF_UNIX is in unix(7) only in part;
 * the unit test holds the kernel to it.
 */

#include "proto/lane.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "proto/descriptor.h"
#include "proto/monotonic.h"

/* The kernel makes no send buffer smaller than LIMIT_QUEUE_MIN charges of at least this much, so
 * that a body below a quarter of that needs no look at the lane's size. */
#define SMALLEST_CHARGE_BYTES 768
#define SMALL_BODY_BYTES (LIMIT_QUEUE_MIN * SMALLEST_CHARGE_BYTES / 4)

#define BODY_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static int open_pair(int *ret_write_fd, int *ret_read_fd)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	*ret_write_fd = fds[0];
	*ret_read_fd = fds[1];
	return 0;
}

static int used_bytes(int write_fd, size_t *ret_bytes)
{
	int bytes = 0;

	if (ioctl(write_fd, SIOCOUTQ, &bytes) < 0)
		return -errno;
	*ret_bytes = (size_t)bytes;
	return 0;
}

static int size_bytes(int write_fd, size_t *ret_bytes)
{
	int bytes = 0;
	socklen_t length = sizeof(bytes);

	if (getsockopt(write_fd, SOL_SOCKET, SO_SNDBUF, &bytes, &length) < 0)
		return -errno;
	*ret_bytes = (size_t)bytes;
	return 0;
}

int lane_measure_charge(size_t *ret_charge_bytes)
{
	_cleanup_close_ int write_fd = -1, read_fd = -1;
	struct envelope envelope = {.kind = ENVELOPE_MESSAGE};
	int r;

	r = open_pair(&write_fd, &read_fd);
	if (r < 0)
		return r;
	r = lane_send(write_fd, &envelope, NULL, 0, NULL, 0);
	if (r < 0)
		return r;
	return used_bytes(write_fd, ret_charge_bytes);
}

static int set_size(int write_fd, unsigned int queue)
{
	size_t charge_bytes, granted_bytes = 0;
	int half, r;

	r = lane_measure_charge(&charge_bytes);
	if (r < 0)
		return r;
	/* The kernel doubles what it is asked for, and silently grants less than that. */
	half = (int)((queue * charge_bytes + 1) / 2);
	if (setsockopt(write_fd, SOL_SOCKET, SO_SNDBUF, &half, sizeof(half)) < 0)
		return -errno;
	r = size_bytes(write_fd, &granted_bytes);
	if (r < 0)
		return r;
	return granted_bytes < queue * charge_bytes ? -ERANGE : 0;
}

int lane_open(unsigned int queue, int *ret_write_fd, int *ret_read_fd)
{
	_cleanup_close_ int write_fd = -1, read_fd = -1;
	int r;

	if (queue < LIMIT_QUEUE_MIN || queue > LIMIT_QUEUE_MAX)
		return -ERANGE;
	r = open_pair(&write_fd, &read_fd);
	if (r < 0)
		return r;
	r = set_size(write_fd, queue);
	if (r < 0)
		return r;
	/* A receiver could else fill the way back, where nobody reads, with descriptors. */
	if (shutdown(read_fd, SHUT_WR) < 0)
		return -errno;
	*ret_write_fd = descriptor_take(&write_fd);
	*ret_read_fd = descriptor_take(&read_fd);
	return 0;
}

/* Several messages must fit into a lane whatever their size. */
static int travels_inline(int write_fd, size_t body_bytes, bool *ret_inline)
{
	size_t lane_bytes = 0;
	int r;

	if (body_bytes <= SMALL_BODY_BYTES || body_bytes > LIMIT_INLINE_BODY_BYTES) {
		*ret_inline = body_bytes <= SMALL_BODY_BYTES;
		return 0;
	}
	r = size_bytes(write_fd, &lane_bytes);
	if (r < 0)
		return r;
	*ret_inline = body_bytes <= lane_bytes / 4;
	return 0;
}

static int write_whole(int fd, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t written = write(fd, bytes, size);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		bytes += written;
		size -= (size_t)written;
	}
	return 0;
}

/* The receiver maps or reads it at leisure: sealed, it can neither change nor shrink under it. */
static int seal_body(const void *body, size_t body_bytes, int *ret_fd)
{
	_cleanup_close_ int fd = -1;
	int r;

	fd = memfd_create("inko-body", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	r = write_whole(fd, body, body_bytes);
	if (r < 0)
		return r;
	if (fcntl(fd, F_ADD_SEALS, BODY_SEALS | F_SEAL_SEAL) < 0)
		return -errno;
	*ret_fd = descriptor_take(&fd);
	return 0;
}

static int send_with_memfd(int write_fd, struct envelope *envelope, const void *body,
	const int *sockets, size_t n_sockets)
{
	_cleanup_close_ int memfd = -1;
	struct iovec iov = {.iov_base = envelope, .iov_len = sizeof(*envelope)};
	int fds[LIMIT_SOCKETS];
	int r;

	if (n_sockets > LIMIT_SOCKETS_WITH_BODY)
		return -EINVAL;
	r = seal_body(body, envelope->length, &memfd);
	if (r < 0)
		return r;
	if (n_sockets > 0)
		memcpy(fds, sockets, n_sockets * sizeof(int));
	fds[n_sockets] = memfd;
	envelope->flags |= ENVELOPE_BODY_MEMFD;
	return passing_send(write_fd, &iov, 1, fds, n_sockets + 1);
}

int lane_send(int write_fd, struct envelope *envelope, const void *body, size_t body_bytes,
	const int *sockets, size_t n_sockets)
{
	struct iovec iov[2] = {
		{.iov_base = envelope, .iov_len = sizeof(*envelope)},
		{.iov_base = (void *)body, .iov_len = body_bytes},
	};
	bool is_inline;
	int r;

	if (body_bytes > LIMIT_BODY_BYTES)
		return -EMSGSIZE;
	if (n_sockets > LIMIT_SOCKETS)
		return -EINVAL;
	r = travels_inline(write_fd, body_bytes, &is_inline);
	if (r < 0)
		return r;
	envelope->version = ENVELOPE_VERSION;
	envelope->sockets = (uint8_t)n_sockets;
	envelope->length = (uint32_t)body_bytes;
	envelope->flags &= (uint8_t)~ENVELOPE_BODY_MEMFD;
	if (envelope->time_usec == 0)
		envelope->time_usec = monotonic_usec();
	if (!is_inline)
		return send_with_memfd(write_fd, envelope, body, sockets, n_sockets);
	return passing_send(write_fd, iov, body_bytes > 0 ? 2 : 1, sockets, n_sockets);
}

static int read_whole(int fd, char *bytes, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, bytes + done, size - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EBADMSG;
		done += (size_t)n;
	}
	return 0;
}

/* Nothing but a memfd has seals: a file, a pipe or a socket in its place fails here, before a read
 * that could wait. */
static int check_body(int memfd, size_t size)
{
	struct stat status;
	int seals = fcntl(memfd, F_GET_SEALS);

	if (seals < 0 || (seals & BODY_SEALS) != BODY_SEALS)
		return -EBADMSG;
	if (fstat(memfd, &status) < 0 || status.st_size != (off_t)size)
		return -EBADMSG;
	return 0;
}

/* Moves the body into message, whose envelope has been checked. */
static int take_body(struct lane_message *message, const void *inline_body)
{
	_cleanup_close_ int memfd = -1;
	size_t size = message->envelope.length;
	_cleanup_free_ char *body = NULL;
	int r;

	if (message->envelope.flags & ENVELOPE_BODY_MEMFD)
		memfd = message->passed.fds[--message->passed.n_fds];
	if (memfd >= 0 && (r = check_body(memfd, size)) < 0)
		return r;
	if (size == 0)
		return 0;
	body = malloc(size + 1);
	if (!body)
		return -ENOMEM;
	if (memfd < 0)
		memcpy(body, inline_body, size);
	else if ((r = read_whole(memfd, body, size)) < 0)
		return r;
	body[size] = '\0';
	message->body = body;
	body = NULL;
	return 0;
}

/* The size of what waits first, whose head is copied; without a control buffer no descriptor is
 * installed. As in passing_receive, ECONNRESET stands once in front of what still waits. */
static ssize_t peek_head(int read_fd, struct envelope *ret_head)
{
	ssize_t size;

	do
		size = recv(read_fd, ret_head, sizeof(*ret_head), MSG_PEEK | MSG_DONTWAIT);
	while (size < 0 && (errno == EINTR || errno == ECONNRESET));
	return size < 0 ? -errno : size;
}

/* The kernel closes descriptors that find no room: better to leave the message where it is. On a
 * lane with other readers one of them may take the head in between; what comes then instead and
 * does not fit is reported as truncated. */
static int make_sure_of_room(int read_fd, bool single)
{
	struct envelope head = {0};
	ssize_t size;
	size_t n;

	if (single && passing_make_sure_of_room(1) == 0)
		return 0;
	size = peek_head(read_fd, &head);
	if (size < 0)
		return (int)size;
	n = head.sockets + (head.flags & ENVELOPE_BODY_MEMFD ? 1u : 0u);
	return passing_make_sure_of_room(n < LIMIT_SOCKETS ? n : LIMIT_SOCKETS);
}

int lane_receive(int read_fd, bool single, struct lane_message *ret_message)
{
	struct lane_message *message = ret_message;
	char body[LIMIT_INLINE_BODY_BYTES];
	struct iovec iov[2] = {
		{.iov_base = &message->envelope, .iov_len = sizeof(message->envelope)},
		{.iov_base = body, .iov_len = sizeof(body)},
	};
	ssize_t size;
	int r;

	message->body = NULL;
	message->passed.n_fds = 0;
	r = make_sure_of_room(read_fd, single);
	if (r < 0)
		return r;
	size = passing_receive(read_fd, iov, 2, 0, &message->passed);
	if (size <= 0)
		return (int)size;
	r = message->passed.truncated ? -EBADMSG : 0;
	if (r == 0)
		r = envelope_check(&message->envelope, (size_t)size, message->passed.n_fds);
	if (r == 0)
		r = take_body(message, body);
	if (r < 0) {
		passing_close(&message->passed);
		return r;
	}
	return 1;
}

void lane_message_done(struct lane_message *message)
{
	free(message->body);
	message->body = NULL;
	passing_close(&message->passed);
}

int lane_peek(int read_fd, struct envelope *ret_envelope)
{
	struct pollfd poll_fd = {.fd = read_fd, .events = POLLRDHUP};
	struct envelope head;
	ssize_t size = peek_head(read_fd, &head);

	if (size < 0)
		return (int)size;
	if (size == 0 && poll(&poll_fd, 1, 0) == 1)
		return 0;
	if (size < (ssize_t)sizeof(head))
		return -EBADMSG;
	*ret_envelope = head;
	return 1;
}

int lane_revoke(int read_fd)
{
	return shutdown(read_fd, SHUT_RD) < 0 ? -errno : 0;
}

int lane_room(int write_fd, size_t charge_bytes, unsigned int *ret_room)
{
	size_t used = 0, size = 0;
	int r;

	r = used_bytes(write_fd, &used);
	if (r < 0)
		return r;
	r = size_bytes(write_fd, &size);
	if (r < 0)
		return r;
	/* The kernel takes a message as long as less than the whole is in use. */
	*ret_room =
		used >= size ? 0 : (unsigned int)((size - used + charge_bytes - 1) / charge_bytes);
	return 0;
}

int lane_waiting(int write_fd, size_t charge_bytes, unsigned int *ret_waiting)
{
	size_t used = 0;
	int r;

	r = used_bytes(write_fd, &used);
	if (r < 0)
		return r;
	*ret_waiting = (unsigned int)((used + charge_bytes - 1) / charge_bytes);
	return 0;
}
