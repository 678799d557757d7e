/*
 * Sending files, by reading and sending. sendfile(2) cannot be told to spare us SIGPIPE, nor not to
 * wait, and of a file that is shorter than was asked for it sent the datagram again, over and over,
 * on UDP over IPv6.
 */

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/socket.h>

#include "libclient/socket.h"
#include "proto/descriptor.h"

#define CHUNK_BYTES 65536

/* As much of the file as there is, up to size. */
static ssize_t file_read(int fd, char *buffer, size_t size, uint64_t offset)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, buffer + done, size - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* Sends size bytes and moves *offset by what was sent. */
static int send_chunk(struct inko_socket *socket, const char *bytes, size_t size, uint64_t *offset)
{
	while (size > 0) {
		ssize_t n = inko_socket_write(socket, bytes, size);

		if (n < 0)
			return (int)n;
		bytes += n;
		size -= (size_t)n;
		*offset += (uint64_t)n;
	}
	return 0;
}

static int send_stream(struct inko_socket *socket, int file_fd, uint64_t *offset, size_t size)
{
	_cleanup_free_ char *chunk = malloc(CHUNK_BYTES);

	if (!chunk)
		return -ENOMEM;
	while (size > 0) {
		size_t wanted = size < CHUNK_BYTES ? size : CHUNK_BYTES;
		ssize_t n = file_read(file_fd, chunk, wanted, *offset);
		int r = n > 0 ? send_chunk(socket, chunk, (size_t)n, offset) : (int)n;

		if (r < 0)
			return r;
		if ((size_t)n < wanted)
			break;
		size -= wanted;
	}
	return 0;
}

/* All of it in one message, which is no larger than what the kernel lets wait. */
static int send_message(struct inko_socket *socket, int file_fd, uint64_t *offset, size_t size)
{
	_cleanup_free_ char *message = NULL;
	int limit_bytes;
	ssize_t n;
	int r = socket_ask(socket->fd, SO_SNDBUF, &limit_bytes);

	if (r < 0)
		return r;
	/* A byte more tells that the file is too large. */
	if (size > (size_t)limit_bytes)
		size = (size_t)limit_bytes + 1;
	message = malloc(size ? size : 1);
	if (!message)
		return -ENOMEM;
	n = file_read(file_fd, message, size, *offset);
	if (n > limit_bytes)
		return -EMSGSIZE;
	return n > 0 ? send_chunk(socket, message, (size_t)n, offset) : (int)n;
}

int inko_socket_send_file(
	struct inko_socket *socket, int file_fd, uint64_t *offset, size_t size, size_t *ret_sent)
{
	uint64_t beginning = 0, begun_at;
	int r;

	if (!offset)
		offset = &beginning;
	begun_at = *offset;
	if (begun_at > INT64_MAX)
		return -EINVAL;
	r = socket->type == SOCK_STREAM ? send_stream(socket, file_fd, offset, size)
					: send_message(socket, file_fd, offset, size);
	if (r == 0 && ret_sent)
		*ret_sent = (size_t)(*offset - begun_at);
	return r;
}
