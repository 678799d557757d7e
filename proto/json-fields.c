/*
 * Tables of fields: how each type of member gets out of JSON, into it, and is freed.
 */

#include "proto/json-fields.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"

/* Whole numbers are exact in a double up to here. */
#define EXACT_MAX 9007199254740992.0

size_t json_strings_count(char *const *strings)
{
	size_t n = 0;

	while (strings && strings[n])
		n++;
	return n;
}

char **json_strings_free(char **strings)
{
	for (char **string = strings; string && *string; string++)
		free(*string);
	free(strings);
	return NULL;
}

/* Where decode_* found no fault, or memory was short, *ret_problem stays as it was. */

static int decode_string(const cJSON *value, void *member, enum json_problem *ret_problem)
{
	char *copy;

	if (!cJSON_IsString(value)) {
		*ret_problem = JSON_WRONG_TYPE;
		return -EINVAL;
	}
	copy = strdup(value->valuestring);
	if (!copy)
		return -ENOMEM;
	free(*(char **)member);
	*(char **)member = copy;
	return 0;
}

static int decode_integer(const struct json_field *field, const cJSON *value, int64_t *member,
	enum json_problem *ret_problem)
{
	double number = cJSON_GetNumberValue(value);

	if (!cJSON_IsNumber(value)) {
		*ret_problem = JSON_WRONG_TYPE;
		return -EINVAL;
	}
	/* Beyond that every double is whole, and the conversion is not defined for all. */
	if (fabs(number) > EXACT_MAX) {
		*ret_problem = JSON_OUT_OF_RANGE;
		return -EINVAL;
	}
	if (number != (double)(int64_t)number) {
		*ret_problem = JSON_WRONG_TYPE;
		return -EINVAL;
	}
	if ((int64_t)number < field->min || (int64_t)number > field->max) {
		*ret_problem = JSON_OUT_OF_RANGE;
		return -EINVAL;
	}
	*member = (int64_t)number;
	return 0;
}

static int decode_boolean(const cJSON *value, bool *member, enum json_problem *ret_problem)
{
	if (!cJSON_IsBool(value)) {
		*ret_problem = JSON_WRONG_TYPE;
		return -EINVAL;
	}
	*member = cJSON_IsTrue(value);
	return 0;
}

static int decode_strings(const cJSON *value, char ***member, enum json_problem *ret_problem)
{
	char **strings;
	size_t n = 0;
	const cJSON *element;
	int r = 0;

	if (!cJSON_IsArray(value)) {
		*ret_problem = JSON_WRONG_TYPE;
		return -EINVAL;
	}
	strings = calloc((size_t)cJSON_GetArraySize(value) + 1, sizeof(*strings));
	if (!strings)
		return -ENOMEM;
	cJSON_ArrayForEach(element, value) {
		r = decode_string(element, &strings[n++], ret_problem);
		if (r < 0)
			break;
	}
	if (r < 0) {
		json_strings_free(strings);
		return r;
	}
	json_strings_free(*member);
	*member = strings;
	return 0;
}

static int decode_object(const cJSON *value, cJSON **member, enum json_problem *ret_problem)
{
	cJSON *copy;

	if (!cJSON_IsObject(value)) {
		*ret_problem = JSON_WRONG_TYPE;
		return -EINVAL;
	}
	copy = cJSON_Duplicate(value, true);
	if (!copy)
		return -ENOMEM;
	cJSON_Delete(*member);
	*member = copy;
	return 0;
}

static int decode_field(const struct json_field *field, const cJSON *value, void *to,
	enum json_problem *ret_problem)
{
	void *member = (char *)to + field->offset;

	switch (field->type) {
	case JSON_STRING:
		return decode_string(value, member, ret_problem);
	case JSON_INTEGER:
		return decode_integer(field, value, member, ret_problem);
	case JSON_BOOLEAN:
		return decode_boolean(value, member, ret_problem);
	case JSON_STRINGS:
		return decode_strings(value, member, ret_problem);
	case JSON_OBJECT:
		return decode_object(value, member, ret_problem);
	}
	abort();
}

