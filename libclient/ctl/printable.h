#pragma once

/*
 * Text of other programs on the way to a terminal.
 */

#include <stdbool.h>
#include <stddef.h>

/* Is it UTF-8, strictly (no surrogates, nothing overlong)? */
bool printable_is_utf8(const char *bytes, size_t size);

/* A copy without control characters, which could drive the terminal; they become '?', line ends
 * and tabs stay. malloc'd; NULL without memory. */
char *printable_text(const char *text);

/* The same of size bytes, of which none need be a NUL. */
char *printable_bytes(const char *bytes, size_t size);

/* The same for one line: line ends and tabs become blanks. */
char *printable_line(const char *text);

/* How many columns text takes: one a character. */
size_t printable_width(const char *text);

/* The bytes of the first count characters of text. */
size_t printable_prefix(const char *text, size_t count);
