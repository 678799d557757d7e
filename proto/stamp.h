#pragma once

/*
 * The time in front of a line on standard error, where nobody who reads it puts one there.
 */

#include <stdbool.h>

#define STAMP_BYTES sizeof("2026-11-21T11:59:01+00:00 ")

/* Is standard error a stream of the journal's, which notes the time itself, and reads a priority in
 * front of a line? By JOURNAL_STREAM, as in systemd.exec(5): that alone may be somebody else's. */
bool stamp_is_journal(void);
/* The local time as in RFC 3339, and a space; "" where it is not known. */
void stamp_format(char ret_stamp[static STAMP_BYTES]);
