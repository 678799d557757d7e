#pragma once

/*
 * cJSON behind a gate: it accepts much that is not JSON (NUL escapes, invalid UTF-8, duplicate
 * keys, trailing bytes), and none of that may reach a decision.
 */

#include <cjson/cJSON.h>
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

/* A whole number, exact in all of its digits, the caller's. NULL without memory. */
cJSON *json_new_integer(int64_t integer);
