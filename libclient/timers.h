#pragma once

/*
 * Points in time, the earliest first: a binary heap.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Embedded in what waits; all zero at first. */
struct timer {
	uint64_t at_usec;
	size_t place; /* in the heap, counted from 1; 0: in none */
};

struct timers {
	struct timer **heap; /* heap[0] is place 1 */
	size_t n_timers, n_allocated;
};

void timers_done(struct timers *timers);

/* Makes room for n_timers in all, so that timers_add needs no memory. -ENOMEM. */
int timers_reserve(struct timers *timers, size_t n_timers);

/* Adds timer, which is in no heap, for the point at_usec; there is room for it. */
void timers_add(struct timers *timers, struct timer *timer, uint64_t at_usec);
/* Nothing when it is in no heap. */
void timers_remove(struct timers *timers, struct timer *timer);

/* The earliest, or NULL. */
struct timer *timers_peek(const struct timers *timers);
/* Takes the earliest out if it is not after now_usec, or NULL. */
struct timer *timers_take(struct timers *timers, uint64_t now_usec);
