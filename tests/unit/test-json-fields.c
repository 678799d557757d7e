/*
 * Tables of fields.
 */

#include "tests/unit/parsed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json-fields.h"

struct sample {
	char *name;
	int64_t count;
	bool flag;
	char **words;
	cJSON *object;
};

static const struct json_field fields[] = {
	{"name", JSON_STRING, offsetof(struct sample, name), true, 0, 0, NULL},
	{"count", JSON_INTEGER, offsetof(struct sample, count), false, -5, 9007199254740992, NULL},
	{"flag", JSON_BOOLEAN, offsetof(struct sample, flag), false, 0, 0, NULL},
	{"words", JSON_STRINGS, offsetof(struct sample, words), false, 0, 0, NULL},
	{"object", JSON_OBJECT, offsetof(struct sample, object), false, 0, 0, NULL},
	{0},
};

static void decodes_every_type(void **state)
{
	cJSON *object = parsed("{\"name\":\"n\",\"count\":9007199254740992,\"flag\":true,"
			       "\"words\":[\"a\",\"\"],\"object\":{\"x\":[1]}}");
	struct sample sample = {0};
	const char *field;
	enum json_problem problem;

	(void)state;
	assert_int_equal(json_decode(object, fields, &sample, &field, &problem), 0);
	cJSON_Delete(object);
	assert_string_equal(sample.name, "n");
	assert_int_equal(sample.count, 9007199254740992);
	assert_true(sample.flag);
	assert_string_equal(sample.words[0], "a");
	assert_string_equal(sample.words[1], "");
	assert_null(sample.words[2]);
	assert_true(cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(sample.object, "x")));
	json_release(fields, &sample);
	assert_null(sample.name);
	assert_null(sample.words);
	assert_null(sample.object);
}

static void leaves_defaults_and_replaces_them(void **state)
{
	struct sample sample = {.name = strdup("default"), .count = 7, .flag = true};
	cJSON *object = parsed("{\"name\":\"n\",\"count\":null,\"words\":[]}");
	const char *field;
	enum json_problem problem;

	(void)state;
	assert_int_equal(json_decode(object, fields, &sample, &field, &problem), 0);
	assert_string_equal(sample.name, "n");
	assert_int_equal(sample.count, 7);
	assert_true(sample.flag);
	assert_non_null(sample.words);
	assert_null(sample.words[0]);
	assert_int_equal(json_decode(object, fields, &sample, &field, &problem), 0);
	cJSON_Delete(object);
	json_release(fields, &sample);
}

static void says_which_field_is_wrong_and_why(void **state)
{
	const struct {
		const char *text, *field;
		enum json_problem problem;
	} rows[] = {
		{"{}", "name", JSON_MISSING},
		{"{\"name\":null}", "name", JSON_MISSING},
		{"{\"Name\":\"n\"}", "Name", JSON_UNKNOWN},
		{"{\"name\":\"n\",\"other\":null}", "other", JSON_UNKNOWN},
		{"{\"name\":1}", "name", JSON_WRONG_TYPE},
		{"{\"name\":\"n\",\"count\":\"1\"}", "count", JSON_WRONG_TYPE},
		{"{\"name\":\"n\",\"count\":true}", "count", JSON_WRONG_TYPE},
		{"{\"name\":\"n\",\"count\":1.5}", "count", JSON_WRONG_TYPE},
		{"{\"name\":\"n\",\"count\":-6}", "count", JSON_OUT_OF_RANGE},
		{"{\"name\":\"n\",\"count\":9007199254740994}", "count", JSON_OUT_OF_RANGE},
		{"{\"name\":\"n\",\"count\":1e300}", "count", JSON_OUT_OF_RANGE},
		{"{\"name\":\"n\",\"count\":-1e300}", "count", JSON_OUT_OF_RANGE},
		{"{\"name\":\"n\",\"flag\":0}", "flag", JSON_WRONG_TYPE},
		{"{\"name\":\"n\",\"words\":\"a\"}", "words", JSON_WRONG_TYPE},
		{"{\"name\":\"n\",\"words\":[\"a\",\"b\",1]}", "words", JSON_WRONG_TYPE},
		{"{\"name\":\"n\",\"words\":[null]}", "words", JSON_WRONG_TYPE},
		{"{\"name\":\"n\",\"object\":[]}", "object", JSON_WRONG_TYPE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cJSON *object = parsed(rows[i].text);
		struct sample sample = {0};
		const char *field = NULL;
		enum json_problem problem = 0;

		assert_int_equal(json_decode(object, fields, &sample, &field, &problem), -EINVAL);
		assert_string_equal(field, rows[i].field);
		assert_int_equal(problem, rows[i].problem);
		json_release(fields, &sample);
		cJSON_Delete(object);
	}
}

static void encodes_what_it_decodes(void **state)
{
	const char text[] = "{\"name\":\"\xc3\xa9\\n\",\"count\":-3,\"flag\":true,"
			    "\"words\":[\"a\",\"b\"],\"object\":{\"x\":1}}";
	cJSON *object = parsed(text), *encoded;
	struct sample sample = {0};
	const char *field;
	enum json_problem problem;
	char *printed;

	(void)state;
	assert_int_equal(json_decode(object, fields, &sample, &field, &problem), 0);
	encoded = json_encode(fields, &sample);
	assert_non_null(encoded);
	printed = cJSON_PrintUnformatted(encoded);
	assert_string_equal(printed, text);
	cJSON_free(printed);
	cJSON_Delete(encoded);
	cJSON_Delete(object);
	json_release(fields, &sample);
}

static void leaves_out_what_is_not_there(void **state)
{
	const struct sample sample = {.count = 9007199254740991};
	cJSON *encoded = json_encode(fields, &sample);
	char *printed = cJSON_PrintUnformatted(encoded);

	(void)state;
	assert_string_equal(printed, "{\"count\":9007199254740991,\"flag\":false}");
	cJSON_free(printed);
	cJSON_Delete(encoded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(decodes_every_type),
		leaks_test(leaves_defaults_and_replaces_them),
		leaks_test(says_which_field_is_wrong_and_why),
		leaks_test(encodes_what_it_decodes),
		leaks_test(leaves_out_what_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
