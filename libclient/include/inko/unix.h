#pragma once

/*
 * Unix sockets (std.net.unix). An address is text as inko_unix_address_parse takes it: a path, or
 * "@name" for an abstract one. Closing a socket that is bound to a path leaves the file.
 */

#include <inko/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A Unix server (UnixListener.new, UnixServer.new). -EADDRINUSE when the path exists,
 * -ENAMETOOLONG, -EINVAL when address is empty. */
int inko_unix_listen(const char *address, struct inko_socket **ret_socket);
/* A connection (UnixStream.new, UnixClient.new). Waits while the server's backlog is full. -ENOENT,
 * -ECONNREFUSED, -EPROTOTYPE when that is no stream socket, and as above. */
int inko_unix_connect(const char *address, struct inko_socket **ret_socket);
/* A datagram socket bound to address (UnixDatagram.new); NULL or "": unnamed, nobody can answer. */
int inko_unix_datagram(const char *address, struct inko_socket **ret_socket);
/* Two sockets that are connected with each other (Socket.pair). */
int inko_unix_pair(
	enum inko_socket_type type, struct inko_socket **ret_a, struct inko_socket **ret_b);

#ifdef __cplusplus
}
#endif
