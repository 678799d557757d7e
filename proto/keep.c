/*
 * The wire between keeper and supervisor: a fixed head, the bytes, and the descriptors, in one
 * datagram.
 */

#include "proto/keep.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "proto/descriptor.h"
#include "proto/monotonic.h"

/* How long to wait for memory, or for other processes to receive descriptors: the kernel has no
 * event for either. */
#define SHORTAGE_MSEC 10

struct keep_head {
	uint32_t verb;
	uint32_t number;
	char key[LIMIT_KEY_CHARS + 1];
};

/* The other side is there, and is sent to as soon as the kernel can. */
static bool is_shortage(int error)
{
	return error == -ETOOMANYREFS || error == -ENOMEM || error == -ENOBUFS;
}

static int wait_for_room(int fd, int error, int timeout_msec)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
	int r;

	if (error == -EAGAIN)
		r = poll(&poll_fd, 1, timeout_msec);
	else
		r = poll(NULL, 0, SHORTAGE_MSEC);
	return r < 0 && errno != EINTR ? -errno : 0;
}

static int send_datagram(
	int fd, const struct iovec *iov, const struct passed *passed, int timeout_msec)
{
	uint64_t begin_msec = monotonic_msec();

	for (;;) {
		int r = passing_send(fd, iov, 2, passed->fds, passed->n_fds);
		int left_msec = timeout_msec, waited;

		if (r != -EAGAIN && !is_shortage(r))
			return r;
		if (timeout_msec != KEEP_FOR_EVER)
			left_msec -= (int)(monotonic_msec() - begin_msec);
		if (timeout_msec != KEEP_FOR_EVER && left_msec <= 0)
			return r;
		waited = wait_for_room(fd, r, left_msec);
		if (waited < 0)
			return waited;
	}
}

int keep_send(int fd, const struct keep_message *message, int timeout_msec)
{
	struct keep_head head = {.verb = message->verb, .number = message->number};
	struct iovec iov[2] = {
		{.iov_base = &head, .iov_len = sizeof(head)},
		{.iov_base = message->bytes, .iov_len = message->n_bytes},
	};

	if (message->n_bytes > LIMIT_STATE_BYTES)
		return -EMSGSIZE;
	if (message->passed.n_fds > LIMIT_KEY_FDS)
		return -EINVAL;
	memcpy(head.key, message->key, strnlen(message->key, LIMIT_KEY_CHARS));
	return send_datagram(fd, iov, &message->passed, timeout_msec);
}

/* Of the datagram that comes next; 0 at the end. Only one process reads this socket. */
static ssize_t next_size(int fd)
{
	ssize_t size;

	/* As in passing_receive, ECONNRESET stands once in front of what still waits. */
	do
		size = recv(fd, NULL, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
	while (size < 0 && (errno == EINTR || errno == ECONNRESET));
	return size < 0 ? -errno : size;
}

static int decode(const struct keep_head *head, size_t n_bytes, struct keep_message *message)
{
	if (head->verb < KEEP_PUT || head->verb >= KEEP_VERBS)
		return -EBADMSG;
	if (!memchr(head->key, '\0', sizeof(head->key)))
		return -EBADMSG;
	if (n_bytes > LIMIT_STATE_BYTES || message->passed.n_fds > LIMIT_KEY_FDS)
		return -EBADMSG;
	message->verb = (enum keep_verb)head->verb;
	message->number = head->number;
	strcpy(message->key, head->key);
	message->n_bytes = n_bytes;
	message->bytes[n_bytes] = '\0';
	return 1;
}

static int receive_datagram(int fd, size_t room_bytes, struct keep_message *message)
{
	struct keep_head head;
	struct iovec iov[2] = {
		{.iov_base = &head, .iov_len = sizeof(head)},
		{.iov_base = message->bytes, .iov_len = room_bytes},
	};
	ssize_t size = passing_receive(fd, iov, 2, 0, &message->passed);

	if (size <= 0)
		return (int)size;
	if (message->passed.truncated || (size_t)size < sizeof(head))
		return -EBADMSG;
	return decode(&head, (size_t)size - sizeof(head), message);
}

int keep_receive(int fd, struct keep_message *ret_message)
{
	ssize_t size = next_size(fd);
	size_t room_bytes;
	int r;

	if (size < 0)
		return (int)size;
	r = passing_make_sure_of_room(LIMIT_KEY_FDS);
	if (r < 0)
		return r;
	room_bytes = (size_t)size > sizeof(struct keep_head)
			     ? (size_t)size - sizeof(struct keep_head)
			     : 0;
	if (room_bytes > LIMIT_STATE_BYTES)
		room_bytes = LIMIT_STATE_BYTES;
	ret_message->passed.n_fds = 0;
	ret_message->bytes = malloc(room_bytes + 1);
	if (!ret_message->bytes)
		return -ENOMEM;
	r = receive_datagram(fd, room_bytes, ret_message);
	if (r <= 0)
		keep_message_done(ret_message);
	return r;
}

void keep_message_done(struct keep_message *message)
{
	free(message->bytes);
	message->bytes = NULL;
	passing_close(&message->passed);
}
