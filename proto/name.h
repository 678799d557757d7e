#pragma once

/*
 * Names of actors and listeners. One grammar for all: letters, digits, '.', '_', '-', not
 * starting with '.' or '-', at most LIMIT_NAME_CHARS, so that a name is a file name, an fd
 * name and an argument as it is.
 */

#include <stdbool.h>

bool name_is_valid(const char *name);

/* What is wrong, as the end of a sentence that starts with the name; NULL if nothing. */
const char *name_complaint(const char *name);
