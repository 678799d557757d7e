/*
 * A binary heap of pointers into what waits. Each timer knows its place, so that one that is not
 * needed any more, as most are, is taken out without looking for it.
 */

#include <errno.h>
#include <stdlib.h>

#include "libclient/timers.h"

#define TIMERS_MIN 64

void timers_done(struct timers *timers)
{
	free(timers->heap);
	*timers = (struct timers){0};
}

int timers_reserve(struct timers *timers, size_t n_timers)
{
	size_t n = timers->n_allocated ? timers->n_allocated : TIMERS_MIN;
	struct timer **heap;

	if (n_timers <= timers->n_allocated)
		return 0;
	while (n < n_timers)
		n *= 2;
	heap = reallocarray(timers->heap, n, sizeof(struct timer *));
	if (!heap)
		return -ENOMEM;
	timers->heap = heap;
	timers->n_allocated = n;
	return 0;
}

static struct timer *timers_at(const struct timers *timers, size_t place)
{
	return timers->heap[place - 1];
}

static void timers_put(struct timers *timers, size_t place, struct timer *timer)
{
	timers->heap[place - 1] = timer;
	timer->place = place;
}

/* Moves timer, for which place is free, up to where it belongs. */
static void timers_rise(struct timers *timers, size_t place, struct timer *timer)
{
	while (place > 1 && timers_at(timers, place / 2)->at_usec > timer->at_usec) {
		timers_put(timers, place, timers_at(timers, place / 2));
		place /= 2;
	}
	timers_put(timers, place, timer);
}

/* The place of the earlier one of those under place, or 0. */
static size_t timers_earlier_child(const struct timers *timers, size_t place)
{
	size_t left = 2 * place, right = left + 1;

	if (left > timers->n_timers)
		return 0;
	if (right <= timers->n_timers &&
		timers_at(timers, right)->at_usec < timers_at(timers, left)->at_usec)
		return right;
	return left;
}

static void timers_sink(struct timers *timers, size_t place, struct timer *timer)
{
	size_t child;

	while ((child = timers_earlier_child(timers, place)) > 0 &&
		timers_at(timers, child)->at_usec < timer->at_usec) {
		timers_put(timers, place, timers_at(timers, child));
		place = child;
	}
	timers_put(timers, place, timer);
}

void timers_add(struct timers *timers, struct timer *timer, uint64_t at_usec)
{
	timer->at_usec = at_usec;
	timers_rise(timers, ++timers->n_timers, timer);
}

void timers_remove(struct timers *timers, struct timer *timer)
{
	size_t place = timer->place;
	struct timer *last;

	if (place == 0)
		return;
	timer->place = 0;
	last = timers_at(timers, timers->n_timers--);
	if (last == timer)
		return;
	/* The last one may belong above or below the gap. */
	timers_sink(timers, place, last);
	timers_rise(timers, last->place, last);
}

struct timer *timers_peek(const struct timers *timers)
{
	return timers->n_timers > 0 ? timers_at(timers, 1) : NULL;
}

struct timer *timers_take(struct timers *timers, uint64_t now_usec)
{
	struct timer *timer = timers_peek(timers);

	if (!timer || timer->at_usec > now_usec)
		return NULL;
	timers_remove(timers, timer);
	return timer;
}
