#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/field-fault.h"
#include "daemon/supervisor/nearest.h"
#include "proto/descriptor.h"
#include "proto/json.h"

#define HINT_BYTES 96

static void describe_unknown(
	const struct json_field *fields, const char *name, char reason[static 512])
{
	struct nearest nearest;
	char hint[HINT_BYTES];

	nearest_init(&nearest, name);
	for (; fields->name; fields++)
		nearest_try(&nearest, fields->name);
	nearest_format(&nearest, hint, sizeof(hint));
	(void)snprintf(reason, 512, "there is no such field%s", hint);
}

static const char *name_type(const struct json_field *field)
{
	switch (field->type) {
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "a whole number";
	case JSON_BOOLEAN:
		return "true or false";
	case JSON_STRINGS:
		return "an array of strings";
	case JSON_OBJECT:
		return "an object";
	}
	abort();
}

static bool is_time(const struct json_field *field)
{
	size_t length = strlen(field->name);

	return length > 4 && strcmp(field->name + length - 4, "USec") == 0;
}

static void describe_allowed(const struct json_field *field, char *text, size_t size)
{
	if (field->type == JSON_INTEGER)
		(void)snprintf(text, size, "%s from %" PRIi64 " to %" PRIi64 "%s", name_type(field),
			field->min, field->max, is_time(field) ? ", in microseconds" : "");
	else
		(void)snprintf(text, size, "%s", name_type(field));
}

void field_fault_describe(const struct json_field *fields, const cJSON *object, const char *name,
	enum json_problem problem, char reason[static 512])
{
	_cleanup_free_ char *value = NULL;
	char allowed[128];

	if (problem == JSON_UNKNOWN) {
		describe_unknown(fields, name, reason);
		return;
	}
	while (strcmp(fields->name, name) != 0)
		fields++;
	describe_allowed(fields, allowed, sizeof(allowed));
	if (problem == JSON_MISSING) {
		(void)snprintf(reason, 512, "it is missing, and must be %s", allowed);
		return;
	}
	value = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(object, name));
	(void)snprintf(
		reason, 512, "it is %.100s, and may be %s", value ? value : "wrong", allowed);
	/* What was cut may have been cut within a character. */
	json_clean(reason);
}
