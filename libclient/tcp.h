#pragma once

/*
 * What the rest of libinko needs of TCP's sockets.
 */

#include <inko/tcp.h>

/* A socket of TCP for addresses of ip's family. */
int tcp_open(const struct inko_ip *ip, struct inko_socket **ret_socket);
