/*
 * The gate in front of cJSON, and text as it stands.
 */

#include "tests/unit/parsed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/limits.h"

#define TEXT(literal)                                                                              \
	{                                                                                          \
		literal, sizeof(literal) - 1                                                       \
	}

struct text {
	const char *bytes;
	size_t size;
};

static void takes_json(void **state)
{
	const char *texts[] = {
		"{}",
		" \t\r\n{ } \n",
		"{\"a\":1}",
		"{\"a\" : [ 1 , 2.5 , -0 , 1e5 , 1E+5 , 0.1e-5 , true , false , null , {} , [] ] }",
		"{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\ude00\"}",
		"{\"a\":{\"a\":{\"a\":1}},\"b\":1}",
		"{\"a\":1,\"A\":2}",
		"{\"\":0}",
		"{\"a\":\"\xc3\xa9 \xe2\x82\xac \xed\x9f\xbf \xee\x80\x80 \xf0\x90\x80\x80 \xf4\x8f\xbf\xbf\x7f\"}",
		"{\"a\":\"u0000 \\\\u0000\"}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		cJSON *object = NULL;

		if (json_parse(texts[i], strlen(texts[i]), &object) != 0)
			fail_msg("refused %s", texts[i]);
		cJSON_Delete(object);
	}
}

