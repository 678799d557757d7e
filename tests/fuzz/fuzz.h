#pragma once

/*
 * What the fuzz targets share. A target is LLVMFuzzerTestOneInput alone: libFuzzer calls it with
 * inputs that it makes up, and replay.c with those that are kept.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that must hold, also where NDEBUG takes assert out. */
#define fuzz_check(condition)                                                                      \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			(void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);      \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* The input as text, up to its first NUL, in memory that ends where the text does. The caller
 * frees it. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
	size_t length = size > 0 ? strnlen((const char *)data, size) : 0;
	/* Not strndup(3), which the sanitizer holds to a NUL that data need not have. */
	char *text = calloc(1, length + 1);

	fuzz_check(text);
	if (length > 0)
		memcpy(text, data, length);
	return text;
}
