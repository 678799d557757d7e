#include <string.h>

#include "daemon/supervisor/describe.h"
#include "daemon/supervisor/plan-difference.h"
#include "proto/descriptor.h"
#include "proto/json-fields.h"

/* Nothing, and an array of nothing, are the same. */
static bool is_nothing(const cJSON *value)
{
	return !value || (cJSON_IsArray(value) && cJSON_GetArraySize(value) == 0);
}

static void add_text(cJSON *object, const char *name, const cJSON *value)
{
	_cleanup_free_ char *text = is_nothing(value) ? NULL : cJSON_PrintUnformatted(value);

	if (text)
		(void)cJSON_AddStringToObject(object, name, text);
}

static void add_field(cJSON **fields, const char *name, const cJSON *from, const cJSON *to)
{
	cJSON *field = cJSON_CreateObject();

	if (!*fields)
		*fields = cJSON_CreateArray();
	(void)cJSON_AddStringToObject(field, "field", name);
	add_text(field, "from", from);
	add_text(field, "to", to);
	(void)cJSON_AddItemToArray(*fields, field);
}

bool plan_difference_has(const cJSON *fields, const char *name)
{
	const cJSON *field;

	cJSON_ArrayForEach(field, fields)
		if (strcmp(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(field, "field")),
			    name) == 0)
			return true;
	return false;
}

cJSON *plan_difference_compare(const struct json_field *table, cJSON *from, cJSON *to)
{
	cJSON *fields = NULL;

	for (; table->name; table++) {
		const cJSON *was = cJSON_GetObjectItemCaseSensitive(from, table->name);
		const cJSON *shall = cJSON_GetObjectItemCaseSensitive(to, table->name);

		if (!(is_nothing(was) && is_nothing(shall)) && !cJSON_Compare(was, shall, true))
			add_field(&fields, table->name, was, shall);
	}
	cJSON_Delete(from);
	cJSON_Delete(to);
	return fields;
}

void plan_difference_add_values(cJSON **fields, const char *name, cJSON *from, cJSON *to)
{
	if (!cJSON_Compare(from, to, true))
		add_field(fields, name, from, to);
	cJSON_Delete(from);
	cJSON_Delete(to);
}

void plan_difference_add_origin(cJSON **fields, bool is_configured, bool shall_be)
{
	plan_difference_add_values(fields, "origin",
		cJSON_CreateString(describe_origin(is_configured)),
		cJSON_CreateString(describe_origin(shall_be)));
}

static bool is_same_member(const cJSON *field, const cJSON *other, const char *name)
{
	const cJSON *member = cJSON_GetObjectItemCaseSensitive(field, name);
	const cJSON *of_other = cJSON_GetObjectItemCaseSensitive(other, name);

	return member ? cJSON_Compare(member, of_other, true) : !of_other;
}

bool plan_difference_is_same_before(const cJSON *fields, const cJSON *others)
{
	const cJSON *field = fields ? fields->child : NULL, *other = others ? others->child : NULL;

	for (; field && other; field = field->next, other = other->next)
		if (!is_same_member(field, other, "field") || !is_same_member(field, other, "from"))
			return false;
	return !field && !other;
}
