#pragma once

/*
 * Adding up what processes count. Each instance has one page (proto/counters.h), which its
 * processes, one after the other, count in; it is held with the instance, so that no death takes
 * anything away or adds anything twice. A page is a peer's word: whatever stands in it, sums stay
 * numbers that JSON can carry.
 */

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/counters.h"

/* What an instance, or all of an actor, has done so far. */
struct counters {
	uint64_t received, connections, late; /* as in the page */
	uint64_t moved;			      /* waited for it, and were left to its siblings */
	uint64_t restarts;
	uint64_t buckets[COUNTERS_BUCKETS];
};

/* What came in by a listener or an endpoint. */
struct counters_source {
	uint64_t taken, handed_over, refused;
};

/* A page in which nothing was counted, that nobody can shorten or make longer. -errno of
 * memfd_create and the like. */
int counters_new_page(int *ret_fd);
/* Maps a page to be read, until counters_close_page; NULL where there is none, or no memory. */
const struct counters_page *counters_open_page(int fd);
/* Returns NULL. NULL is allowed. */
const struct counters_page *counters_close_page(const struct counters_page *page);

/* Frees the rows of the page behind fd of which nobody says that they are of something that is
 * there. Only while the process that counts in it does not run. */
void counters_free_rows(
	int fd, bool (*is_there)(const void *context, const char *name), const void *context);

/* Adds what stands in the page behind fd (-1: nothing) to sum. */
void counters_add_page(struct counters *sum, int fd);
void counters_add(struct counters *sum, const struct counters *other);
/* What page has of the source of that name; all 0 if nothing. page may be NULL. */
struct counters_source counters_find_source(const struct counters_page *page, const char *name);
/* What page has of those that found no row of their own. */
struct counters_source counters_get_others(const struct counters_page *page);

/* The time, in microseconds, that so many percent of the connections did not exceed; -1 when there
 * were none. It is the upper end of a bucket. */
int64_t counters_percentile(const struct counters *sum, unsigned int percent);

/* As it is held, and back. What is not there is 0. Never NULL: what is not whole must not be held,
 * so that this process ends without memory. */
cJSON *counters_encode(const struct counters *sum);
void counters_decode(const cJSON *object, struct counters *ret_sum);
/* The members of the interface that are the same for actors and instances, added to object. */
void counters_describe(const struct counters *sum, cJSON *object);
