#pragma once

/*
 * What is wrong with a member of a JSON object, for a person: what it is, and what it may be.
 */

#include "proto/json-fields.h"

/* Of what json_decode said of object: one sentence, which the member's path stands before. */
void field_fault_describe(const struct json_field *fields, const cJSON *object, const char *name,
	enum json_problem problem, char reason[static 512]);
