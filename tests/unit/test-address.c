/*
 * Addresses to and from text.
 */

#include "tests/unit/leaks.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/address.h"
#include "proto/name.h"

static struct address parse(const char *text)
{
	struct address address;
	const char *complaint = NULL;

	assert_int_equal(address_parse(text, &address, &complaint), 0);
	assert_null(complaint);
	return address;
}

static void parses_ipv4(void **state)
{
	struct address address = parse("tcp://127.0.0.1:8080");

	(void)state;
	assert_int_equal(address.v4.sin_family, AF_INET);
	assert_int_equal(ntohs(address.v4.sin_port), 8080);
	assert_int_equal(ntohl(address.v4.sin_addr.s_addr), 0x7f000001);
	assert_int_equal(address.length, sizeof(struct sockaddr_in));
}

static void parses_ipv6(void **state)
{
	struct address address = parse("tcp://[::1]:80");

	(void)state;
	assert_int_equal(address.v6.sin6_family, AF_INET6);
	assert_int_equal(ntohs(address.v6.sin6_port), 80);
	assert_memory_equal(&address.v6.sin6_addr, &in6addr_loopback, sizeof(in6addr_loopback));
	assert_int_equal(address.length, sizeof(struct sockaddr_in6));
}

static void parses_unix_paths(void **state)
{
	struct address address = parse("unix:///run/web.sock");

	(void)state;
	assert_int_equal(address.un.sun_family, AF_UNIX);
	assert_string_equal(address.un.sun_path, "/run/web.sock");
	assert_int_equal(address.length,
		offsetof(struct sockaddr_un, sun_path) + strlen("/run/web.sock") + 1);
}

