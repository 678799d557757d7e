/*
 * Addresses of Unix sockets, to and from text.
 */

#include "tests/unit/leaks.h"

#include <errno.h>
#include <string.h>

#include <inko/address.h>

#define N_ELEMENTS(array) (sizeof(array) / sizeof(array[0]))

static struct inko_unix_address parse(const char *text)
{
	struct inko_unix_address address;

	if (inko_unix_address_parse(text, &address) != 0)
		fail_msg("did not take '%s'", text);
	return address;
}

static void assert_format(const struct inko_unix_address *address, const char *expected)
{
	char text[INKO_UNIX_ADDRESS_TEXT_BYTES];

	inko_unix_address_format(address, text);
	assert_string_equal(text, expected);
}

static void test_has_three_kinds(void **state)
{
	static const struct {
		const char *text;
		enum inko_unix_kind kind;
		const char *name;
	} cases[] = {
		{"", INKO_UNIX_UNNAMED, ""},
		{"/run/web.sock", INKO_UNIX_PATH, "/run/web.sock"},
		{"web.sock", INKO_UNIX_PATH, "web.sock"},
		{"./@web", INKO_UNIX_PATH, "./@web"},
		{"a@b", INKO_UNIX_PATH, "a@b"},
		{" ", INKO_UNIX_PATH, " "},
		{"/a b/\xc3\xa9\n\\x41", INKO_UNIX_PATH, "/a b/\xc3\xa9\n\\x41"},
		{"@", INKO_UNIX_ABSTRACT, ""},
		{"@web", INKO_UNIX_ABSTRACT, "web"},
		{"@@", INKO_UNIX_ABSTRACT, "@"},
		{"@/run/web.sock", INKO_UNIX_ABSTRACT, "/run/web.sock"},
		{"@a b~", INKO_UNIX_ABSTRACT, "a b~"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct inko_unix_address address = parse(cases[i].text);

		assert_int_equal(address.kind, cases[i].kind);
		assert_int_equal(address.length, strlen(cases[i].name));
		assert_memory_equal(address.name, cases[i].name, address.length);
		assert_format(&address, cases[i].text);
	}
}

static void test_makes_paths(void **state)
{
	struct inko_unix_address address, same = parse("/run/web.sock");

	(void)state;
	assert_int_equal(inko_unix_address_path("/run/web.sock", &address), 0);
	assert_true(inko_unix_address_equal(&address, &same));
	assert_int_equal(inko_unix_address_path("", &address), -EINVAL);
	assert_true(inko_unix_address_equal(&address, &same));
}

/* The file is the same, and the text is no abstract name's. */
static void test_marks_paths_that_look_abstract(void **state)
{
	struct inko_unix_address address;

	(void)state;
	assert_int_equal(inko_unix_address_path("@web", &address), 0);
	assert_int_equal(address.kind, INKO_UNIX_PATH);
	assert_int_equal(address.length, 4);
	assert_format(&address, "./@web");
}

static void test_escapes_abstract_names(void **state)
{
	static const struct {
		const char *text;
		size_t length;
		const char *name;
		const char *canonical; /* or NULL: text is */
	} cases[] = {
		{"@\\x00", 1, "\0", NULL},
		{"@\\x00a\\x00", 3, "\0a\0", NULL},
		{"@\\x01\\x1f\\x7f\\x80\\xff", 5, "\x01\x1f\x7f\x80\xff", NULL},
		{"@\\\\", 1, "\\", NULL},
		{"@\\\\x41", 4, "\\x41", NULL},
		{"@\\x0a", 1, "\n", NULL},
		{"@\n\xc3\xa9", 3, "\n\xc3\xa9", "@\\x0a\\xc3\\xa9"},
		{"@\\xAB\\xaB", 2, "\xab\xab", "@\\xab\\xab"},
		{"@\\x41\\x5c\\x40", 3, "A\\@", "@A\\\\@"},
		{"@\\x414", 2, "A4", "@A4"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		const char *canonical = cases[i].canonical ? cases[i].canonical : cases[i].text;
		struct inko_unix_address address = parse(cases[i].text), same;

		assert_int_equal(address.kind, INKO_UNIX_ABSTRACT);
		assert_int_equal(address.length, cases[i].length);
		assert_memory_equal(address.name, cases[i].name, cases[i].length);
		assert_format(&address, canonical);
		same = parse(canonical);
		assert_true(inko_unix_address_equal(&address, &same));
	}
}

static void test_refuses_other_escapes(void **state)
{
	static const char *const texts[] = {"@\\", "@a\\", "@\\n", "@\\x", "@\\x4", "@\\x4\\x41",
		"@\\xg0", "@\\x0g", "@\\x 1", "@\\x-1", "@\\x+1", "@\\X41", "@\\041", "@\\@"};
	struct inko_unix_address untouched = parse("/untouched"), address = untouched;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		if (inko_unix_address_parse(texts[i], &address) != -EINVAL)
			fail_msg("took '%s'", texts[i]);
		assert_true(inko_unix_address_equal(&address, &untouched));
	}
}

static void test_returns_every_byte(void **state)
{
	(void)state;
	for (int first = 0; first < 256; first++) {
		char name[INKO_UNIX_NAME_BYTES - 1], text[INKO_UNIX_ADDRESS_TEXT_BYTES];
		struct inko_unix_address address, same;

		for (size_t i = 0; i < sizeof(name); i++)
			name[i] = (char)(first + (int)i);
		assert_int_equal(inko_unix_address_abstract(name, sizeof(name), &address), 0);
		assert_memory_equal(address.name, name, sizeof(name));
		inko_unix_address_format(&address, text);
		for (const char *c = text; *c; c++)
			assert_in_range(*c, ' ', '~');
		same = parse(text);
		assert_true(inko_unix_address_equal(&address, &same));
	}
}

static void test_bounds_names(void **state)
{
	struct inko_unix_address untouched = parse("/untouched"), address = untouched;
	char text[1 + INKO_UNIX_NAME_BYTES + 1] = "@";

	(void)state;
	memset(text + 1, 'p', INKO_UNIX_NAME_BYTES);
	assert_int_equal(inko_unix_address_parse(text, &address), -ENAMETOOLONG);
	assert_int_equal(inko_unix_address_path(text + 1, &address), -ENAMETOOLONG);
	assert_int_equal(inko_unix_address_parse(text + 1, &address), -ENAMETOOLONG);
	assert_int_equal(inko_unix_address_abstract(text + 1, INKO_UNIX_NAME_BYTES, &address),
		-ENAMETOOLONG);
	assert_true(inko_unix_address_equal(&address, &untouched));

	text[INKO_UNIX_NAME_BYTES] = '\0';
	assert_int_equal(inko_unix_address_parse(text, &address), 0);
	assert_int_equal(address.length, INKO_UNIX_NAME_BYTES - 1);
	assert_format(&address, text);
	assert_int_equal(inko_unix_address_path(text + 1, &address), 0);
	assert_int_equal(address.length, INKO_UNIX_NAME_BYTES - 1);
	assert_format(&address, text + 1);
	assert_int_equal(inko_unix_address_abstract(NULL, 0, &address), 0);
	assert_format(&address, "@");
}

/* unix(7): the kernel may tell a path that fills its place and has no NUL behind it. */
static void test_formats_the_longest_text(void **state)
{
	struct inko_unix_address address = {.kind = INKO_UNIX_PATH, .length = INKO_UNIX_NAME_BYTES};
	struct {
		char text[INKO_UNIX_ADDRESS_TEXT_BYTES];
		char after;
	} buffer = {.after = '!'};

	(void)state;
	memset(address.name, '@', sizeof(address.name));
	inko_unix_address_format(&address, buffer.text);
	assert_int_equal(strlen(buffer.text), 2 + INKO_UNIX_NAME_BYTES);
	address.kind = INKO_UNIX_ABSTRACT;
	memset(address.name, '\n', sizeof(address.name));
	address.length = 4711; /* more than there can be is as many as there are */
	inko_unix_address_format(&address, buffer.text);
	assert_int_equal(strlen(buffer.text), sizeof(buffer.text) - 1);
	assert_int_equal(buffer.after, '!');
}

static void test_compares(void **state)
{
	/* In no two of them is all the same. */
	static const char *const texts[] = {
		"", "@", "@a", "@ab", "@b", "@a\\x00", "a", "ab", "b", "/a"};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		for (size_t j = 0; j < N_ELEMENTS(texts); j++) {
			struct inko_unix_address a = parse(texts[i]), b = parse(texts[j]);

			assert_int_equal(inko_unix_address_equal(&a, &b), i == j);
		}
	}
}

static void test_ignores_what_is_not_the_name(void **state)
{
	struct inko_unix_address none = {0}, dirty = {.length = 3, .name = "abc"};
	struct inko_unix_address name = parse("@a"), other = name;

	(void)state;
	assert_true(inko_unix_address_equal(&none, &dirty));
	assert_format(&dirty, "");
	other.name[1] = 'b';
	assert_true(inko_unix_address_equal(&name, &other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(test_has_three_kinds),
		leaks_test(test_makes_paths),
		leaks_test(test_marks_paths_that_look_abstract),
		leaks_test(test_escapes_abstract_names),
		leaks_test(test_refuses_other_escapes),
		leaks_test(test_returns_every_byte),
		leaks_test(test_bounds_names),
		leaks_test(test_formats_the_longest_text),
		leaks_test(test_compares),
		leaks_test(test_ignores_what_is_not_the_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
