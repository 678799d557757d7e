/*
 * The gate in front of cJSON, and text as it stands.
 */

#include "proto/json.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/descriptor.h"
#include "proto/limits.h"

/* cJSON 1.7.15 copies a number into 64 bytes and cuts what is longer. */
#define NUMBER_CHARS 63
#define FIFTEEN_DIGITS 1000000000000000

/* The text in front of cJSON's eyes. Every gate_* returns false where RFC 8259 is violated, and
 * else leaves the position behind what it checked. */
struct gate {
	const unsigned char *at, *end;
};

static int gate_peek(const struct gate *gate)
{
	return gate->at < gate->end ? *gate->at : -1;
}

static bool gate_take(struct gate *gate, unsigned char wanted)
{
	if (gate_peek(gate) != wanted)
		return false;
	gate->at++;
	return true;
}

static void gate_space(struct gate *gate)
{
	while (gate->at < gate->end && memchr(" \t\r\n", *gate->at, 4))
		gate->at++;
}

static bool gate_word(struct gate *gate, const char *word)
{
	size_t length = strlen(word);

	if ((size_t)(gate->end - gate->at) < length || memcmp(gate->at, word, length) != 0)
		return false;
	gate->at += length;
	return true;
}

/* The well-formed sequences of table 3-7 of the Unicode Standard: how many bytes follow the first,
 * and what the second must be, which is where overlong forms and surrogates show. */
static const struct utf8_form {
	unsigned char first_min, first_max, second_min, second_max, following;
} utf8_forms[] = {
	{0x00, 0x7f, 0x00, 0x00, 0},
	{0xc2, 0xdf, 0x80, 0xbf, 1},
	{0xe0, 0xe0, 0xa0, 0xbf, 2},
	{0xe1, 0xec, 0x80, 0xbf, 2},
	{0xed, 0xed, 0x80, 0x9f, 2},
	{0xee, 0xef, 0x80, 0xbf, 2},
	{0xf0, 0xf0, 0x90, 0xbf, 3},
	{0xf1, 0xf3, 0x80, 0xbf, 3},
	{0xf4, 0xf4, 0x80, 0x8f, 3},
};

static bool form_matches(const struct utf8_form *form, const struct gate *gate)
{
	if (gate->at[0] < form->first_min || gate->at[0] > form->first_max)
		return false;
	if (gate->end - gate->at <= form->following)
		return false;
	if (form->following == 0)
		return true;
	if (gate->at[1] < form->second_min || gate->at[1] > form->second_max)
		return false;
	for (int i = 2; i <= form->following; i++) {
		if (gate->at[i] < 0x80 || gate->at[i] > 0xbf)
			return false;
	}
	return true;
}

static bool gate_character(struct gate *gate)
{
	if (gate_peek(gate) < 0x20)
		return false;
	for (size_t i = 0; i < sizeof(utf8_forms) / sizeof(utf8_forms[0]); i++) {
		if (form_matches(&utf8_forms[i], gate)) {
			gate->at += 1 + utf8_forms[i].following;
			return true;
		}
	}
	return false;
}

static int hex_value(int c)
{
	static const char digits[] = "0123456789abcdef";
	const char *digit;

	if (c <= 0)
		return -1;
	digit = strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
	return digit ? (int)(digit - digits) : -1;
}

static bool gate_hex4(struct gate *gate, unsigned int *ret_unit)
{
	unsigned int unit = 0;

	for (int i = 0; i < 4; i++) {
		int value = hex_value(gate_peek(gate));

		if (value < 0)
			return false;
		unit = unit << 4 | (unsigned int)value;
		gate->at++;
	}
	*ret_unit = unit;
	return true;
}

/* Behind "\u". */
static bool gate_unicode(struct gate *gate)
{
	unsigned int unit, low;

	if (!gate_hex4(gate, &unit) || unit == 0)
		return false;
	if (unit < 0xd800 || unit > 0xdfff)
		return true;
	if (unit > 0xdbff || !gate_word(gate, "\\u") || !gate_hex4(gate, &low))
		return false;
	return low >= 0xdc00 && low <= 0xdfff;
}

/* Behind the backslash. */
static bool gate_escape(struct gate *gate)
{
	int c = gate_peek(gate);

	if (c <= 0)
		return false;
	gate->at++;
	return c == 'u' ? gate_unicode(gate) : strchr("\"\\/bfnrt", c) != NULL;
}

static bool gate_string(struct gate *gate)
{
	if (!gate_take(gate, '"'))
		return false;
	while (!gate_take(gate, '"')) {
		if (gate_take(gate, '\\') ? !gate_escape(gate) : !gate_character(gate))
			return false;
	}
	return true;
}

