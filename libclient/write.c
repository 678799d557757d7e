/*
 * Writing to sockets that know whom they talk to.
 */

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "libclient/socket.h"
#include "libclient/wait.h"

ssize_t inko_socket_write(struct inko_socket *socket, const void *bytes, size_t size)
{
	_cleanup_socket_wait_done_ struct socket_wait wait = SOCKET_WAIT_NONE;
	int r = wait_for_turn(socket);

	while (r == 0) {
		ssize_t n = send(socket->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n >= 0)
			return n;
		r = socket_wait_after(socket, errno, POLLOUT, &wait);
	}
	return r;
}

int inko_socket_write_bytes(struct inko_socket *socket, const void *bytes, size_t size)
{
	const char *next = bytes;

	/* Once even if there is nothing to write: a datagram may be empty. */
	do {
		ssize_t n = inko_socket_write(socket, next, size);

		if (n < 0)
			return (int)n;
		next += n;
		size -= (size_t)n;
	} while (size > 0);
	return 0;
}

int inko_socket_write_string(struct inko_socket *socket, const char *text)
{
	return inko_socket_write_bytes(socket, text, strlen(text));
}
