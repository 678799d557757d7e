/*
 * Text that comes from actors (a status, what a program printed last) is shown on a terminal that
 * obeys escape sequences: whoever can write a log line could then rename windows or worse.
 */

#include <stdlib.h>
#include <string.h>

#include "printable.h"

/* Sequence lengths and the range of the second byte, by first byte (Unicode 3.9, table 3-7). */
static const struct {
	unsigned char first, last;
	unsigned char low, high;
	unsigned char length;
} sequences[] = {
	{0x00, 0x7f, 0x00, 0x00, 1},
	{0xc2, 0xdf, 0x80, 0xbf, 2},
	{0xe0, 0xe0, 0xa0, 0xbf, 3},
	{0xe1, 0xec, 0x80, 0xbf, 3},
	{0xed, 0xed, 0x80, 0x9f, 3},
	{0xee, 0xef, 0x80, 0xbf, 3},
	{0xf0, 0xf0, 0x90, 0xbf, 4},
	{0xf1, 0xf3, 0x80, 0xbf, 4},
	{0xf4, 0xf4, 0x80, 0x8f, 4},
};

static bool is_continuation(unsigned char byte)
{
	return (byte & 0xc0) == 0x80;
}

/* The length of the sequence at bytes, 0 if it is none. */
static size_t sequence_length(const unsigned char *bytes, size_t size)
{
	for (size_t i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++) {
		size_t length = sequences[i].length;

		if (bytes[0] < sequences[i].first || bytes[0] > sequences[i].last)
			continue;
		if (length > size)
			return 0;
		if (length > 1 && (bytes[1] < sequences[i].low || bytes[1] > sequences[i].high))
			return 0;
		for (size_t k = 2; k < length; k++) {
			if (!is_continuation(bytes[k]))
				return 0;
		}
		return length;
	}
	return 0;
}

bool printable_is_utf8(const char *bytes, size_t size)
{
	size_t length;

	for (size_t at = 0; at < size; at += length) {
		length = sequence_length((const unsigned char *)bytes + at, size - at);
		if (length == 0)
			return false;
	}
	return true;
}

/* C0, DEL, and C1 (U+0080 to U+009F), which some terminals take for ESC and a letter. */
static bool is_control(const unsigned char *bytes)
{
	return bytes[0] < 0x20 || bytes[0] == 0x7f || (bytes[0] == 0xc2 && bytes[1] < 0xa0);
}

static char *clean(const char *bytes, size_t size, bool keep_lines)
{
	char *copy = malloc(size + 1), *to = copy;
	const unsigned char *from = (const unsigned char *)bytes;
	size_t length;

	if (!copy)
		return NULL;
	for (size_t left = size; left > 0; from += length, left -= length) {
		bool blank = *from == '\n' || *from == '\t';

		length = sequence_length(from, left);
		if (length == 0 || (is_control(from) && !blank)) {
			*to++ = '?';
			length = length ? length : 1;
		} else if (blank && !keep_lines) {
			*to++ = ' ';
		} else {
			memcpy(to, from, length);
			to += length;
		}
	}
	*to = '\0';
	return copy;
}

char *printable_text(const char *text)
{
	return clean(text, strlen(text), true);
}

char *printable_bytes(const char *bytes, size_t size)
{
	return clean(bytes, size, true);
}

char *printable_line(const char *text)
{
	return clean(text, strlen(text), false);
}

size_t printable_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += !is_continuation(*text);
	return width;
}

size_t printable_prefix(const char *text, size_t count)
{
	size_t size = 0;

	while (text[size] && (count > 0 || is_continuation(text[size])))
		count -= !is_continuation(text[size++]);
	return size;
}
