/*
 * IP addresses: strict parsing, canonical text and back, comparing, and what each is for.
 */

#include "tests/unit/leaks.h"

#include <errno.h>
#include <string.h>

#include <inko/ip.h>

#define N_ELEMENTS(array) (sizeof(array) / sizeof(array[0]))

static struct inko_ip parse(const char *text)
{
	struct inko_ip ip;

	if (inko_ip_parse(text, &ip) != 0)
		fail_msg("did not take '%s'", text);
	return ip;
}

static void refuse(const char *const *texts, size_t n)
{
	struct inko_ip untouched = inko_ip_v4(9, 9, 9, 9), ip = untouched;

	for (size_t i = 0; i < n; i++) {
		if (inko_ip_parse(texts[i], &ip) != -EINVAL)
			fail_msg("took '%s'", texts[i]);
		assert_true(inko_ip_equal(&ip, &untouched));
	}
}

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
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct inko_ip ip, same;

		assert_int_equal(inko_ip_parse(cases[i].text, &ip), 0);
		inko_ip_format(&ip, text);
		assert_string_equal(text, cases[i].canonical);
		assert_int_equal(inko_ip_parse(text, &same), 0);
		assert_true(inko_ip_equal(&ip, &same));
	}
}

static void test_formats_what_was_made(void **state)
{
	static const struct {
		uint16_t groups[8];
		const char *text;
	} cases[] = {
		{{0}, "::"},
		{{0, 0, 0, 0, 0, 0, 0, 1}, "::1"},
		{{7}, "7::"},
		{{7, 0, 0, 0, 0, 0, 0, 9}, "7::9"},
		{{7, 0, 8, 0, 0, 0, 0, 9}, "7:0:8::9"},
		{{7, 0, 0, 0, 0, 0xffff, 0x102, 0x304}, "7::ffff:102:304"},
		{{0, 0, 0, 0, 1, 0xffff, 0x102, 0x304}, "::1:ffff:102:304"},
		{{0, 0, 0, 0, 0, 0, 0x102, 0x304}, "::102:304"},
		{{0, 0, 0, 0, 0, 0xffff, 0x102, 0x304}, "::ffff:1.2.3.4"},
		{{1, 2, 3, 4, 5, 6, 0, 0}, "1:2:3:4:5:6::"},
		{{1, 0, 3, 4, 0, 0, 7, 8}, "1:0:3:4::7:8"},
		{{0, 0, 1, 1, 1, 1, 0, 0}, "::1:1:1:1:0:0"},
		{{0, 1, 1, 1, 1, 1, 1, 1}, "0:1:1:1:1:1:1:1"},
		{{0x10, 0x200, 0xa, 0xab, 0xabc, 0xabcd, 0, 0xf}, "10:200:a:ab:abc:abcd:0:f"},
		{{0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff},
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct inko_ip ip = inko_ip_v6(cases[i].groups), same = parse(cases[i].text);
		char text[INKO_IP_TEXT_BYTES];

		inko_ip_format(&ip, text);
		assert_string_equal(text, cases[i].text);
		assert_true(inko_ip_equal(&ip, &same));
	}
}

static void test_parses_groups(void **state)
{
	static const struct {
		const char *text;
		uint16_t groups[8];
	} cases[] = {
		{"2001:db8:0:0:a:0:0:b", {0x2001, 0xdb8, 0, 0, 0xa, 0, 0, 0xb}},
		{"2001:DB8:0:0:A::B", {0x2001, 0xdb8, 0, 0, 0xa, 0, 0, 0xb}},
		{"2001:0db8:0:0::000a:00b", {0x2001, 0xdb8, 0, 0, 0, 0, 0xa, 0xb}},
		{"::6:7:8", {0, 0, 0, 0, 0, 6, 7, 8}},
		{"9::", {9}},
		{"9::8", {9, 0, 0, 0, 0, 0, 0, 8}},
		{"1:2:3:4:5:6:7::", {1, 2, 3, 4, 5, 6, 7, 0}},
		{"::2:3:4:5:6:7:8", {0, 2, 3, 4, 5, 6, 7, 8}},
		{"0000:0000:0000:0000:0000:ffff:10.20.30.40",
			{0, 0, 0, 0, 0, 0xffff, 0xa14, 0x1e28}},
		{"0001:0002:0003:0004:0005:0006:10.20.30.40", {1, 2, 3, 4, 5, 6, 0xa14, 0x1e28}},
		{"::6:10.20.30.40", {0, 0, 0, 0, 0, 6, 0xa14, 0x1e28}},
		{"::10.20.30.40", {0, 0, 0, 0, 0, 0, 0xa14, 0x1e28}},
		{"1::5:6:1.2.3.4", {1, 0, 0, 0, 5, 6, 0x102, 0x304}},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct inko_ip ip = parse(cases[i].text), expected = inko_ip_v6(cases[i].groups);

		assert_int_equal(ip.version, 6);
		assert_memory_equal(ip.bytes, expected.bytes, 16);
		assert_int_equal(ip.scope, 0);
	}
}

static void test_refuses_what_is_no_ipv4_address(void **state)
{
	static const char *const texts[] = {"", " ", "\n", "1", "1.2", "1.2.3", "1.2.3.",
		"1.2.3.4.", ".1.2.3", "1..2.3", "1.2.3.4.5", "1.2.3.4.5.6", ".", "...", "....",
		"1.2.3.256", "256.1.1.1", "999.0.0.0", "1.2.3.1000", "1.2.3.4294967300", "01.2.3.4",
		"1.02.3.4", "1.2.003.4", "1.2.3.04", "00.0.0.0", "0.0.0.00", "010.0.0.1",
		"0177.0.0.1", "127.0.0.001", "1.2.3.4 ", " 1.2.3.4", "1.2. 3.4", "1.2.3.4\n",
		"\t1.2.3.4", "1.2.3.-4", "+1.2.3.4", "1.2.3.4e0", "0x1.2.3.4", "0x7f.0x0.0x0.0x1",
		"a.b.c.d", "1.2.3.4:80", "1.2.3.4/24", "1.2.3.4%lo", "1,2,3,4", "2130706433",
		"0x7f000001", "127.1", "127.0.1", "12345", "hello", "localhost",
		"0000000000127.0.0.1", "\xef\xbc\x91.2.3.4"};

	(void)state;
	refuse(texts, N_ELEMENTS(texts));
}

static void test_refuses_what_is_no_ipv6_address(void **state)
{
	static const char *const texts[] = {":", ":::", "::::", ":1", "1:", "::1:", ":1::", ":::1",
		"1:::1", "::1::", "1::2::3", "::1::1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
		"1:2:3:4::5:6:7:8", "::1:2:3:4:5:6:7:8",
		"1:2:3:4:5:6:7:8::", "0001:0002:0003:0004:0005:0006:0007:0008:0009",
		"1:2:3:4:5:6:7:", ":1:2:3:4:5:6:7", "12345::", "00001::", "::g",
		"xyz::", "-1::", "+1::", "1:-2::", "0x1::", "::1 ", " ::1", ": :1", "::1\n",
		"[::1]", "[::1", "::1]", "::1%lo", "fe80::1%1", "::1%", "::1/24", "::1.2.3",
		"::1.2.3.4.5", "::1.2.3.4:5", "::1.2.3.256", "::01.2.3.4", "::1.2.3.04",
		"::ffff:1.2.3.4 ", "::ffff:1.2.3", "::ffff:0x1.2.3.4", "::999.1.1.1",
		"1.2.3.4::", "1:2:3:4:5:6:7:1.2.3.4", "1:2:3:4:5:1.2.3.4", "1::2:3:4:5:6:7:1.2.3.4",
		"0000:0000:0000:0000:0000:ffff:255.255.255.2555",
		"this is no address, and is longer than any address: not even its end is read"};

	(void)state;
	refuse(texts, N_ELEMENTS(texts));
}

/* Each of the longest texts that are addresses fits, and is told from one that is longer. */
static void test_formats_the_longest_text(void **state)
{
	struct inko_ip longest = parse("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255");
	struct inko_ip mapped = parse("::ffff:255.255.255.255");
	struct inko_ip v4 = parse("255.255.255.255");
	struct {
		char text[INKO_IP_TEXT_BYTES];
		char after;
	} buffer = {.after = '!'};

	(void)state;
	inko_ip_format(&longest, buffer.text);
	assert_int_equal(strlen(buffer.text), 39);
	inko_ip_format(&mapped, buffer.text);
	assert_int_equal(strlen(buffer.text), 22);
	inko_ip_format(&v4, buffer.text);
	assert_int_equal(strlen(buffer.text), 15);
	assert_int_equal(buffer.after, '!');
}

static void test_keeps_the_scope_out_of_the_text(void **state)
{
	struct inko_ip ip = parse("fe80::1"), same;
	char text[INKO_IP_TEXT_BYTES];

	(void)state;
	ip.scope = 3;
	inko_ip_format(&ip, text);
	assert_string_equal(text, "fe80::1");
	same = parse(text);
	assert_int_equal(same.scope, 0);
}

/* In order: each is less than all that follow. */
static const struct inko_ip ordered[] = {
	{4, {0, 0, 0, 0}, 0},
	{4, {0, 0, 0, 1}, 0},
	{4, {0, 0, 1, 0}, 0},
	{4, {1, 0, 0, 0}, 0},
	{4, {127, 255, 255, 255}, 0},
	{4, {128, 0, 0, 0}, 0},
	{4, {255, 255, 255, 255}, 0},
	{6, {0}, 0},
	{6, {[15] = 1}, 0},
	{6, {[15] = 1}, 1},
	{6, {[15] = 2}, 0},
	{6, {[8] = 1}, 0},
	{6, {[7] = 1}, 0},
	{6, {[0] = 1}, 0},
	{6, {[0] = 0x7f, [15] = 0xff}, 0},
	{6, {[0] = 0x80}, 0},
	{6, {0xfe, 0x80, [15] = 1}, 0},
	{6, {0xfe, 0x80, [15] = 1}, 1},
	{6, {0xfe, 0x80, [15] = 1}, 2},
	{6, {0xfe, 0x80, [15] = 1}, UINT32_MAX},
	{6, {0xff}, 0},
};

static void test_compares(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(ordered); i++) {
		for (size_t j = 0; j < N_ELEMENTS(ordered); j++) {
			int order = inko_ip_compare(&ordered[i], &ordered[j]);

			assert_int_equal(order, (i > j) - (i < j));
			assert_int_equal(inko_ip_equal(&ordered[i], &ordered[j]), i == j);
		}
	}
}

