/*
 * nng before 1.6 takes EPIPE of sendmsg for the end of its own socket: a peer that leaves during
 * the handshake, as a port probe does, ends the listener for good, and what others send into it
 * later is lost. A dialer whose listener leaves then, as one does that ends in order, never dials
 * again. This sendmsg stands in the executable, in front of libc's, and says ECONNRESET
 * instead, which nng takes for the end of that peer.
 *
 * nng never passes MSG_DONTWAIT, its sockets being non-blocking; libinko always does, and is left
 * alone.
 */

#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The linker exports it (--export-dynamic-symbol), or libnng would not find it. */
ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	ssize_t sent = syscall(SYS_sendmsg, fd, message, flags);

	if (sent < 0 && errno == EPIPE && !(flags & MSG_DONTWAIT))
		errno = ECONNRESET;
	return sent;
}
