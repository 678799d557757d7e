#pragma once

/*
 * cJSON behind a gate: it accepts much that is not JSON (NUL escapes, invalid UTF-8, duplicate
 * keys, trailing bytes), and none of that may reach a decision. And tables that move JSON
 * objects into structs and back, so that no field is parsed by hand.
 */

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Parses one object of size bytes at text (no NUL needed), strictly. -EBADMSG, -ENOMEM. */
int json_parse(const char *text, size_t size, cJSON **ret_object);

/* Says where and why text is not what json_parse takes: one sentence. */
void json_explain(const char *text, size_t size, char *reason, size_t reason_size);

/* Text that json_parse took, on one line and otherwise as it stands: cJSON would print anew numbers
 * that a double does not hold, or that it shortens. malloc'd, the caller's. NULL without memory. */
char *json_copy_text(const char *text, size_t size);

/* The same of the value of a member, where json_parse made object of text. "{}" if there is no such
 * member or it is null. */
char *json_copy_member(const char *text, size_t size, const cJSON *object, const char *member);

/* Replaces by '?' what may not stand in a JSON string: bytes that are no UTF-8, control characters,
 * and a character that was cut off. For text that a peer wrote. */
void json_clean(char *text);

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
	int64_t min, max; /* of integers */
};

/* Rows of a table, which JSON_FIELDS_END closes. */
#define JSON_FIELD(owner, name, type, member, required)                                            \
	{                                                                                          \
		name, type, offsetof(struct owner, member), required, 0, 0                         \
	}
#define JSON_FIELD_INTEGER(owner, name, member, required, min, max)                                \
	{                                                                                          \
		name, JSON_INTEGER, offsetof(struct owner, member), required, min, max             \
	}
#define JSON_FIELDS_END                                                                            \
	{                                                                                          \
		NULL, JSON_STRING, 0, false, 0, 0                                                  \
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

/* A whole number, exact in all of its digits, the caller's. NULL without memory. */
cJSON *json_new_integer(int64_t integer);

/* Frees what the fields own and sets it to NULL. */
void json_release(const struct json_field *fields, void *from);

/* Frees a NULL-terminated array of strings. Returns NULL. */
char **json_strings_free(char **strings);