/* What is no part of an IPv4 address does not count. */
static void test_ignores_what_is_not_the_address(void **state)
{
	struct inko_ip v4 = inko_ip_v4(127, 0, 0, 1), dirty = v4, v6 = {.version = 6};

	(void)state;
	dirty.bytes[4] = 7;
	dirty.bytes[15] = 7;
	dirty.scope = 7;
	assert_true(inko_ip_equal(&v4, &dirty));
	assert_int_equal(inko_ip_compare(&v4, &dirty), 0);
	assert_true(inko_ip_hash(&v4, 1) == inko_ip_hash(&dirty, 1));
	assert_true(inko_ip_is_loopback(&dirty));
	memcpy(v6.bytes, v4.bytes, sizeof(v6.bytes));
	assert_false(inko_ip_equal(&v4, &v6));
}

/* As another implementation of SipHash-2-4 has it. */
static void test_hashes_with_siphash(void **state)
{
	struct inko_ip v4 = inko_ip_v4(1, 2, 3, 4), v6 = parse("fe80::1"), one = parse("::1");
	const uint64_t seed = 0x0123456789abcdef;

	(void)state;
	v6.scope = 7;
	assert_true(inko_ip_hash(&v4, seed) == 0x50244b32e3371096);
	assert_true(inko_ip_hash(&v6, seed) == 0x719c2c43f3429ebd);
	assert_true(inko_ip_hash(&one, 0) == 0xad37f58b5d90cbe2);
}

