#pragma once

/*
 * Stream sockets over TCP and Unix (std.net.socket, std.net.unix).
 *
 * One type for all of them: what a socket is (listening or not, TCP or Unix) the kernel knows, and
 * an operation that does not fit says so. Calls wait in poll(2) where they have to, whatever
 * O_NONBLOCK says, until the socket's deadline. SIGPIPE is never raised. Unless said otherwise a
 * call returns 0 or a count, or a negative errno.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <inko/ip.h>

#ifdef __cplusplus
extern "C" {
#endif

struct inko_socket;

/* A TCP server bound to ip and port (TcpListener.new, TcpServer.new); port 0 is any free one.
 * Reuse-address is on; an IPv6 one takes IPv6 only. */
int inko_tcp_listen(const struct inko_ip *ip, uint16_t port, struct inko_socket **ret_socket);
/* A connection to ip and port (TcpStream.new, TcpClient.new); no-delay is on. */
int inko_tcp_connect(const struct inko_ip *ip, uint16_t port, struct inko_socket **ret_socket);
/* A Unix server bound to path (UnixListener.new, UnixServer.new); closing it leaves the file. */
int inko_unix_listen(const char *path, struct inko_socket **ret_socket);
/* A connection to path (UnixStream.new, UnixClient.new). */
int inko_unix_connect(const char *path, struct inko_socket **ret_socket);

/* Makes a socket of a plain descriptor, which is taken on success and set to -1.
 * -ENOTSOCK, -EPROTOTYPE when the kernel says that it is no stream socket. */
int inko_socket_adopt(int *take_fd, struct inko_socket **ret_socket);
/* Gives the descriptor up to the caller and frees the socket. */
int inko_socket_release(struct inko_socket *take_socket);
/* Closes the socket (close). NULL is allowed. Returns NULL. A receiver calls
 * inko_socket_shutdown before, or its peer may be reset. */
struct inko_socket *inko_socket_close(struct inko_socket *socket);
/* The descriptor, which stays the socket's: to poll, or for options. */
int inko_socket_get_fd(const struct inko_socket *socket);

/* The point of CLOCK_MONOTONIC, in microseconds, up to which every later call may wait; then it
 * is -ETIMEDOUT. 0, the default, is for ever. Set once, not started again by each call. */
void inko_socket_set_deadline(struct inko_socket *socket, uint64_t deadline_usec);

/* Waits for a connection and accepts it (accept). -ECONNABORTED is never returned. -EINVAL when
 * the socket does not listen, -ESHUTDOWN when somebody shut the listener down. */
int inko_socket_accept(struct inko_socket *listener, struct inko_socket **ret_socket);

/* Reads what is there, at least one byte, into buffer (read). 0 is the end. */
ssize_t inko_socket_read(struct inko_socket *socket, void *buffer, size_t size);
/* Reads exactly size bytes (read_string(n)): fewer only before the end. */
ssize_t inko_socket_read_exactly(struct inko_socket *socket, void *buffer, size_t size);
/* Writes all of bytes (write_bytes). 0, or the error; how much was written is then unknown. */
int inko_socket_write(struct inko_socket *socket, const void *bytes, size_t size);
/* Writes all of text (write_string). */
int inko_socket_write_string(struct inko_socket *socket, const char *text);
/* Ends both directions (shutdown). */
int inko_socket_shutdown(struct inko_socket *socket);
/* Ends sending: the peer reads what was written and then the end (shutdown_write). */
int inko_socket_shutdown_write(struct inko_socket *socket);

/* The socket's own address (local_address) and port; the port of a Unix socket is 0 and its ip
 * -EAFNOSUPPORT. */
int inko_socket_local_address(
	const struct inko_socket *socket, struct inko_ip *ret_ip, uint16_t *ret_port);
/* The address of the other side (peer_address). */
int inko_socket_peer_address(
	const struct inko_socket *socket, struct inko_ip *ret_ip, uint16_t *ret_port);

#ifdef __cplusplus
}
#endif
