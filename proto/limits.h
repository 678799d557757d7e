#pragma once

/*
 * Every bound that two processes must agree on, each with the reason for its value.
 */

/* Kernel: 254 descriptors in one message are refused with EINVAL (unix(7), SCM_MAX_FD). */
#define LIMIT_SOCKETS 253
/* One descriptor is kept back for the memfd that carries a large body. */
#define LIMIT_SOCKETS_WITH_BODY (LIMIT_SOCKETS - 1)

/* A body above this travels as a sealed memfd, or above a quarter of its lane if that is less:
 * a lane must hold several messages whatever their size. */
#define LIMIT_INLINE_BODY_BYTES 4096
/* What a receiver is willing to map: four control frames and then some. */
#define LIMIT_BODY_BYTES (16u << 20)

/* SOCK_MIN_SNDBUF is six charges; 555 is what net.core.wmem_max of 212992 allows. */
#define LIMIT_QUEUE_MIN 6
#define LIMIT_QUEUE_MAX 555
#define LIMIT_QUEUE_DEFAULT 64

/* A name is a file name, an fd name (no ':', sd_listen_fds_with_names(3)) and an envelope field. */
#define LIMIT_NAME_CHARS 63
#define LIMIT_INSTANCES 1000
/* What is looked at in one turn of the supervisor's loop, in which nobody else is answered. */
#define LIMIT_ACTORS 4096
#define LIMIT_LISTENERS 4096
/* Connections that one process serves at once: each is a descriptor of it, and lost if it dies. */
#define LIMIT_CONCURRENCY_DEFAULT 256
#define LIMIT_CONCURRENCY (1 << 20)

/* One control frame in, and what a client may leave unread (CONTROL.md's numbers). */
#define LIMIT_FRAME_BYTES (1u << 20)
#define LIMIT_UNREAD_BYTES (4u << 20)
#define LIMIT_JSON_DEPTH 32
#define LIMIT_CLIENTS 256
#define LIMIT_CLIENTS_PER_UID 32
/* So that others leave room for root and who inkod runs as. */
#define LIMIT_CLIENTS_OF_OTHERS (LIMIT_CLIENTS - 2 * LIMIT_CLIENTS_PER_UID)
/* Each is told everything, and may leave some of it unread. */
#define LIMIT_MONITORS_PER_UID 16

/* An object's state is one datagram to the keeper, which must fit the default send buffer. */
#define LIMIT_STATE_BYTES (128u << 10)
#define LIMIT_KEY_CHARS 160
#define LIMIT_KEY_FDS 4

/* What is read of one notification, as a service manager does; the rest is cut off. */
#define LIMIT_NOTIFICATION_BYTES 4096
