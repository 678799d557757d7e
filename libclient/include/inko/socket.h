#pragma once

/*
 * Sockets (std.net.socket, std.net.unix).
 *
 * One type for all of them: what a socket is the kernel knows, and an operation that does not fit
 * says so. tcp.h, udp.h and unix.h make the usual ones with one call; the calls here are for all of
 * them, and make any other.
 *
 * Calls wait where they have to, whatever O_NONBLOCK says, until the socket's deadline. SIGPIPE is
 * never raised. Unless said otherwise a call returns 0 or a count, or a negative errno.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <inko/address.h>
#include <inko/ip.h>

#ifdef __cplusplus
extern "C" {
#endif

struct inko_socket;

enum inko_socket_family {
	INKO_IPV4 = 1,
	INKO_IPV6,
	INKO_UNIX,
};

enum inko_socket_type {
	INKO_STREAM = 1,
	INKO_DATAGRAM,
	INKO_SEQPACKET, /* Unix only */
	INKO_RAW,	/* IP only; CAP_NET_RAW */
};

/* The types of the high-level sockets, as the kernel tells them apart. */
enum inko_socket_kind {
	INKO_TCP_SERVER = 1, /* TcpListener, TcpServer */
	INKO_TCP_CLIENT,     /* TcpStream, TcpClient, and what a server accepts */
	INKO_UDP,	     /* UdpSocket */
	INKO_UNIX_SERVER,    /* UnixListener, UnixServer */
	INKO_UNIX_CLIENT,    /* UnixStream, UnixClient, and what a server accepts */
	INKO_UNIX_DATAGRAM,  /* UnixDatagram */
};

/* A socket that is not bound and not connected (Socket.ipv4, Socket.ipv6, Socket.stream,
 * Socket.datagram, Socket.raw, Socket.seqpacket). protocol is that of a raw socket (IPPROTO_ICMP),
 * else 0. -EINVAL when that is no family or type, -EPROTONOSUPPORT or -ESOCKTNOSUPPORT when the
 * family has no such type, -EPERM. */
int inko_socket_new(enum inko_socket_family family, enum inko_socket_type type, int protocol,
	struct inko_socket **ret_socket);
/* Makes a socket of a plain descriptor, which is taken on success and set to -1; it is then
 * close-on-exec. -ENOTSOCK, -EPROTOTYPE when the kernel says that it is no IP or Unix socket. */
int inko_socket_adopt(int *take_fd, struct inko_socket **ret_socket);
/* Gives the descriptor up to the caller and frees the socket. */
int inko_socket_release(struct inko_socket *take_socket);
/* A second descriptor of the same socket (try_clone): bytes, options and shutdown are common to
 * both. It has no deadline and no notifier, and counts not as open (inko_mailbox_set_concurrency).
 */
int inko_socket_clone(struct inko_socket *socket, struct inko_socket **ret_socket);
/* Closes the socket (close). NULL is allowed. Returns NULL. A receiver calls
 * inko_socket_shutdown before, or its peer may be reset. */
struct inko_socket *inko_socket_close(struct inko_socket *socket);

/* The descriptor, which stays the socket's: to poll. */
int inko_socket_get_fd(struct inko_socket *socket);
enum inko_socket_family inko_socket_get_family(const struct inko_socket *socket);
enum inko_socket_type inko_socket_get_type(const struct inko_socket *socket);
/* Does it listen, as the kernel has it? One that was shut down does not. */
bool inko_socket_is_listening(const struct inko_socket *socket);
/* 0 when the socket is of that kind, else -EPROTOTYPE. */
int inko_socket_require(const struct inko_socket *socket, enum inko_socket_kind kind);

/* The point of CLOCK_MONOTONIC that is so far from now, for inko_socket_set_deadline. */
uint64_t inko_deadline_after(uint64_t usec);
/* The point of CLOCK_MONOTONIC, in microseconds, up to which every later call on the socket may
 * wait (timeout_after=), those that connect and accept included; then it is -ETIMEDOUT. Set once,
 * not started again by each call. 1 is never to wait. */
void inko_socket_set_deadline(struct inko_socket *socket, uint64_t deadline_usec);
/* Calls wait for ever again, as they do at first (reset_deadline). */
void inko_socket_reset_deadline(struct inko_socket *socket);

/* Addresses. Of IP the port is in host byte order, and above 65535 it is -EINVAL. -EAFNOSUPPORT
 * when the socket is of another family than the address, or the call. */

/* Binds to ip and port (bind), 0 being any free one. -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, -EINVAL
 * when it is bound already. */
int inko_socket_bind(struct inko_socket *socket, const struct inko_ip *ip, unsigned int port);
/* The same for Unix; by the unnamed address to an abstract name of the kernel's choice. */
int inko_socket_bind_unix(struct inko_socket *socket, const struct inko_unix_address *address);
/* Connects (connect). A datagram socket sends there from now on, and receives only from there; it
 * can be connected again. -EISCONN when it was connected before, or listens, -ECONNREFUSED,
 * -ETIMEDOUT, -ENETUNREACH, -EHOSTUNREACH. After a failure it can be tried again. */
int inko_socket_connect(struct inko_socket *socket, const struct inko_ip *ip, unsigned int port);
/* The same for Unix. Waits while the server's backlog is full. -ENOENT, -ECONNREFUSED, -EPROTOTYPE
 * when that is a socket of another type, -EINVAL for the unnamed address and for a listener. */
