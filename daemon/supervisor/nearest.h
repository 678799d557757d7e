#pragma once

/*
 * The name that somebody may have meant who wrote another.
 */

#include <stddef.h>

struct nearest {
	const char *wanted, *found; /* NULL: nothing is near */
	size_t distance;	    /* of found */
};

/* Looks for what may be meant by wanted, which is borrowed as all names are. */
void nearest_init(struct nearest *nearest, const char *wanted);
/* Looks whether it is candidate. */
void nearest_try(struct nearest *nearest, const char *candidate);
/* As the end of a sentence: "; did you mean NAME?", or "". */
void nearest_format(const struct nearest *nearest, char *text, size_t size);
