/*
 * The kernel's addresses there and back, as short and as long as they can be.
 */

#include "tests/unit/leaks.h"

#include <stdbool.h>
#include <string.h>

#include "libclient/sockaddr.h"

#define OFFSET offsetof(struct sockaddr_un, sun_path)

static void test_ip(void **state)
{
	const struct inko_address addresses[] = {
		{.ip = {.version = 4, .bytes = {192, 0, 2, 1}}, .port = 80},
		{.ip = {.version = 6, .bytes = {0x20, 1, [15] = 7}}, .port = 65535},
		{.ip = {.version = 6, .bytes = {0xfe, 0x80, [15] = 7}, .scope = 3}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
		struct inko_address back;
		struct address address;

		assert_int_equal(
			sockaddr_from_ip(&addresses[i].ip, addresses[i].port, &address), 0);
		assert_int_equal(sockaddr_to_ip(&address, &back), 0);
		assert_true(inko_address_equal(&back, &addresses[i]));
	}
}

static void test_ip_of_nothing(void **state)
{
	const struct inko_ip none = {0}, v4 = {.version = 4};
	struct inko_address back = {.port = 7};
	struct address address = {0};

	(void)state;
	assert_int_equal(sockaddr_from_ip(&none, 1, &address), -EAFNOSUPPORT);
	assert_int_equal(sockaddr_from_ip(&v4, 65536, &address), -EINVAL);
	assert_int_equal(sockaddr_to_ip(&address, &back), -EAFNOSUPPORT);
	address = (struct address){.un = {.sun_family = AF_UNIX}, .length = OFFSET};
	assert_int_equal(sockaddr_to_ip(&address, &back), -EAFNOSUPPORT);
	assert_int_equal(back.port, 7);
}

/* The length that the kernel says is all that tells what it is. */
static void test_unix_by_length(void **state)
{
	static const struct {
		socklen_t length; /* of the path alone */
		const char *path;
		enum inko_unix_kind kind;
		size_t name_length;
	} cases[] = {
		{0, "stale", INKO_UNIX_UNNAMED, 0},
		{1, "\0stale", INKO_UNIX_ABSTRACT, 0},
		{4, "\0abcdef", INKO_UNIX_ABSTRACT, 3},
		{4, "\0\0\0\0", INKO_UNIX_ABSTRACT, 3},
		{5, "/a/b\0", INKO_UNIX_PATH, 4},
		{4, "/a/b", INKO_UNIX_PATH, 4},
		{7, "/a/b\0cd", INKO_UNIX_PATH, 4},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct address address = {.un = {.sun_family = AF_UNIX}};
		struct inko_unix_address back;

		memcpy(address.un.sun_path, cases[i].path, cases[i].length + 1);
		address.length = (socklen_t)OFFSET + cases[i].length;
		assert_int_equal(sockaddr_to_unix(&address, &back), 0);
		assert_int_equal(back.kind, cases[i].kind);
		assert_int_equal(back.length, cases[i].name_length);
		if (back.length > 0)
			assert_memory_equal(back.name,
				cases[i].path + (back.kind == INKO_UNIX_ABSTRACT), back.length);
	}
}

static void test_unix_without_even_a_family(void **state)
{
	struct address address = {.un = {.sun_family = AF_INET}};
	struct inko_unix_address back = {.kind = INKO_UNIX_PATH};

	(void)state;
	assert_int_equal(sockaddr_to_unix(&address, &back), 0);
	assert_int_equal(back.kind, INKO_UNIX_UNNAMED);
	address.length = sizeof(address.v4);
	assert_int_equal(sockaddr_to_unix(&address, &back), -EAFNOSUPPORT);
}

/* A path of 108 bytes, that others may bind to, has its NUL behind what there is room for. */
static void test_unix_longer_than_there_is_room_for(void **state)
{
	struct address address = {.un = {.sun_family = AF_UNIX}};
	struct inko_unix_address back;

	(void)state;
	memset(address.un.sun_path, 'x', sizeof(address.un.sun_path));
	address.length = sizeof(address.un) + 1;
	assert_int_equal(sockaddr_to_unix(&address, &back), 0);
	assert_int_equal(back.kind, INKO_UNIX_PATH);
	assert_int_equal(back.length, sizeof(address.un.sun_path));
}

static void test_unix_there_and_back(void **state)
{
	static const char *texts[] = {"", "@", "@name", "@\\x00\\x00", "/run/web.sock", "relative"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct inko_unix_address there, back;
		struct address address;

		assert_int_equal(inko_unix_address_parse(texts[i], &there), 0);
		assert_int_equal(sockaddr_from_unix(&there, &address), 0);
		assert_int_equal(sockaddr_to_unix(&address, &back), 0);
		assert_true(inko_unix_address_equal(&there, &back));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(test_ip),
		leaks_test(test_ip_of_nothing),
		leaks_test(test_unix_by_length),
		leaks_test(test_unix_without_even_a_family),
		leaks_test(test_unix_longer_than_there_is_room_for),
		leaks_test(test_unix_there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