int inko_socket_connect_unix(struct inko_socket *socket, const struct inko_unix_address *address);
/* Has it listen (listen) with up to backlog connections waiting; above 65535 that is -EINVAL, and
 * the kernel cuts it to net.core.somaxconn. -EOPNOTSUPP for sockets without connections. */
int inko_socket_listen(struct inko_socket *socket, unsigned int backlog);
/* Waits for a connection and accepts it (accept). -ECONNABORTED is never returned. -EINVAL when
 * the socket does not listen, -EOPNOTSUPP when it cannot, -ESHUTDOWN when somebody shut the
 * listener down, -EINTR at a notification (notifier.h). */
int inko_socket_accept(struct inko_socket *listener, struct inko_socket **ret_socket);

/* The socket's own address (local_address). */
int inko_socket_local_address(const struct inko_socket *socket, struct inko_address *ret_address);
/* The address of the other side (peer_address). -ENOTCONN when there is none. */
int inko_socket_peer_address(const struct inko_socket *socket, struct inko_address *ret_address);
int inko_socket_local_unix_address(
	const struct inko_socket *socket, struct inko_unix_address *ret_address);
int inko_socket_peer_unix_address(
	const struct inko_socket *socket, struct inko_unix_address *ret_address);

/* Reading. The end of a stream is 0, never an error; size 0 is -EINVAL where not said otherwise. Of
 * what was never connected it is -ENOTCONN, of a Unix stream -EINVAL; datagrams are waited for. */

/* Reads what is there, at least one byte, into buffer (read). Of sockets with messages it is one,
 * and what does not fit is lost. */
ssize_t inko_socket_read(struct inko_socket *socket, void *buffer, size_t size);
/* Reads exactly size bytes (read_bytes): fewer only before the end, or because a message ends.
 * size may be 0. On an error what was read is lost. */
ssize_t inko_socket_read_bytes(struct inko_socket *socket, void *buffer, size_t size);
/* The same into *ret_text (read_string), a NUL behind it, for the caller to free(3). */
ssize_t inko_socket_read_string(struct inko_socket *socket, size_t size, char **ret_text);
/* Reads up to the end (read_all) into *ret_bytes, a NUL behind them, for the caller to free(3).
 * -EFBIG when it is more than limit_bytes, -EOPNOTSUPP of datagram sockets, which have no end. */
int inko_socket_read_all(
	struct inko_socket *socket, size_t limit_bytes, void **ret_bytes, size_t *ret_size);
/* Receives one datagram and who sent it (receive_from). Either of the last two may be NULL.
 * *ret_truncated: it was larger than size, and the rest is lost. 0, from nobody, when receiving was
 * shut down. -EOPNOTSUPP of a stream. */
ssize_t inko_socket_receive_from(struct inko_socket *socket, void *buffer, size_t size,
	struct inko_address *ret_from, bool *ret_truncated);
ssize_t inko_socket_receive_from_unix(struct inko_socket *socket, void *buffer, size_t size,
	struct inko_unix_address *ret_from, bool *ret_truncated);

/* Writing. -EPIPE or -ECONNRESET when nobody reads any more; when it was never connected -EPIPE of
 * TCP, -EDESTADDRREQ of UDP and raw sockets, -ENOTCONN of Unix; -EMSGSIZE when it is more than a
 * message can be. */

/* Writes what there is room for, at least one byte, and returns how much (write). */
ssize_t inko_socket_write(struct inko_socket *socket, const void *bytes, size_t size);
/* Writes all of bytes (write_bytes). 0, or the error; how much was written is then unknown. */
int inko_socket_write_bytes(struct inko_socket *socket, const void *bytes, size_t size);
/* Writes all of text (write_string). */
int inko_socket_write_string(struct inko_socket *socket, const char *text);
/* Sends one datagram to ip and port (send_bytes_to, send_string_to) and returns size. */
ssize_t inko_socket_send_to(struct inko_socket *socket, const void *bytes, size_t size,
	const struct inko_ip *ip, unsigned int port);
/* The same for Unix. Waits while the receiver's queue is full. */
ssize_t inko_socket_send_to_unix(struct inko_socket *socket, const void *bytes, size_t size,
	const struct inko_unix_address *address);
/* Sends up to size bytes of the file from *offset on (send_file); never more than the file holds.
 * *offset (NULL: the beginning) moves by what was sent, on failure too, so that the rest can be
 * sent later; *ret_sent may be NULL, and is not written on failure. Of sockets with messages it is
 * one. -ESPIPE when that is no file, -EBADF when it is not open for reading, -EMSGSIZE. The file
 * itself is waited for, as all files are, by the thread. */
int inko_socket_send_file(
	struct inko_socket *socket, int file_fd, uint64_t *offset, size_t size, size_t *ret_sent);

/* Ends both directions (shutdown). -ENOTCONN when it is not connected, except of Unix, and except
 * for a listener. */
int inko_socket_shutdown(struct inko_socket *socket);
/* Ends receiving (shutdown_read): reads give what has come and then the end. */
int inko_socket_shutdown_read(struct inko_socket *socket);
/* Ends sending: the peer reads what was written and then the end (shutdown_write). */
int inko_socket_shutdown_write(struct inko_socket *socket);

#ifdef __cplusplus
}
#endif
