#pragma once

/*
 * In what an object differs from what it shall be: an array of fields, as the interface has it
 * (type Change), or NULL where nothing differs. The array is the caller's.
 */

#include <cjson/cJSON.h>
#include <stdbool.h>

struct json_field;

/* The members of table, in which from and to differ, which are both taken. */
cJSON *plan_difference_compare(const struct json_field *table, cJSON *from, cJSON *to);
/* Adds one more that is no member of the object, where from and to differ, which are both taken. */
void plan_difference_add_values(cJSON **fields, const char *name, cJSON *from, cJSON *to);
/* The same of where it comes from. */
void plan_difference_add_origin(cJSON **fields, bool is_configured, bool shall_be);
/* Was it the same before, in the same fields? What they shall be may have become known since. */
bool plan_difference_is_same_before(const cJSON *fields, const cJSON *others);
/* Is the field of that name among them? */
bool plan_difference_has(const cJSON *fields, const char *name);
