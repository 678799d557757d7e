#pragma once

/*
 * The socket of a listener: bound to an address and listening, with all that has to be said to the
 * kernel for it.
 */

#include <stdbool.h>
#include <stdint.h>

struct address;

/* Listens on address, which becomes the one that was bound: port 0 is then a real one. A socket
 * file that nobody listens on is replaced. *ret_fd does not block, for all who will hold it.
 * -ENOTSOCK where a file is that is none, -errno of socket, bind and listen. */
int listening_socket_open(struct address *address, int *ret_fd);

/* Could that listen on address? Nothing is changed by it, and nobody can connect. The same errors
 * but those of listen. */
int listening_socket_try(const struct address *address);

/* Is fd a stream socket that listens (else -EPROTOTYPE)? Then it does not block any more, for all
 * who hold it, and *ret_address is where it listens. */
int listening_socket_adopt(int fd, struct address *ret_address);

/* Removes the file of the socket at address, if it is one of a file: nobody connects to it where
 * it is not listened on any more. */
void listening_socket_unlink(const char *address);

/* Does an accept(2) on it wait, for all who hold it? -errno of fcntl. */
int listening_socket_set_blocking(int fd, bool blocks);

/* Which socket it is: the number is the same in every process, and no other's while it is open.
 * -errno of fstat. */
int listening_socket_identify(int fd, uint64_t *ret_inode);
