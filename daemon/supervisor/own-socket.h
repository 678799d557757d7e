#pragma once

/*
 * The sockets that inkod itself listens on in its runtime directory.
 */

#include <sys/types.h>

/* Listens on directory/name with a socket of that type (SOCK_STREAM, SOCK_SEQPACKET), which does
 * not block, for those whom mode lets connect. A file that is there is replaced: the keeper has the
 * lock of the directory, so that whoever left it is gone. -errno of socket, bind, chmod and listen,
 * -ENAMETOOLONG. */
int own_socket_open(const char *directory, const char *name, int type, mode_t mode, int *ret_fd);
