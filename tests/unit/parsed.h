#pragma once

/*
 * JSON that a test wrote.
 */

#include "tests/unit/leaks.h"

#include <string.h>

#include "proto/json.h"

static inline cJSON *parsed(const char *text)
{
	cJSON *object = NULL;

	assert_int_equal(json_parse(text, strlen(text), &object), 0);
	assert_non_null(object);
	return object;
}