static void test_hashes_what_differs_differently(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(ordered); i++) {
		struct inko_ip copy = ordered[i];

		assert_true(inko_ip_hash(&copy, 5) == inko_ip_hash(&ordered[i], 5));
		assert_true(inko_ip_hash(&copy, 5) != inko_ip_hash(&copy, 6));
		for (size_t j = 0; j < i; j++)
			assert_true(inko_ip_hash(&ordered[i], 5) != inko_ip_hash(&ordered[j], 5));
	}
}

/* What an address can be, a bit each. */
enum {
	LOOPBACK = 1 << 0,
	MULTICAST = 1 << 1,
	UNSPECIFIED = 1 << 2,
	DOCUMENTATION = 1 << 3,
	PRIVATE = 1 << 4,
	LINK_LOCAL = 1 << 5,
	BROADCAST = 1 << 6,
	MAPPED = 1 << 7,
	COMPATIBLE = 1 << 8,
};

static unsigned int classes_of(const struct inko_ip *ip)
{
	static const struct {
		unsigned int bit;
		bool (*is)(const struct inko_ip *ip);
	} questions[] = {
		{LOOPBACK, inko_ip_is_loopback},
		{MULTICAST, inko_ip_is_multicast},
		{UNSPECIFIED, inko_ip_is_unspecified},
		{DOCUMENTATION, inko_ip_is_documentation},
		{PRIVATE, inko_ip_is_private},
		{LINK_LOCAL, inko_ip_is_link_local},
		{BROADCAST, inko_ip_is_broadcast},
		{MAPPED, inko_ip_is_v4_mapped},
		{COMPATIBLE, inko_ip_is_v4_compatible},
	};
	unsigned int classes = 0;

	for (size_t i = 0; i < N_ELEMENTS(questions); i++)
		classes |= questions[i].is(ip) ? questions[i].bit : 0;
	return classes;
}

