#pragma once

/*
 * Sockets that listeners listened on until they moved: systemd gave others of that name as a socket
 * unit was restarted, or a configuration wants them elsewhere. Clients may wait there still, so
 * that they are held until the acceptor has accepted all of them, whatever process ends meanwhile.
 */

#include <stdint.h>
#include <sys/queue.h>

#include "proto/keep.h"

struct address;
struct supervisor;

/* What it is held under, with the listener's name and the inode behind. */
#define FORMER_SOCKET_KEY "former/"

struct former_socket {
	TAILQ_ENTRY(former_socket) entries;
	int fd;
	uint64_t inode;
	char listener[];
};

/* Holds another descriptor of fd, as a former one of the listener of that name; nothing where it
 * is held already. Before the listener is put with its other socket: in between it is held twice,
 * and at no moment not at all, so that nobody who waits there depends on one process. A supervisor
 * that is killed then has moved nothing: see former_socket_adopt. -errno of fstat and fcntl,
 * -ENOMEM.
 */
int former_socket_keep(struct supervisor *supervisor, const char *listener, int fd);
/* Another descriptor of the one that the listener of that name left at address, which it may have
 * again; *ret_fd does not block. -ENOENT where there is none, or systemd has it: that goes on with
 * it. -errno of fcntl. */
int former_socket_open(struct supervisor *supervisor, const char *listener,
	const struct address *address, int *ret_fd);
/* Lets go of fd, where the listener of that name has it again, and is put with it. */
void former_socket_take_back(struct supervisor *supervisor, const char *listener, int fd);
/* Lets go of all of the listener of that name. */
void former_socket_forget(struct supervisor *supervisor, const char *listener);
/* The acceptor says (X_INKO_DRAINED=NAME INODE) that nobody waits there any more. */
void former_socket_on_drained(struct supervisor *supervisor, const char *listener, uint64_t inode);

/* Takes over what a former supervisor held, after the listeners. One that its listener has itself
 * is let go of, or the acceptor would end what it accepts from. -EBADMSG, -ENOMEM, -errno of fstat.
 */
int former_socket_adopt(struct supervisor *supervisor, struct keep_message *message);
/* Has another keeper hold them. */
void former_socket_put_all(struct supervisor *supervisor);
