/*
 * Reading from sockets that know whom they hear.
 */

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "libclient/socket.h"
#include "libclient/wait.h"
#include "proto/descriptor.h"

#define READ_ALL_FIRST_BYTES 4096

ssize_t inko_socket_read(struct inko_socket *socket, void *buffer, size_t size)
{
	_cleanup_socket_wait_done_ struct socket_wait wait = SOCKET_WAIT_NONE;
	int r;

	if (size == 0)
		return -EINVAL;
	r = wait_for_turn(socket);
	if (r < 0)
		return r;
	for (;;) {
		ssize_t n = recv(socket->fd, buffer, size, MSG_DONTWAIT);

		if (n >= 0)
			return n;
		r = socket_wait_to_receive(socket, errno, &wait);
		if (r <= 0)
			return r;
	}
}

ssize_t inko_socket_read_bytes(struct inko_socket *socket, void *buffer, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = inko_socket_read(socket, (char *)buffer + done, size - done);

		if (n < 0)
			return n;
		done += (size_t)n;
		/* The end, or that of a message: the next one is another matter. */
		if (n == 0 || socket->type != SOCK_STREAM)
			break;
	}
	return (ssize_t)done;
}

ssize_t inko_socket_read_string(struct inko_socket *socket, size_t size, char **ret_text)
{
	_cleanup_free_ char *text = size < SIZE_MAX ? malloc(size + 1) : NULL;
	ssize_t n;

	if (!text)
		return -ENOMEM;
	n = inko_socket_read_bytes(socket, text, size);
	if (n < 0)
		return n;
	text[n] = '\0';
	*ret_text = text;
	text = NULL;
	return n;
}

/* Makes room for a byte past the limit, which tells that there is more, and for a NUL. */
static int grow(char **bytes, size_t *capacity, size_t limit_bytes)
{
	size_t most = limit_bytes < SIZE_MAX - 2 ? limit_bytes + 2 : SIZE_MAX;
	size_t wanted = *capacity ? *capacity : READ_ALL_FIRST_BYTES;
	char *larger;

	wanted = wanted < most / 2 ? wanted * 2 : most;
	larger = realloc(*bytes, wanted);
	if (!larger)
		return -ENOMEM;
	*bytes = larger;
	*capacity = wanted;
	return 0;
}

int inko_socket_read_all(
	struct inko_socket *socket, size_t limit_bytes, void **ret_bytes, size_t *ret_size)
{
	_cleanup_free_ char *bytes = NULL;
	size_t capacity = 0, size = 0;
	ssize_t n;

	if (socket->type != SOCK_STREAM && socket->type != SOCK_SEQPACKET)
		return -EOPNOTSUPP;
	do {
		if (capacity - size < 2 && grow(&bytes, &capacity, limit_bytes) < 0)
			return -ENOMEM;
		n = inko_socket_read(socket, bytes + size, capacity - size - 1);
		if (n < 0)
			return (int)n;
		size += (size_t)n;
		if (size > limit_bytes)
			return -EFBIG;
	} while (n > 0);
	bytes[size] = '\0';
	*ret_bytes = bytes;
	*ret_size = size;
	bytes = NULL;
	return 0;
}