static void knows_any_port(void **state)
{
	static const struct {
		const char *text;
		bool is_any;
	} cases[] = {
		{"tcp://127.0.0.1:0", true},
		{"tcp://127.0.0.1:80", false},
		{"tcp://[::1]:0", true},
		{"tcp://[::1]:80", false},
		{"unix:///run/web.sock", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct address address = parse(cases[i].text);

		assert_int_equal(address_has_any_port(&address), cases[i].is_any);
	}
}

static void prints_the_canonical_text(void **state)
{
	const struct {
		const char *text, *canonical, *name;
	} rows[] = {
		{"tcp://127.0.0.1:8080", "tcp://127.0.0.1:8080", "tcp-127.0.0.1-8080"},
		{"tcp://localhost:1", "tcp://127.0.0.1:1", "tcp-127.0.0.1-1"},
		{"tcp://0.0.0.0:0", "tcp://0.0.0.0:0", "tcp-0.0.0.0-0"},
		{"tcp://[::1]:80", "tcp://[::1]:80", "tcp-__1-80"},
		{"tcp://[::]:65535", "tcp://[::]:65535", "tcp-__-65535"},
		{"tcp://[2001:DB8:0:0::1]:443", "tcp://[2001:db8::1]:443", "tcp-2001_db8__1-443"},
		{"tcp://[fe80::1%1]:80", "tcp://[fe80::1%lo]:80", "tcp-fe80__1_lo-80"},
		{"tcp://[fe80::1%lo]:80", "tcp://[fe80::1%lo]:80", "tcp-fe80__1_lo-80"},
		{"tcp://[fe80::1%999999]:80", "tcp://[fe80::1%999999]:80", "tcp-fe80__1_999999-80"},
		{"unix:///run/web.sock", "unix:///run/web.sock", "unix-run-web.sock"},
		{"unix:///a b/\xc3\xa9:1", "unix:///a b/\xc3\xa9:1", "unix-a_b-___1"},
	};
	char text[ADDRESS_TEXT_BYTES], name[LIMIT_NAME_CHARS + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address address = parse(rows[i].text);

		address_format(&address, text);
		assert_string_equal(text, rows[i].canonical);
		address_default_name(&address, name);
		assert_string_equal(name, rows[i].name);
		assert_true(name_is_valid(name));
		address = parse(text);
		address_format(&address, text);
		assert_string_equal(text, rows[i].canonical);
	}
}

static void refuses_anything_else(void **state)
{
	const char *texts[] = {"", "tcp", "tcp://", "tcp:127.0.0.1:80", "127.0.0.1:80", ":80",
		"TCP://127.0.0.1:80", " tcp://127.0.0.1:80", "tcp://127.0.0.1:80 ",
		"tcp://127.0.0.1:80/", "tcp://127.0.0.1", "tcp://127.0.0.1:", "tcp://:80",
		"tcp://*:80", "tcp://127.0.0.1:65536", "tcp://127.0.0.1:080", "tcp://127.0.0.1:00",
		"tcp://127.0.0.1:+80", "tcp://127.0.0.1:-1", "tcp://127.0.0.1:8 0",
		"tcp://127.0.0.1:100000", "tcp://127.0.0.1:99999999999999999999", "tcp://127.1:80",
		"tcp://127.0.0.01:80", "tcp://256.0.0.1:80", "tcp://1.2.3.4.5:80",
		"tcp://example.org:80", "tcp://::1:80", "tcp://[::1]", "tcp://[::1]80",
		"tcp://[::1:80", "tcp://::1]:80", "tcp://[]:80", "tcp://[127.0.0.1]:80",
		"tcp://[::g]:80", "tcp://[::1%lo]:80", "tcp://[fe80::1]:80", "tcp://[fe80::1%]:80",
		"tcp://[fe80::1%0]:80", "tcp://[fe80::1%no-such-one]:80",
		"tcp://[fe80::1%4294967297]:80", "tcp://[[::1]]:80", "unix:", "unix://",
		"unix://run/web.sock", "unix:///", "unix:///run/", "unix:/run/web.sock",
		"unix://@abstract", "unix:///run/a\nb", "unix:///run/\x7f", "udp://127.0.0.1:80"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct address address = {.length = 77};
		const char *complaint = NULL;

		if (address_parse(texts[i], &address, &complaint) != -EINVAL)
			fail_msg("took '%s'", texts[i]);
		assert_non_null(complaint);
		assert_int_equal(address.length, 77);
	}
}

static void bounds_unix_paths(void **state)
{
	char text[128] = "unix:///", printed[ADDRESS_TEXT_BYTES], name[LIMIT_NAME_CHARS + 1];
	const char *complaint = NULL;
	struct address address;

	(void)state;
	memset(text + 8, 'p', 106);
	address = parse(text);
	address_format(&address, printed);
	assert_string_equal(printed, text);
	address_default_name(&address, name);
	assert_int_equal(strlen(name), LIMIT_NAME_CHARS);
	assert_true(name_is_valid(name));
	text[8 + 106] = 'p';
	assert_int_equal(address_parse(text, &address, &complaint), -EINVAL);
}

static void prints_what_the_kernel_gives(void **state)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct address address = {.length = sizeof(address.un)};
	char text[ADDRESS_TEXT_BYTES], name[LIMIT_NAME_CHARS + 1];

	(void)state;
	assert_int_equal(getsockname(fd, &address.any, &address.length), 0);
	address_format(&address, text);
	assert_string_equal(text, "unix://");
	address_default_name(&address, name);
	assert_true(name_is_valid(name));
	assert_int_equal(close(fd), 0);
	address.any.sa_family = AF_NETLINK;
	address_default_name(&address, name);
	assert_true(name_is_valid(name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(parses_ipv4),
		leaks_test(parses_ipv6),
		leaks_test(parses_unix_paths),
		leaks_test(knows_any_port),
		leaks_test(prints_the_canonical_text),
		leaks_test(refuses_anything_else),
		leaks_test(bounds_unix_paths),
		leaks_test(prints_what_the_kernel_gives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
