#pragma once

/*
 * The envelope: the fixed head of every datagram on a lane. PROTOCOL.md has the same table for
 * programs that do not use this code. Numbers are in the byte order of the host: both ends are
 * on it. It names no sender, since the lane does.
 */

#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

#define ENVELOPE_VERSION 1

enum envelope_kind {
	ENVELOPE_MESSAGE = 1,	 /* bytes, sockets or both, from another program */
	ENVELOPE_CONNECTION = 2, /* one accepted connection */
	ENVELOPE_LISTENER = 3,	 /* a listening socket, or (no socket) news about one */
	ENVELOPE_LANE = 4,   /* ends of lanes: see enum envelope_flag; the body names the peer */
	ENVELOPE_STOP = 5,   /* finish what is here and end */
	ENVELOPE_ANSWER = 6, /* to the message with this correlation */
};

enum envelope_flag {
	ENVELOPE_BODY_MEMFD = 1, /* the last descriptor is a sealed memfd with the body */
	/* Of a lane message, in the order of its sockets: */
	ENVELOPE_LANE_IN = 2,	   /* a read end: receive from it as well */
	ENVELOPE_LANE_OUT = 4,	   /* a write end to the peer that the body names, or, together with
				    * LANE_IN, the way back for answers to what comes in there */
	ENVELOPE_LANE_SHARED = 8,  /* other instances read from it too: stop reading at `stop` */
	ENVELOPE_LANE_SINGLE = 16, /* no message on it brings more than one descriptor */
};

/* 112 bytes: the kernel charges the same for anything up to 192. */
struct envelope {
	uint8_t version;
	uint8_t kind;	 /* enum envelope_kind */
	uint8_t sockets; /* descriptors that came along, without the body's memfd */
	uint8_t flags;	 /* enum envelope_flag */
	uint32_t length; /* bytes of body */
	uint64_t
		correlation; /* of a lane message the lane's number; of an answer, the question's */
	uint64_t time_usec;  /* CLOCK_MONOTONIC at accept, or at send */
	uint16_t peer_family;		     /* AF_INET, AF_INET6, AF_UNIX; 0 if there is no peer */
	uint16_t peer_port;		     /* host byte order */
	uint32_t peer_scope;		     /* of a link-local IPv6 address */
	uint8_t peer_address[16];	     /* an IPv4 address is the first four */
	char listener[LIMIT_NAME_CHARS + 1]; /* that a connection came in on; padded with NUL */
};

_Static_assert(sizeof(struct envelope) == 112, "the envelope is a wire format");

/* 0, or -EBADMSG when what came in (size bytes, n_fds descriptors) is no valid datagram:
 * short, another version, unknown kind, wrong length, wrong count, or a name without end.
 * The body of a valid one without BODY_MEMFD is the size - sizeof(struct envelope) bytes after. */
int envelope_check(const struct envelope *envelope, size_t size, size_t n_fds);
