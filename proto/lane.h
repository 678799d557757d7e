#pragma once

/*
 * A lane: a SOCK_SEQPACKET pair from one sender to one receiver. The kernel is the queue, the
 * bound and the permission; these are the operations that both ends and the holder need.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/envelope.h"
#include "proto/passing.h"

/* What the lanes that a process is started with are called in LISTEN_FDNAMES. */
#define LANE_FD_NAME "mailbox"
#define LANE_FD_NAME_SHARED "mailbox-shared"

/* A message off a lane. The body is one byte longer than its length says, and that byte is 0. */
struct lane_message {
	struct envelope envelope;
	void *body;	      /* malloc'd, or NULL when envelope.length is 0 */
	struct passed passed; /* without the body's memfd */
};

/* What the kernel charges a lane for one envelope without a body, in bytes (768 today). */
int lane_measure_charge(size_t *ret_charge_bytes);

/* A lane that holds queue messages; both ends are the caller's. Nothing can be sent backwards.
 * -ERANGE when queue is outside LIMIT_QUEUE_MIN and LIMIT_QUEUE_MAX, or the kernel does not grant
 * the size: ask for fewer. */
int lane_open(unsigned int queue, int *ret_write_fd, int *ret_read_fd);

/* Sends one message. Fills in envelope's version, sockets, length, flags' memfd bit, and
 * time_usec where it is 0. Errors of passing_send, -EMSGSIZE over LIMIT_BODY_BYTES. The sockets
 * stay the caller's. */
int lane_send(int write_fd, struct envelope *envelope, const void *body, size_t body_bytes,
	const int *sockets, size_t n_sockets);

/* Receives one message: 1, 0 at the end (revoked and empty), -EAGAIN (nothing there), -EMFILE
 * (no room for its descriptors: it stays where it is), -EBADMSG (what came was no valid
 * message, or was truncated; it is gone and what it carried is closed). A single lane is one whose
 * messages bring one descriptor at most: how many come need not be looked up then. */
int lane_receive(int read_fd, bool single, struct lane_message *ret_message);
void lane_message_done(struct lane_message *message);

/* The head of what waits, which stays there: 1, 0 at the end, -EAGAIN (empty), -EBADMSG (what waits
 * is no message; lane_receive takes it away). */
int lane_peek(int read_fd, struct envelope *ret_envelope);

/* Any holder of the read end ends sending for good: senders get EPIPE, what waits is still
 * received, and then the end. */
int lane_revoke(int read_fd);

/* How many envelopes more fit now, by the kernel's own account; 0 is full. */
int lane_room(int write_fd, size_t charge_bytes, unsigned int *ret_room);
/* How many envelopes wait (a message with a body counts as several). */
int lane_waiting(int write_fd, size_t charge_bytes, unsigned int *ret_waiting);