static void refuses_what_is_no_json(void **state)
{
	const struct text texts[] = {
		TEXT(""),
		TEXT(" "),
		TEXT("{"),
		TEXT("}"),
		TEXT("{}}"),
		TEXT("{} x"),
		TEXT("{}{}"),
		TEXT("{}\0"),
		TEXT("{\"a\":1}\0{}"),
		TEXT("\xef\xbb\xbf{}"),
		TEXT("[]"),
		TEXT("1"),
		TEXT("null"),
		TEXT("\"a\""),
		TEXT("{a:1}"),
		TEXT("{'a':1}"),
		TEXT("{\"a\"}"),
		TEXT("{\"a\":}"),
		TEXT("{\"a\":1,}"),
		TEXT("{,\"a\":1}"),
		TEXT("{\"a\":1 \"b\":2}"),
		TEXT("{\"a\":[1,]}"),
		TEXT("{\"a\":[,1]}"),
		TEXT("{\"a\":[1 2]}"),
		TEXT("{\"a\":[1}"),
		TEXT("{\"a\":[1}]"),
		TEXT("{1:1}"),
		TEXT("{\"a\":tru}"),
		TEXT("{\"a\":True}"),
		TEXT("{\"a\":nul"),
		TEXT("{\"a\":NaN}"),
		TEXT("{\"a\":Infinity}"),
		TEXT("{\"a\":1e999}"),
		TEXT("{\"a\":-1e999}"),
		TEXT("{\"a\":+1}"),
		TEXT("{\"a\":-}"),
		TEXT("{\"a\":01}"),
		TEXT("{\"a\":-01}"),
		TEXT("{\"a\":.5}"),
		TEXT("{\"a\":1.}"),
		TEXT("{\"a\":1e}"),
		TEXT("{\"a\":1e+}"),
		TEXT("{\"a\":1e+-1}"),
		TEXT("{\"a\":0x10}"),
		TEXT("{\"a\":1"),
		TEXT("{\"a\":\"}"),
		TEXT("{\"a\":\"\\"),
		TEXT("{\"a\":\"\\x41\"}"),
		TEXT("{\"a\":\"\\\"}"),
		TEXT("{\"a\":\"\\\0\"}"),
		TEXT("{\"a\":\"\\u0000\"}"),
		TEXT("{\"a\\u0000b\":1}"),
		TEXT("{\"a\":\"\\u000g\"}"),
		TEXT("{\"a\":\"\\u 041\"}"),
		TEXT("{\"a\":\"\\u41\"}"),
		TEXT("{\"a\":\"\\u004"),
		TEXT("{\"a\":\"\\ud800\"}"),
		TEXT("{\"a\":\"\\udc00\"}"),
		TEXT("{\"a\":\"\\ud800\\u0041\"}"),
		TEXT("{\"a\":\"\\ud800\\n\"}"),
		TEXT("{\"a\":\"\\ud800\\ud800\"}"),
		TEXT("{\"a\":\"x\0y\"}"),
		TEXT("{\"a\":\"x\ny\"}"),
		TEXT("{\"a\":\"x\x1fy\"}"),
		TEXT("{\"a\":\x01 1}"),
		TEXT("{\"a\":\x0b 1}"),
		TEXT("{\"a\":1}\x0c"),
		TEXT("{\"a\":\"\x80\"}"),
		TEXT("{\"a\":\"\xc3\"}"),
		TEXT("{\"a\":\"\xc0\xaf\"}"),
		TEXT("{\"a\":\"\xc1\xbf\"}"),
		TEXT("{\"a\":\"\xe0\x80\xaf\"}"),
		TEXT("{\"a\":\"\xe2\x82\"}"),
		TEXT("{\"a\":\"\xed\xa0\x80\"}"),
		TEXT("{\"a\":\"\xf0\x80\x80\xaf\"}"),
		TEXT("{\"a\":\"\xf4\x90\x80\x80\"}"),
		TEXT("{\"a\":\"\xf5\x80\x80\x80\"}"),
		TEXT("{\"a\":\"\xff\"}"),
		TEXT("{\"a\":\"\xe2\x82"),
		TEXT("{\"\xff\":1}"),
		TEXT("{\"a\":1,\"a\":2}"),
		TEXT("{\"a\":1,\"b\":2,\"\\u0061\":3}"),
		TEXT("{\"x\":{\"a\":1,\"a\":1}}"),
		TEXT("{\"x\":[{\"a\":{\"b\":1,\"c\":2,\"b\":3}}]}"),
		TEXT("{/* no */}"),
		TEXT("{\"a\":1} // no"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		cJSON *object = NULL;

		if (json_parse(texts[i].bytes, texts[i].size, &object) != -EBADMSG)
			fail_msg("took %s", texts[i].bytes);
		assert_null(object);
	}
}

/* Every beginning of a text must be refused without a look behind its end: the copy is exactly as
 * long, which a sanitizer watches. */
static void stops_at_the_end(void **state)
{
	const char text[] =
		"{\"a\":[1.5e3,true,\"\\u00e9\\ud83d\\ude00\xf0\x90\x80\x80\"],\"b\":{\"c\":null}}";

	(void)state;
	for (size_t size = 0; size < strlen(text); size++) {
		char *copy = malloc(size ? size : 1);
		cJSON *object = NULL;

		assert_non_null(copy);
		memcpy(copy, text, size);
		assert_int_equal(json_parse(copy, size, &object), -EBADMSG);
		free(copy);
	}
}

static int parse_nested(int depth, const char *open, const char *close)
{
	char text[1024] = "{\"a\":";
	cJSON *object = NULL;
	int r;

	for (int i = 1; i < depth; i++)
		strcat(text, open);
	strcat(text, "1");
	for (int i = 1; i < depth; i++)
		strcat(text, close);
	strcat(text, "}");
	r = json_parse(text, strlen(text), &object);
	cJSON_Delete(object);
	return r;
}

static void bounds_the_depth(void **state)
{
	(void)state;
	assert_int_equal(parse_nested(LIMIT_JSON_DEPTH, "[", "]"), 0);
	assert_int_equal(parse_nested(LIMIT_JSON_DEPTH + 1, "[", "]"), -EBADMSG);
	assert_int_equal(parse_nested(LIMIT_JSON_DEPTH, "{\"a\":", "}"), 0);
	assert_int_equal(parse_nested(LIMIT_JSON_DEPTH + 1, "{\"a\":", "}"), -EBADMSG);
}

/* A frame full of brackets must not use the stack up. */
static void survives_a_frame_of_brackets(void **state)
{
	char *text = malloc(LIMIT_FRAME_BYTES);
	cJSON *object = NULL;

	(void)state;
	assert_non_null(text);
	memset(text, '[', LIMIT_FRAME_BYTES);
	memcpy(text, "{\"a\":", 5);
	assert_int_equal(json_parse(text, LIMIT_FRAME_BYTES, &object), -EBADMSG);
	free(text);
}

/* In less time than comparing every key with every other would take. */
static void takes_a_frame_of_keys(void **state)
{
	char *text = malloc(LIMIT_FRAME_BYTES);
	size_t size = 1;
	cJSON *object = NULL;

	(void)state;
	assert_non_null(text);
	text[0] = '{';
	for (int i = 0; size < LIMIT_FRAME_BYTES - 32; i++)
		size += (size_t)sprintf(text + size, "%s\"%x\":0", i ? "," : "", (unsigned int)i);
	text[size++] = '}';
	assert_int_equal(json_parse(text, size, &object), 0);
	cJSON_Delete(object);
	free(text);
}

/* What cJSON would cut short. */
static void bounds_the_length_of_numbers(void **state)
{
	char text[128];
	cJSON *object = NULL;

	(void)state;
	(void)snprintf(text, sizeof(text), "{\"a\":0.%060d1}", 0);
	assert_int_equal(json_parse(text, strlen(text), &object), 0);
	cJSON_Delete(object);
	(void)snprintf(text, sizeof(text), "{\"a\":0.%061d1}", 0);
	assert_int_equal(json_parse(text, strlen(text), &object), -EBADMSG);
}

static void copies_text_as_it_stands(void **state)
{
	static const struct {
		const char *text, *member, *copy;
	} rows[] = {
		{"{\"m\":{\"n\":1790000000000000}}", "m", "{\"n\":1790000000000000}"},
		{"{\"m\":[9007199254740991,-1234567890123456789,0.10,1E5]}", "m",
			"[9007199254740991,-1234567890123456789,0.10,1E5]"},
		{" { \"a\" : { \"m\" : 1 } ,\r\n\t\"m\" : { \"b\" : [ 1 , {} ] } } ", "m",
			"{\"b\":[1,{}]}"},
		{"{\"m\":\" \\\" ,\\n \\u00e9 \",\"a\":2}", "m", "\" \\\" ,\\n \\u00e9 \""},
		{"{\"M\":1,\"\\u006d\":2}", "m", "2"},
		{"{\"a\":true,\"m\":false}", "m", "false"},
		{"{\"a\":1}", "m", "{}"},
		{"{\"m\":null}", "m", "{}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cJSON *object = parsed(rows[i].text);
		/* Without what follows it, so that a read too far is seen. */
		size_t size = strlen(rows[i].text);
		char *text = memcpy(malloc(size), rows[i].text, size);
		char *copy = json_copy_member(text, size, object, rows[i].member);

		assert_string_equal(copy, rows[i].copy);
		free(copy);
		free(text);
		cJSON_Delete(object);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(takes_json),
		leaks_test(refuses_what_is_no_json),
		leaks_test(stops_at_the_end),
		leaks_test(bounds_the_depth),
		leaks_test(survives_a_frame_of_brackets),
		leaks_test(takes_a_frame_of_keys),
		leaks_test(bounds_the_length_of_numbers),
		leaks_test(copies_text_as_it_stands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