/* Members mostly come in the order of the fields, as they are encoded: looks behind the last one
 * that was found first. */
static const struct json_field *find_field(
	const struct json_field *fields, const struct json_field *last, const char *name)
{
	if (last && last[1].name && strcmp(last[1].name, name) == 0)
		return last + 1;
	for (; fields->name; fields++) {
		if (strcmp(fields->name, name) == 0)
			return fields;
	}
	return NULL;
}

/* The same the other way round. */
static const cJSON *find_member(const cJSON *object, const cJSON *last, const char *name)
{
	const cJSON *next = last ? last->next : object->child;

	if (next && strcmp(next->string, name) == 0)
		return next;
	return cJSON_GetObjectItemCaseSensitive(object, name);
}

static int fail(const char *field, enum json_problem problem, const char **ret_field,
	enum json_problem *ret_problem)
{
	*ret_field = field;
	*ret_problem = problem;
	return -EINVAL;
}

int json_decode(const cJSON *object, const struct json_field *fields, void *ret_struct,
	const char **ret_field, enum json_problem *ret_problem)
{
	const struct json_field *field = NULL;
	const cJSON *value, *last = NULL;

	cJSON_ArrayForEach(value, object) {
		field = find_field(fields, field, value->string);
		if (!field)
			return fail(value->string, JSON_UNKNOWN, ret_field, ret_problem);
	}
	for (; fields->name; fields++) {
		enum json_problem problem;
		int r;

		value = find_member(object, last, fields->name);
		last = value ? value : last;
		if (!value || cJSON_IsNull(value)) {
			if (fields->required)
				return fail(fields->name, JSON_MISSING, ret_field, ret_problem);
			continue;
		}
		r = decode_field(fields, value, ret_struct, &problem);
		if (r == -EINVAL)
			return fail(fields->name, problem, ret_field, ret_problem);
		if (r < 0)
			return r;
	}
	return 0;
}

static cJSON *encode_strings(char **strings)
{
	cJSON *array = cJSON_CreateArray();

	for (; array && *strings; strings++) {
		if (!cJSON_AddItemToArray(array, cJSON_CreateString(*strings))) {
			cJSON_Delete(array);
			return NULL;
		}
	}
	return array;
}

static bool is_left_out(const struct json_field *field, const void *member)
{
	return field->type != JSON_INTEGER && field->type != JSON_BOOLEAN &&
	       !*(void *const *)member;
}

static cJSON *encode_field(const struct json_field *field, const void *member)
{
	switch (field->type) {
	case JSON_STRING:
		return cJSON_CreateString(*(char *const *)member);
	case JSON_INTEGER:
		return json_new_integer(*(const int64_t *)member);
	case JSON_BOOLEAN:
		return cJSON_CreateBool(*(const bool *)member);
	case JSON_STRINGS:
		return encode_strings(*(char **const *)member);
	case JSON_OBJECT:
		return cJSON_Duplicate(*(cJSON *const *)member, true);
	}
	abort();
}

cJSON *json_encode(const struct json_field *fields, const void *from)
{
	cJSON *object = cJSON_CreateObject();

	for (; object && fields->name; fields++) {
		const void *member = (const char *)from + fields->offset;
		cJSON *value;

		if (is_left_out(fields, member))
			continue;
		value = encode_field(fields, member);
		if (!cJSON_AddItemToObject(object, fields->name, value)) {
			cJSON_Delete(value);
			cJSON_Delete(object);
			return NULL;
		}
	}
	return object;
}

void json_release(const struct json_field *fields, void *from)
{
	for (; fields->name; fields++) {
		void *member = (char *)from + fields->offset;

		if (fields->type == JSON_INTEGER || fields->type == JSON_BOOLEAN)
			continue;
		if (fields->type == JSON_STRINGS)
			json_strings_free(*(char ***)member);
		else if (fields->type == JSON_OBJECT)
			cJSON_Delete(*(cJSON **)member);
		else
			free(*(char **)member);
		*(void **)member = NULL;
	}
}