static bool gate_digits(struct gate *gate)
{
	const unsigned char *start = gate->at;

	while (gate_peek(gate) >= '0' && gate_peek(gate) <= '9')
		gate->at++;
	return gate->at > start;
}

static bool gate_number(struct gate *gate)
{
	const unsigned char *start = gate->at;

	(void)gate_take(gate, '-');
	if (!gate_take(gate, '0') && !gate_digits(gate))
		return false;
	if (gate_take(gate, '.') && !gate_digits(gate))
		return false;
	if (gate_take(gate, 'e') || gate_take(gate, 'E')) {
		if (!gate_take(gate, '+'))
			(void)gate_take(gate, '-');
		if (!gate_digits(gate))
			return false;
	}
	return gate->at - start <= NUMBER_CHARS;
}

static bool gate_value(struct gate *gate, int depth);

static bool gate_member(struct gate *gate, int depth)
{
	gate_space(gate);
	if (!gate_string(gate))
		return false;
	gate_space(gate);
	return gate_take(gate, ':') && gate_value(gate, depth);
}

/* Behind the opening bracket, up to and with the closing one. */
static bool gate_container(struct gate *gate, int depth, unsigned char close,
	bool (*element)(struct gate *gate, int depth))
{
	if (depth > LIMIT_JSON_DEPTH)
		return false;
	gate_space(gate);
	if (gate_take(gate, close))
		return true;
	do {
		if (!element(gate, depth))
			return false;
		gate_space(gate);
	} while (gate_take(gate, ','));
	return gate_take(gate, close);
}

/* depth: of containers around it. */
static bool gate_value(struct gate *gate, int depth)
{
	gate_space(gate);
	switch (gate_peek(gate)) {
	case '{':
		gate->at++;
		return gate_container(gate, depth + 1, '}', gate_member);
	case '[':
		gate->at++;
		return gate_container(gate, depth + 1, ']', gate_value);
	case '"':
		return gate_string(gate);
	case 't':
		return gate_word(gate, "true");
	case 'f':
		return gate_word(gate, "false");
	case 'n':
		return gate_word(gate, "null");
	default:
		return gate_number(gate);
	}
}

