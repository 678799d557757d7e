#pragma once

/*
 * The terminal that standard output may be.
 */

#include <stdbool.h>

/* Columns of a line: COLUMNS, else the terminal's; 0 when output goes elsewhere: no limit. */
unsigned int terminal_width(void);

/* Is it one? What programs printed may drive it (see printable.h). */
bool terminal_is_there(void);

/* May the output have colours? On a terminal that has them, unless NO_COLOR is set. */
bool terminal_has_colour(void);

/* Waits so many milliseconds, or until nobody reads standard output any more: then true. */
bool terminal_is_gone(int wait_msec);

/* Writes out what waits for standard output. STATUS_DONE, or STATUS_REFUSED when it did not take
 * all (with a line on standard error, but for a pipe that its reader closed). */
int terminal_flush(void);
