#pragma once

/*
 * Connections of TCP that are begun and waited for together.
 */

#include <inko/socket.h>

/* Begins to connect a new socket: 0, and its descriptor has POLLOUT once it stands or has failed.
 */
int connect_begin(struct inko_socket *socket, const struct inko_ip *ip, unsigned int port);
/* What became of that: 0, or why it failed. */
int connect_result(const struct inko_socket *socket);
