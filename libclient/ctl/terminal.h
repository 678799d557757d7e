#pragma once

/*
 * The terminal that standard output may be.
 */

#include <stdbool.h>

/* How what is printed for a person looks. */
struct look {
	unsigned int width; /* columns of a line; 0: no limit */
	bool colour;
};

/* On a terminal as wide as COLUMNS says or else it is, and nowhere else cut. Colours are as when
 * says: "always", "never", or else (NULL as well) on a terminal that has them, unless NO_COLOR is
 * set. */
struct look terminal_look(const char *when);

/* How many columns it has now, whatever COLUMNS says: it may be resized. */
unsigned int terminal_columns(void);

/* Is it one? What programs printed may drive it (see printable.h). */
bool terminal_is_there(void);

/* Waits so many milliseconds, or until nobody reads standard output any more: then true. */
bool terminal_is_gone(int wait_msec);

/* Writes out what waits for standard output. STATUS_DONE, or STATUS_REFUSED when it did not take
 * all (with a line on standard error, but for a pipe that its reader closed). */
int terminal_flush(void);
