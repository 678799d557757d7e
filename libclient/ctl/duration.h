#pragma once

/*
 * Times as a person writes them: 10ms, 5s, 2min, 1h; a plain number is seconds.
 */

#include <stdint.h>

#define DURATION_TEXT_BYTES 32

/* 0, or -EINVAL (also above 2^53 microseconds, which JSON cannot carry exactly). */
int duration_parse(const char *text, int64_t *ret_usec);

/* The shortest text that duration_parse takes back to usec. */
void duration_format(int64_t usec, char text[static DURATION_TEXT_BYTES]);