/* The first and the last address of each range, and the neighbours of both. */
static void test_knows_what_ipv4_addresses_are_for(void **state)
{
	static const struct {
		const char *text;
		unsigned int classes;
	} cases[] = {
		{"0.0.0.0", UNSPECIFIED},
		{"0.0.0.1", 0},
		{"1.0.0.0", 0},
		{"9.255.255.255", 0},
		{"10.0.0.0", PRIVATE},
		{"10.1.1.1", PRIVATE},
		{"10.255.255.255", PRIVATE},
		{"11.0.0.0", 0},
		{"126.255.255.255", 0},
		{"127.0.0.0", LOOPBACK},
		{"127.0.0.1", LOOPBACK},
		{"127.255.255.255", LOOPBACK},
		{"128.0.0.0", 0},
		{"1.254.1.1", 0},
		{"169.253.255.255", 0},
		{"169.254.0.0", LINK_LOCAL},
		{"169.254.255.255", LINK_LOCAL},
		{"169.255.0.0", 0},
		{"172.15.255.255", 0},
		{"172.16.0.0", PRIVATE},
		{"172.31.255.255", PRIVATE},
		{"172.32.0.0", 0},
		{"192.0.1.255", 0},
		{"192.0.2.0", DOCUMENTATION},
		{"192.0.2.255", DOCUMENTATION},
		{"192.0.3.0", 0},
		{"192.1.2.1", 0},
		{"192.167.255.255", 0},
		{"192.168.0.0", PRIVATE},
		{"192.168.255.255", PRIVATE},
		{"192.169.0.0", 0},
		{"198.51.99.255", 0},
		{"198.51.100.0", DOCUMENTATION},
		{"198.51.100.255", DOCUMENTATION},
		{"198.51.101.0", 0},
		{"203.0.112.255", 0},
		{"203.0.113.0", DOCUMENTATION},
		{"203.0.113.255", DOCUMENTATION},
		{"203.0.114.0", 0},
		{"223.255.255.255", 0},
		{"224.0.0.0", MULTICAST},
		{"239.255.255.255", MULTICAST},
		{"240.0.0.0", 0},
		{"255.255.255.254", 0},
		{"255.255.255.255", BROADCAST},
		{"1.255.255.255", 0},
		{"255.1.255.255", 0},
		{"255.255.1.255", 0},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct inko_ip ip = parse(cases[i].text);

		assert_true(inko_ip_is_v4(&ip) && !inko_ip_is_v6(&ip));
		if (classes_of(&ip) != cases[i].classes)
			fail_msg("%s is %#x", cases[i].text, classes_of(&ip));
	}
}

