/*
 * IP addresses with a port, to and from text.
 */

#include "tests/unit/leaks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <inko/address.h>

#define N_ELEMENTS(array) (sizeof(array) / sizeof(array[0]))

static struct inko_address parse(const char *text)
{
	struct inko_address address;

	if (inko_address_parse(text, &address) != 0)
		fail_msg("did not take '%s'", text);
	return address;
}

static void test_parses_ipv4(void **state)
{
	struct inko_address address = parse("192.0.2.1:8080");
	struct inko_ip ip = inko_ip_v4(192, 0, 2, 1);

	(void)state;
	assert_true(inko_ip_equal(&address.ip, &ip));
	assert_int_equal(address.port, 8080);
}

static void test_parses_ipv6(void **state)
{
	struct inko_address address = parse("[2001:db8::1]:443");
	struct inko_ip ip = inko_ip_v6((const uint16_t[]){0x2001, 0xdb8, 0, 0, 0, 0, 0, 1});

	(void)state;
	assert_true(inko_ip_equal(&address.ip, &ip));
	assert_int_equal(address.port, 443);
}

static void test_formats_canonically(void **state)
{
	static const struct {
		const char *text, *canonical;
	} cases[] = {
		{"0.0.0.0:0", "0.0.0.0:0"},
		{"127.0.0.1:80", "127.0.0.1:80"},
		{"255.255.255.255:65535", "255.255.255.255:65535"},
		{"[::]:0", "[::]:0"},
		{"[::1]:80", "[::1]:80"},
		{"[2001:DB8:0:0::1]:1", "[2001:db8::1]:1"},
		{"[::ffff:1.2.3.4]:9", "[::ffff:1.2.3.4]:9"},
		{"[::ffff:102:304]:9", "[::ffff:1.2.3.4]:9"},
		{"[::1.2.3.4]:9", "[::102:304]:9"},
		{"[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535",
			"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct inko_address address = parse(cases[i].text), same;
		char text[INKO_ADDRESS_TEXT_BYTES];

		inko_address_format(&address, text);
		assert_string_equal(text, cases[i].canonical);
		same = parse(text);
		assert_true(inko_address_equal(&address, &same));
	}
}

static void test_refuses_anything_else(void **state)
{
	static const char *const texts[] = {"", ":", "80", ":80", "127.0.0.1", "127.0.0.1:", "::1",
		"[::1]", "[::1]:", "::1:80", "[::1]80", "[::1:80", "::1]:80", "[]:80", "[:80",
		"]:80", "[[::1]]:80", "[127.0.0.1]:80", "[::1]]:80", "[::1%lo]:80",
		"[fe80::1%1]:80", " 127.0.0.1:80", "127.0.0.1 :80", "127.0.0.1: 80",
		"127.0.0.1:80 ", "127.0.0.1:80\n", "[ ::1]:80", "[::1] :80", "127.0.0.1:65536",
		"127.0.0.1:99999", "127.0.0.1:100000", "127.0.0.1:18446744073709551696",
		"127.0.0.1:080", "127.0.0.1:00", "127.0.0.1:+80", "127.0.0.1:-80", "127.0.0.1:0x50",
		"127.0.0.1:http", "127.0.0.1:80:80", "127.0.0.1:8a", "127.0.0.01:80", "127.1:80",
		"256.0.0.1:80", "localhost:80", "*:80", "[::g]:80", "[1:2:3:4:5:6:7]:80",
		"tcp://127.0.0.1:80", "127.0.0.1:80/",
		"[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555]:80",
		"0000000000000000000000000000000000000000000000127.0.0.1:80",
		"[00000000000000000000000000000000000000000000000000000000::1]:80"};
	struct inko_address untouched = {.ip = inko_ip_v4(9, 9, 9, 9), .port = 9};
	struct inko_address address = untouched;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		if (inko_address_parse(texts[i], &address) != -EINVAL)
			fail_msg("took '%s'", texts[i]);
		assert_true(inko_address_equal(&address, &untouched));
	}
}

static void test_parses_every_port(void **state)
{
	(void)state;
	for (unsigned int port = 0; port <= UINT16_MAX; port++) {
		char expected[INKO_ADDRESS_TEXT_BYTES], text[INKO_ADDRESS_TEXT_BYTES];
		struct inko_address address;

		(void)snprintf(expected, sizeof(expected), "[::1]:%u", port);
		address = parse(expected);
		assert_int_equal(address.port, port);
		inko_address_format(&address, text);
		assert_string_equal(text, expected);
	}
}

static void test_compares(void **state)
{
	struct inko_address address = parse("[fe80::1]:80"), other = address;

	(void)state;
	assert_true(inko_address_equal(&address, &other));
	other.port = 81;
	assert_false(inko_address_equal(&address, &other));
	other = parse("[fe80::2]:80");
	assert_false(inko_address_equal(&address, &other));
	other = parse("1.2.3.4:80");
	assert_false(inko_address_equal(&address, &other));
	other = address;
	other.ip.scope = 2;
	assert_false(inko_address_equal(&address, &other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(test_parses_ipv4),
		leaks_test(test_parses_ipv6),
		leaks_test(test_formats_canonically),
		leaks_test(test_refuses_anything_else),
		leaks_test(test_parses_every_port),
		leaks_test(test_compares),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