static bool is_one_object(const char *text, size_t size)
{
	struct gate gate = {
		.at = (const unsigned char *)text,
		.end = (const unsigned char *)text + size,
	};

	gate_space(&gate);
	if (gate_peek(&gate) != '{' || !gate_value(&gate, 0))
		return false;
	gate_space(&gate);
	return gate.at == gate.end;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted, because a frame has room for 100 000 keys. They are compared as parsed: "a" and
 * "\u0061" are the same key. */
static int check_keys(const cJSON *object)
{
	size_t n = (size_t)cJSON_GetArraySize(object), i = 0;
	_cleanup_free_ const char **keys = NULL;
	const cJSON *member;

	if (n < 2)
		return 0;
	keys = malloc(n * sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	cJSON_ArrayForEach(member, object)
		keys[i++] = member->string;
	qsort(keys, n, sizeof(*keys), compare_keys);
	for (i = 1; i < n; i++) {
		if (strcmp(keys[i - 1], keys[i]) == 0)
			return -EBADMSG;
	}
	return 0;
}

/* What only the parsed tree shows. The gate has bounded its depth. */
static int check_tree(const cJSON *value)
{
	const cJSON *child;
	int r;

	if (cJSON_IsNumber(value) && !isfinite(value->valuedouble))
		return -EBADMSG;
	r = cJSON_IsObject(value) ? check_keys(value) : 0;
	if (r < 0)
		return r;
	cJSON_ArrayForEach(child, value) {
		r = check_tree(child);
		if (r < 0)
			return r;
	}
	return 0;
}

void json_clean(char *text)
{
	struct gate gate = {.at = (unsigned char *)text, .end = (unsigned char *)strchr(text, 0)};

	while (gate.at < gate.end)
		if (!gate_character(&gate))
			text[gate.at++ - (const unsigned char *)text] = '?';
}

int json_parse(const char *text, size_t size, cJSON **ret_object)
{
	cJSON *object;
	int r;

	if (!is_one_object(text, size))
		return -EBADMSG;
	object = cJSON_ParseWithLengthOpts(text, size, NULL, false);
	/* The gate takes nothing that cJSON refuses. */
	if (!object)
		return -ENOMEM;
	r = check_tree(object);
	if (r < 0) {
		cJSON_Delete(object);
		return r;
	}
	*ret_object = object;
	return 0;
}

static void format_place(const char *text, size_t offset, char *place, size_t size)
{
	size_t line = 1, column = 1;

	for (size_t i = 0; i < offset; i++) {
		column = text[i] == '\n' ? 1 : column + 1;
		line += text[i] == '\n';
	}
	(void)snprintf(place, size, "line %zu, column %zu", line, column);
}

/* A key that one object below value has twice, or NULL. */
static const char *find_twice(const cJSON *value)
{
	const char *found = NULL;
	const cJSON *child;

	cJSON_ArrayForEach(child, value) {
		if (cJSON_IsObject(value) &&
			cJSON_GetObjectItemCaseSensitive(value, child->string) != child)
			return child->string;
		found = find_twice(child);
		if (found)
			return found;
	}
	return NULL;
}

static void explain_tree(const char *text, size_t size, char *reason, size_t reason_size)
{
	cJSON *object = cJSON_ParseWithLengthOpts(text, size, NULL, false);
	const char *twice = find_twice(object);

	if (twice)
		(void)snprintf(
			reason, reason_size, "an object in it has two fields '%.63s'", twice);
	else
		(void)snprintf(reason, reason_size,
			"a number in it is too large, or there is no "
			"memory for it");
	cJSON_Delete(object);
}

void json_explain(const char *text, size_t size, char *reason, size_t reason_size)
{
	struct gate gate = {
		.at = (const unsigned char *)text,
		.end = (const unsigned char *)text + size,
	};
	char place[64];
	bool is_value;

	if (is_one_object(text, size)) {
		explain_tree(text, size, reason, reason_size);
		return;
	}
	gate_space(&gate);
	is_value = gate_peek(&gate) == '{' && gate_value(&gate, 0);
	if (is_value)
		gate_space(&gate);
	format_place(text, (size_t)(gate.at - (const unsigned char *)text), place, sizeof(place));
	(void)snprintf(reason, reason_size, "it is no JSON object: %s", place);
	if (is_value)
		(void)snprintf(reason, reason_size, "it has something behind its end: %s", place);
}

/* The index of the member among the object's, which are in the order of the text, or -1. */
static int find_index(const cJSON *object, const char *member)
{
	const cJSON *child;
	int index = 0;

	cJSON_ArrayForEach(child, object) {
		if (strcmp(child->string, member) == 0)
			return cJSON_IsNull(child) ? -1 : index;
		index++;
	}
	return -1;
}

/* The value of the object's member of that index, from its first character to its last. A key may
 * be written in more than one way, so that the text alone does not say which it is. */
static struct gate find_value(const char *text, size_t size, int index)
{
	struct gate gate = {
		.at = (const unsigned char *)text,
		.end = (const unsigned char *)text + size,
	};
	struct gate value = gate;

	gate_space(&gate);
	(void)gate_take(&gate, '{');
	for (int i = 0; i <= index; i++) {
		gate_space(&gate);
		(void)gate_string(&gate);
		gate_space(&gate);
		(void)gate_take(&gate, ':');
		gate_space(&gate);
		value.at = gate.at;
		(void)gate_value(&gate, 1);
		value.end = gate.at;
		gate_space(&gate);
		(void)gate_take(&gate, ',');
	}
	return value;
}

/* Without the white space between its parts. Has room for all of value and a NUL. */
static void squeeze(struct gate value, char *to)
{
	while (value.at < value.end) {
		const unsigned char *part = value.at;

		if (*part == '"')
			(void)gate_string(&value);
		else
			value.at++;
		if (memchr(" \t\r\n", *part, 4))
			continue;
		memcpy(to, part, (size_t)(value.at - part));
		to += value.at - part;
	}
	*to = '\0';
}

char *json_copy_text(const char *text, size_t size)
{
	const struct gate value = {
		.at = (const unsigned char *)text,
		.end = (const unsigned char *)text + size,
	};
	char *copy = malloc(size + 1);

	if (copy)
		squeeze(value, copy);
	return copy;
}

char *json_copy_member(const char *text, size_t size, const cJSON *object, const char *member)
{
	int index = find_index(object, member);
	struct gate value;

	if (index < 0)
		return strdup("{}");
	value = find_value(text, size, index);
	return json_copy_text((const char *)value.at, (size_t)(value.end - value.at));
}

/* cJSON prints 15 digits and finds that close enough: what has more goes as text. */
cJSON *json_new_integer(int64_t integer)
{
	char text[3 * sizeof(integer)];

	if (integer > -FIFTEEN_DIGITS && integer < FIFTEEN_DIGITS)
		return cJSON_CreateNumber((double)integer);
	(void)snprintf(text, sizeof(text), "%" PRId64, integer);
	return cJSON_CreateRaw(text);
}
