#pragma once

/*
 * Aligned tables that fit the terminal.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "terminal.h"

struct table;

enum tone { TONE_PLAIN, TONE_GOOD, TONE_BUSY, TONE_BAD, TONE_TITLE };

enum column_way {
	COLUMN_PLAIN = 0,
	COLUMN_RIGHT = 1 << 0,	    /* numbers stand at the right */
	COLUMN_SPARE = 1 << 1,	    /* it is left out before any is cut */
	COLUMN_CUT_WITHIN = 1 << 2, /* in its middle, as both its ends are wanted */
};

struct column {
	const char *title; /* NULL ends an array of columns */
	size_t minimum;	   /* the column may be cut down to so many characters; 0: never */
	unsigned int ways;
	/* The smallest is cut first, and left out first when cutting is not enough; the first
	 * column stays. */
	unsigned int priority;
};

/* columns is borrowed. NULL without memory. */
struct table *table_new(const struct column *columns);
struct table *table_free(struct table *table);

/* Adds the next cell, row by row. */
void table_add(struct table *table, enum tone tone, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same of a state of an actor, an instance or a listener. */
void table_add_state(struct table *table, const char *state);

/* The same of a time as far as a person reads it; less than 0: there is none. */
void table_add_time(struct table *table, int64_t usec);

/* Prints titles and rows on output, which looks as look says. STATUS_DONE, or STATUS_REFUSED (with
 * a complaint) when there was no memory for all of it. */
int table_print(const struct table *table, const struct look *look, FILE *output);
