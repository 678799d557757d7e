/*
 * What becomes of the answers of getaddrinfo.
 */

#include "tests/unit/names.h"

static void test_answers(void **state)
{
	_cleanup_free_ struct inko_ip *ips = NULL;
	size_t n;

	(void)state;
	assert_int_equal(lookup_host("both.test", &ips, &n), 0);
	assert_int_equal(n, 3);
	assert_ip(&ips[0], "2001:db8::1");
	assert_ip(&ips[1], "192.0.2.1");
	assert_ip(&ips[2], "192.0.2.2");
}

/* The same address on two links is two. */
static void test_scope(void **state)
{
	_cleanup_free_ struct inko_ip *ips = NULL;
	size_t n;

	(void)state;
	assert_int_equal(lookup_host("link.test", &ips, &n), 0);
	assert_int_equal(n, 2);
	assert_ip(&ips[0], "fe80::1");
	assert_int_equal(ips[0].scope, 2);
	assert_int_equal(ips[1].scope, 3);
}

static void test_many(void **state)
{
	_cleanup_free_ struct inko_ip *ips = NULL;
	size_t n;

	(void)state;
	assert_int_equal(lookup_host("many.test", &ips, &n), 0);
	assert_int_equal(n, LOOKUP_IPS);
	assert_ip(&ips[0], "192.0.2.0");
	assert_ip(&ips[LOOKUP_IPS - 1], "192.0.2.127");
}

static void test_errors(void **state)
{
	static const struct {
		const char *host;
		int error;
	} cases[] = {
		{"missing.test", -ENOENT},
		{"empty.test", -ENODATA},
		{"family.test", -ENODATA},
		{"foreign.test", -ENODATA},
		{"later.test", -EAGAIN},
		{"failure.test", -EIO},
		{"memory.test", -ENOMEM},
		{"long.test", -ENAMETOOLONG},
		{"encoding.test", -EINVAL},
		{"system.test", -EMFILE},
		{"silent.test", -EIO},
		{"unheard.test", -EIO},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct inko_ip *ips = NULL;
		size_t n = 4711;

		names.n_asked = 0;
		assert_int_equal(lookup_host(cases[i].host, &ips, &n), cases[i].error);
		assert_null(ips);
		assert_int_equal(n, 4711);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		names_test(test_answers),
		names_test(test_scope),
		names_test(test_many),
		names_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
