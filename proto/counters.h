#pragma once

/*
 * The page that a process counts in: shared memory that it alone writes and that outlives it, so
 * that what it had counted when it was killed is not lost. It belongs to the instance, and each of
 * its processes goes on counting where the one before ended. PROTOCOL.md has the same table for
 * programs that do not use this code. Numbers are in the byte order of the host. What is reserved
 * is 0, and may be counted in by a later version.
 */

#include <stdint.h>

#include "proto/limits.h"

/* What it is called in LISTEN_FDNAMES. */
#define COUNTERS_FD_NAME "counters"

#define COUNTERS_VERSION 1

/* A connection that waited longer than this is answered late: what no balance may do. */
#define COUNTERS_LATE_USEC UINT64_C(5000000)

#define COUNTERS_BUCKETS 32
#define COUNTERS_ROWS 504
/* For all that find no row of their own. It has no name. */
#define COUNTERS_OTHER (COUNTERS_ROWS - 1)

/* Something that an acceptor or a gateway takes things in from: a listener, an endpoint. */
struct counters_row {
	char name[LIMIT_NAME_CHARS + 1]; /* padded with NUL; empty: nobody's */
	uint64_t taken, handed_over, refused;
	uint64_t reserved[5];
};

struct counters_page {
	uint32_t version, reserved_version;
	uint64_t received;    /* messages, answers and connections, not what inkod itself says */
	uint64_t connections; /* of these */
	uint64_t late;	      /* of these: COUNTERS_LATE_USEC after they were accepted */
	uint64_t reserved[28];
	/* Connections by the microseconds from accept to receive: at most 2^n of them, more than
	 * half of that. The last one has all that took longer, too. */
	uint64_t buckets[COUNTERS_BUCKETS];
	uint64_t reserved_buckets[64];
	struct counters_row rows[COUNTERS_ROWS];
};

_Static_assert(sizeof(struct counters_page) == 65536, "the page is a wire format");

/* One more. Several threads, and what they fork, may count at the same time. */
static inline void counters_increment(uint64_t *counter)
{
	(void)__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/* Of one who reads while others count. */
static inline uint64_t counters_get(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* The bucket of a time. */
static inline unsigned int counters_bucket(uint64_t usec)
{
	unsigned int bucket = usec <= 1 ? 0 : 64 - (unsigned int)__builtin_clzll(usec - 1);

	return bucket < COUNTERS_BUCKETS ? bucket : COUNTERS_BUCKETS - 1;
}
