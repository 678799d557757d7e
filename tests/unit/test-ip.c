/*
 * Addresses: strict parsing, canonical text, and back.
 */

#include "tests/unit/leaks.h"

#include <errno.h>

#include <inko/ip.h>

static void test_makes_v4(void **state)
{
	struct inko_ip ip = inko_ip_v4(192, 0, 2, 1), same;
	char text[INKO_IP_TEXT_BYTES];

	(void)state;
	inko_ip_format(&ip, text);
	assert_string_equal(text, "192.0.2.1");
	assert_int_equal(inko_ip_parse("192.0.2.1", &same), 0);
	assert_int_equal(same.version, 4);
	assert_true(inko_ip_equal(&ip, &same));
}

static void test_makes_v6(void **state)
{
	struct inko_ip ip = inko_ip_v6((uint16_t[]){0x2001, 0xdb8, 0, 0, 0, 0, 0, 0xff}), same;
	char text[INKO_IP_TEXT_BYTES];

	(void)state;
	inko_ip_format(&ip, text);
	assert_string_equal(text, "2001:db8::ff");
	assert_int_equal(inko_ip_parse(text, &same), 0);
	assert_true(inko_ip_equal(&ip, &same));
}

/* RFC 5952: lower case, no leading zeros, the first longest run of zero groups, not of one. */
static void test_formats_canonically(void **state)
{
	static const struct {
		const char *text, *canonical;
	} cases[] = {
		{"0.0.0.0", "0.0.0.0"},
		{"255.255.255.255", "255.255.255.255"},
		{"::", "::"},
		{"::1", "::1"},
		{"::1:2", "::1:2"},
		{"::102:304", "::102:304"},
		{"::1.2.3.4", "::102:304"},
		{"::ffff:1.2.3.4", "::ffff:1.2.3.4"},
		{"2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
		{"2001:0db8::0001", "2001:db8::1"},
		{"1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"},
		{"1:2:3:4:5:6:7:0", "1:2:3:4:5:6:7:0"},
		{"fe80:0:0:0:0:0:0:0", "fe80::"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	};
	char text[INKO_IP_TEXT_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct inko_ip ip, same;

		assert_int_equal(inko_ip_parse(cases[i].text, &ip), 0);
		inko_ip_format(&ip, text);
		assert_string_equal(text, cases[i].canonical);
		assert_int_equal(inko_ip_parse(text, &same), 0);
		assert_true(inko_ip_equal(&ip, &same));
	}
}

static void test_refuses_what_is_no_address(void **state)
{
	static const char *const texts[] = {"", " ", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256",
		"01.2.3.4", "1.2.3.04", "1.2.3.4 ", " 1.2.3.4", "1.2.3.-4", "0x1.2.3.4",
		"1.2.3.4:80", ":", ":::", "::1::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
		"12345::", "::g", "[::1]", "::1%lo", "::1 ", "::1.2.3", "::01.2.3.4", "localhost"};
	struct inko_ip untouched = inko_ip_v4(9, 9, 9, 9), ip = untouched;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(inko_ip_parse(texts[i], &ip), -EINVAL);
		assert_true(inko_ip_equal(&ip, &untouched));
	}
}

static void test_compares(void **state)
{
	struct inko_ip v4 = inko_ip_v4(127, 0, 0, 1), other = inko_ip_v4(127, 0, 0, 2);
	struct inko_ip v6 = {.version = 6}, dirty = v4;

	(void)state;
	v6.bytes[0] = 127;
	v6.bytes[3] = 1;
	dirty.bytes[10] = 7; /* is no part of an IPv4 address */
	assert_true(inko_ip_equal(&v4, &v4));
	assert_true(inko_ip_equal(&v4, &dirty));
	assert_false(inko_ip_equal(&v4, &other));
	assert_false(inko_ip_equal(&v4, &v6));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(test_makes_v4),
		leaks_test(test_makes_v6),
		leaks_test(test_formats_canonically),
		leaks_test(test_refuses_what_is_no_address),
		leaks_test(test_compares),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