static void test_knows_what_ipv6_addresses_are_for(void **state)
{
	static const struct {
		const char *text;
		unsigned int classes;
	} cases[] = {
		{"::", UNSPECIFIED | COMPATIBLE},
		{"::1", LOOPBACK | COMPATIBLE},
		{"::2", COMPATIBLE},
		{"::1:1", COMPATIBLE},
		{"::ffff:ffff", COMPATIBLE},
		{"::1:0:0", 0},
		{"0:0:0:0:1::1", 0},
		{"::fffe:ffff:ffff", 0},
		{"::ffff:0:0", MAPPED},
		{"::ffff:0:1", MAPPED},
		{"::ffff:ffff:ffff", MAPPED},
		{"::1:0:0:0", 0},
		{"::1:ffff:0:0", 0},
		{"::ff:1:1", 0},
		/* as they stand, not as what they are mapped from */
		{"::ffff:127.0.0.1", MAPPED},
		{"::ffff:10.0.0.1", MAPPED},
		{"::ffff:224.0.0.1", MAPPED},
		{"::ffff:255.255.255.255", MAPPED},
		{"::127.0.0.1", COMPATIBLE},
		{"1::", 0},
		{"1::1", 0},
		{"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", 0},
		{"2001:db8::", DOCUMENTATION},
		{"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", DOCUMENTATION},
		{"2001:db9::", 0},
		{"ffff:db8::", MULTICAST},
		{"3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0},
		{"3fff::", DOCUMENTATION},
		{"3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", DOCUMENTATION},
		{"3fff:1000::", 0},
		{"7f00::1", 0},
		{"fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0},
		{"fc00::", PRIVATE},
		{"fd00::1", PRIVATE},
		{"fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", PRIVATE},
		{"fe00::", 0},
		{"fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0},
		{"fe80::", LINK_LOCAL},
		{"febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", LINK_LOCAL},
		{"fec0::", 0},
		{"feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0},
		{"ff00::", MULTICAST},
		{"ff02::1", MULTICAST},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", MULTICAST},
		{"f00::", 0},
		{"a00::", 0},
		{"c0a8::", 0},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct inko_ip ip = parse(cases[i].text);

		assert_true(inko_ip_is_v6(&ip) && !inko_ip_is_v4(&ip));
		if (classes_of(&ip) != cases[i].classes)
			fail_msg("%s is %#x", cases[i].text, classes_of(&ip));
		ip.scope = 5;
		assert_int_equal(classes_of(&ip), cases[i].classes);
	}
}

static void test_knows_nothing_of_no_address(void **state)
{
	struct inko_ip none = {0};

	(void)state;
	assert_false(inko_ip_is_v4(&none));
	assert_false(inko_ip_is_v6(&none));
	assert_int_equal(classes_of(&none), 0);
	assert_int_equal(inko_ip_to_v4_mapped(&none, &none), -EINVAL);
	assert_int_equal(inko_ip_to_v4_compatible(&none, &none), -EINVAL);
}

static void test_makes_ipv6_of_ipv4(void **state)
{
	struct inko_ip v4 = inko_ip_v4(198, 51, 100, 77), mapped, compatible;
	char text[INKO_IP_TEXT_BYTES];

	(void)state;
	v4.bytes[12] = 7; /* is no part of an IPv4 address */
	v4.scope = 7;
	assert_int_equal(inko_ip_to_v4_mapped(&v4, &mapped), 0);
	assert_true(inko_ip_is_v4_mapped(&mapped));
	assert_int_equal(mapped.scope, 0);
	inko_ip_format(&mapped, text);
	assert_string_equal(text, "::ffff:198.51.100.77");
	assert_int_equal(inko_ip_to_v4_compatible(&v4, &compatible), 0);
	assert_true(inko_ip_is_v4_compatible(&compatible));
	inko_ip_format(&compatible, text);
	assert_string_equal(text, "::c633:644d");

	assert_int_equal(inko_ip_to_v4_mapped(&v4, &v4), 0);
	assert_true(inko_ip_equal(&v4, &mapped));
}

static void test_makes_no_ipv6_of_ipv6(void **state)
{
	struct inko_ip v6 = parse("::1"), untouched = inko_ip_v4(9, 9, 9, 9), ip = untouched;

	(void)state;
	assert_int_equal(inko_ip_to_v4_mapped(&v6, &ip), -EINVAL);
	assert_int_equal(inko_ip_to_v4_compatible(&v6, &ip), -EINVAL);
	assert_true(inko_ip_equal(&ip, &untouched));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(test_makes_v4),
		leaks_test(test_makes_v6),
		leaks_test(test_formats_canonically),
		leaks_test(test_formats_what_was_made),
		leaks_test(test_formats_the_longest_text),
		leaks_test(test_keeps_the_scope_out_of_the_text),
		leaks_test(test_parses_groups),
		leaks_test(test_refuses_what_is_no_ipv4_address),
		leaks_test(test_refuses_what_is_no_ipv6_address),
		leaks_test(test_compares),
		leaks_test(test_ignores_what_is_not_the_address),
		leaks_test(test_hashes_with_siphash),
		leaks_test(test_hashes_what_differs_differently),
		leaks_test(test_knows_what_ipv4_addresses_are_for),
		leaks_test(test_knows_what_ipv6_addresses_are_for),
		leaks_test(test_knows_nothing_of_no_address),
		leaks_test(test_makes_ipv6_of_ipv4),
		leaks_test(test_makes_no_ipv6_of_ipv6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
