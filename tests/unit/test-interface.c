/*
 * The table of methods and the .varlink file say the same: every method is in both, with the same
 * parameters, types and optionality.
 */

#include "tests/unit/leaks.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "daemon/supervisor/interface.h"
#include "proto/varlink-text.h"

#define PREFIX "io.inkod.Supervisor."

/* The text between the parentheses after `method NAME`, or NULL. */
static const char *find_parameters(const char *name, size_t *ret_length)
{
	char head[128];
	const char *found;

	(void)snprintf(head, sizeof(head), "\nmethod %s(", name);
	found = strstr(varlink_text, head);
	if (!found)
		return NULL;
	found += strlen(head);
	*ret_length = strcspn(found, ")");
	return found;
}

static const char *varlink_type(const struct json_field *field)
{
	static const char *const types[] = {
		[JSON_STRING] = "string",
		[JSON_INTEGER] = "int",
		[JSON_BOOLEAN] = "bool",
		[JSON_STRINGS] = "[]string",
		[JSON_OBJECT] = "object",
	};

	return types[field->type];
}

/* A parameter list as the table has it, without white space. */
static void print_table(const struct json_field *fields, char *text, size_t size)
{
	size_t n = 0;

	text[0] = 0;
	for (const struct json_field *field = fields; field->name; field++)
		n += (size_t)snprintf(text + n, size - n, "%s%s:%s%s", n ? "," : "", field->name,
			field->required ? "" : "?", varlink_type(field));
}

static void squeeze(const char *from, size_t length, char *text)
{
	for (size_t i = 0; i < length; i++)
		if (!isspace((unsigned char)from[i]))
			*text++ = from[i];
	*text = 0;
}

static void check_row(const struct interface_method *method)
{
	char table[1024], text[1024];
	const char *parameters;
	size_t length = 0;

	assert_non_null(method->handle);
	assert_true(method->parameters[0].name ? method->size > 0 : method->size == 0);
	if (strncmp(method->name, PREFIX, strlen(PREFIX)) != 0)
		return;
	parameters = find_parameters(method->name + strlen(PREFIX), &length);
	if (!parameters)
		fail_msg("%s is not in the .varlink file", method->name);
	assert_true(length < sizeof(text));
	print_table(method->parameters, table, sizeof(table));
	squeeze(parameters, length, text);
	assert_string_equal(table, text);
}

static void every_row_is_in_the_text(void **state)
{
	(void)state;
	for (size_t i = 0; interface_tables[i]; i++)
		for (const struct interface_method *m = interface_tables[i]; m->name; m++)
			check_row(m);
}

static void every_method_of_the_text_has_a_row(void **state)
{
	static const char head[] = "\nmethod ";
	char name[128];
	int n = 0;

	(void)state;
	for (const char *at = strstr(varlink_text, head); at; at = strstr(at, head)) {
		at += strlen(head);
		(void)snprintf(name, sizeof(name), PREFIX "%.*s", (int)strcspn(at, "("), at);
		if (!interface_find_method(name))
			fail_msg("%s has no row", name);
		n++;
	}
	assert_true(n > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(every_row_is_in_the_text),
		leaks_test(every_method_of_the_text_has_a_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
