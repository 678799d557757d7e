#pragma once

/*
 * Tables that move JSON objects into structs and back, so that no field is parsed by hand.
 */

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum json_type {
	JSON_STRING,  /* char *, malloc'd */
	JSON_INTEGER, /* int64_t, whole, within min and max, which are within ±2^53 */
	JSON_BOOLEAN, /* bool */
	JSON_STRINGS, /* char **, NULL-terminated, each malloc'd */
	JSON_OBJECT,  /* cJSON *, owned: an object, kept as it is */
};

struct json_field {
	const char *name;
	enum json_type type;
	size_t offset;
	bool required;
	int64_t min, max;  /* of integers */
	const void *about; /* what the table's owner says of it besides, or NULL */
};

/* Rows of a table, which JSON_FIELDS_END closes. */
#define JSON_FIELD(owner, name, type, member, required)                                            \
	{                                                                                          \
		name, type, offsetof(struct owner, member), required, 0, 0, NULL                   \
	}
#define JSON_FIELD_INTEGER(owner, name, member, required, min, max)                                \
	{                                                                                          \
		name, JSON_INTEGER, offsetof(struct owner, member), required, min, max, NULL       \
	}
#define JSON_FIELDS_END                                                                            \
	{                                                                                          \
		NULL, JSON_STRING, 0, false, 0, 0, NULL                                            \
	}

/* The largest whole number that every JSON reader keeps. */
#define JSON_INTEGER_MAX (INT64_C(1) << 53)

enum json_problem { JSON_UNKNOWN = 1, JSON_MISSING, JSON_WRONG_TYPE, JSON_OUT_OF_RANGE };

/* Moves object's members into the struct at ret_struct as fields (ending with a NULL name) say.
 * A missing optional member leaves what the struct holds (its default). null is a missing one.
 * On failure: -EINVAL, *ret_field the member's name (borrowed from object or fields), *ret_problem
 * why; the struct may then hold some members: json_release frees it either way. */
int json_decode(const cJSON *object, const struct json_field *fields, void *ret_struct,
	const char **ret_field, enum json_problem *ret_problem);

/* A new object of all members; strings that are NULL are left out. NULL without memory. */
cJSON *json_encode(const struct json_field *fields, const void *from);

/* Frees what the fields own and sets it to NULL. */
void json_release(const struct json_field *fields, void *from);

/* How many there are in a NULL-terminated array; none in NULL. */
size_t json_strings_count(char *const *strings);
/* Frees a NULL-terminated array of strings. Returns NULL. */
char **json_strings_free(char **strings);

static inline void json_strings_free_pointer(char ***strings)
{
	*strings = json_strings_free(*strings);
}
#define _cleanup_strings_ __attribute__((cleanup(json_strings_free_pointer)))
