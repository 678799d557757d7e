/*
 * The grammar of names.
 */

#include "tests/unit/leaks.h"

#include <string.h>

#include "proto/limits.h"
#include "proto/name.h"

static void takes_names(void **state)
{
	const char *names[] = {
		"a", "web", "Web-2", "_x", "0", "a.b", "a..b", "web_1.service", "a-"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_null(name_complaint(names[i]));
		assert_true(name_is_valid(names[i]));
	}
}

static void refuses_what_is_no_name(void **state)
{
	const char *names[] = {"", ".", "..", ".hidden", "-x", "--help", "a/b", "a:b", "a b", "a\n",
		"\x7f", "caf\xc3\xa9", "web/0", "*", "a%b", "a\\b", "a\"b"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_non_null(name_complaint(names[i]));
		assert_false(name_is_valid(names[i]));
	}
}

static void bounds_the_length(void **state)
{
	char name[LIMIT_NAME_CHARS + 2] = {0};

	(void)state;
	memset(name, 'n', LIMIT_NAME_CHARS);
	assert_true(name_is_valid(name));
	name[LIMIT_NAME_CHARS] = 'n';
	assert_string_equal(name_complaint(name), "is too long; use at most 63 characters");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(takes_names),
		leaks_test(refuses_what_is_no_name),
		leaks_test(bounds_the_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
