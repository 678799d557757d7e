/*
 * The course of attempts, without a network and without a clock.
 */

#include "tests/unit/leaks.h"

#include <string.h>

#include "libclient/happy-eyeballs.h"

#define DELAY_USEC 250
#define START_USEC 1000

static size_t parse_all(const char *const *texts, struct inko_ip *ips)
{
	size_t n = 0;

	for (; texts[n]; n++)
		assert_int_equal(inko_ip_parse(texts[n], &ips[n]), 0);
	return n;
}

static void begin(struct happy_eyeballs *course, size_t n_ips)
{
	struct inko_ip ips[HAPPY_EYEBALLS_ATTEMPTS];

	for (size_t i = 0; i < n_ips; i++)
		ips[i] = inko_ip_v4(192, 0, 2, (uint8_t)i);
	happy_eyeballs_init(course, ips, n_ips, DELAY_USEC);
	assert_int_equal(course->n_ips, n_ips);
}

static void test_order(void **state)
{
	static const struct {
		const char *const given[8], *const tried[8];
	} cases[] = {
		{{"::1"}, {"::1"}},
		{{"192.0.2.1", "192.0.2.2"}, {"192.0.2.1", "192.0.2.2"}},
		{{"::1", "::2", "::3", "192.0.2.1", "192.0.2.2"},
			{"::1", "192.0.2.1", "::2", "192.0.2.2", "::3"}},
		{{"192.0.2.1", "192.0.2.2", "192.0.2.3", "::1"},
			{"192.0.2.1", "::1", "192.0.2.2", "192.0.2.3"}},
		{{"192.0.2.1", "::1", "::2", "::3"}, {"192.0.2.1", "::1", "::2", "::3"}},
		{{"::1", "192.0.2.1", "::1", "192.0.2.1", "::2"}, {"::1", "192.0.2.1", "::2"}},
		/* The same bytes are another address in the other family. */
		{{"::", "0.0.0.0", "::"}, {"::", "0.0.0.0"}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct inko_ip given[8], tried[8];
		struct happy_eyeballs course;
		size_t n;

		happy_eyeballs_init(&course, given, parse_all(cases[i].given, given), DELAY_USEC);
		n = parse_all(cases[i].tried, tried);
		assert_int_equal(course.n_ips, n);
		for (size_t j = 0; j < n; j++)
			assert_true(inko_ip_equal(&course.ips[j], &tried[j]));
	}
}

/* The bound leaves both families their turns. */
static void test_bound(void **state)
{
	struct inko_ip ips[3 * HAPPY_EYEBALLS_ATTEMPTS];
	struct happy_eyeballs course;
	const size_t n_v6 = 2 * HAPPY_EYEBALLS_ATTEMPTS;

	(void)state;
	for (size_t i = 0; i < sizeof(ips) / sizeof(ips[0]); i++) {
		uint16_t groups[8] = {0x2001, 0xdb8, 0, 0, 0, 0, 0, (uint16_t)i};

		ips[i] = i < n_v6 ? inko_ip_v6(groups) : inko_ip_v4(192, 0, 2, (uint8_t)i);
	}
	happy_eyeballs_init(&course, ips, sizeof(ips) / sizeof(ips[0]), DELAY_USEC);
	assert_int_equal(course.n_ips, HAPPY_EYEBALLS_ATTEMPTS);
	for (size_t i = 0; i < course.n_ips; i++) {
		size_t of = i % 2 == 0 ? i / 2 : n_v6 + i / 2;

		assert_true(inko_ip_equal(&course.ips[i], &ips[of]));
	}
}

static void test_delay(void **state)
{
	struct happy_eyeballs course;
	uint64_t now = START_USEC;

	(void)state;
	begin(&course, 3);
	for (size_t i = 1; i <= 2; i++) {
		assert_int_equal(happy_eyeballs_step(&course, now), HAPPY_EYEBALLS_BEGIN);
		assert_int_equal(course.n_begun, i);
		assert_int_equal(happy_eyeballs_step(&course, now), HAPPY_EYEBALLS_WAIT);
		assert_int_equal(course.next_usec, now + DELAY_USEC);
		now += DELAY_USEC - 1;
		assert_int_equal(happy_eyeballs_step(&course, now), HAPPY_EYEBALLS_WAIT);
		now++;
	}
	assert_int_equal(happy_eyeballs_step(&course, now), HAPPY_EYEBALLS_BEGIN);
	assert_int_equal(course.n_pending, 3);
	/* Nothing is due any more. */
	assert_int_equal(course.next_usec, 0);
	assert_int_equal(happy_eyeballs_step(&course, UINT64_MAX), HAPPY_EYEBALLS_WAIT);
}

/* The delay counts from the last attempt that began, late or not. */
static void test_late(void **state)
{
	struct happy_eyeballs course;

	(void)state;
	begin(&course, 3);
	assert_int_equal(happy_eyeballs_step(&course, START_USEC), HAPPY_EYEBALLS_BEGIN);
	assert_int_equal(
		happy_eyeballs_step(&course, START_USEC + 10 * DELAY_USEC), HAPPY_EYEBALLS_BEGIN);
	assert_int_equal(
		happy_eyeballs_step(&course, START_USEC + 10 * DELAY_USEC), HAPPY_EYEBALLS_WAIT);
	assert_int_equal(course.next_usec, START_USEC + 11 * DELAY_USEC);
}

/* A failure makes the next due, others pending or not, and its own delay begins then. */
static void test_failure(void **state)
{
	struct happy_eyeballs course;

	(void)state;
	begin(&course, 4);
	assert_int_equal(happy_eyeballs_step(&course, START_USEC), HAPPY_EYEBALLS_BEGIN);
	happy_eyeballs_fail(&course, -ECONNREFUSED);
	assert_int_equal(happy_eyeballs_step(&course, START_USEC), HAPPY_EYEBALLS_BEGIN);
	assert_int_equal(happy_eyeballs_step(&course, START_USEC), HAPPY_EYEBALLS_WAIT);
	assert_int_equal(
		happy_eyeballs_step(&course, START_USEC + DELAY_USEC), HAPPY_EYEBALLS_BEGIN);
	assert_int_equal(
		happy_eyeballs_step(&course, START_USEC + DELAY_USEC), HAPPY_EYEBALLS_WAIT);
	happy_eyeballs_fail(&course, -ENETUNREACH);
	assert_int_equal(course.n_pending, 1);
	assert_int_equal(
		happy_eyeballs_step(&course, START_USEC + DELAY_USEC), HAPPY_EYEBALLS_BEGIN);
	assert_int_equal(
		happy_eyeballs_step(&course, START_USEC + DELAY_USEC), HAPPY_EYEBALLS_WAIT);
	happy_eyeballs_fail(&course, -ETIMEDOUT);
	assert_int_equal(
		happy_eyeballs_step(&course, START_USEC + DELAY_USEC), HAPPY_EYEBALLS_WAIT);
	happy_eyeballs_fail(&course, -EHOSTUNREACH);
	assert_int_equal(
		happy_eyeballs_step(&course, START_USEC + DELAY_USEC), HAPPY_EYEBALLS_GIVE_UP);
	assert_int_equal(course.error, -ECONNREFUSED);
}

/* The error that is told, whichever came first. */
static void test_error(void **state)
{
	static const int told[][2] = {
		{-EMFILE, -ECONNREFUSED},
		{-ENOMEM, -ECONNRESET},
		{-ECONNREFUSED, -ETIMEDOUT},
		{-ECONNREFUSED, -EACCES},
		{-ECONNRESET, -EHOSTUNREACH},
		{-EACCES, -ETIMEDOUT},
		{-ETIMEDOUT, -EHOSTUNREACH},
		{-EHOSTUNREACH, -ENETUNREACH},
		{-ENETUNREACH, -EADDRNOTAVAIL},
		{-ENETUNREACH, -EAFNOSUPPORT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		for (size_t first = 0; first < 2; first++) {
			struct happy_eyeballs course;

			begin(&course, 2);
			(void)happy_eyeballs_step(&course, START_USEC);
			happy_eyeballs_fail(&course, told[i][first]);
			(void)happy_eyeballs_step(&course, START_USEC);
			happy_eyeballs_fail(&course, told[i][!first]);
			assert_int_equal(course.error, told[i][0]);
		}
	}
}

/* Of two that tell as much, that of the better address. */
static void test_error_of_first(void **state)
{
	struct happy_eyeballs course;

	(void)state;
	begin(&course, 2);
	(void)happy_eyeballs_step(&course, START_USEC);
	happy_eyeballs_fail(&course, -EAFNOSUPPORT);
	(void)happy_eyeballs_step(&course, START_USEC);
	happy_eyeballs_fail(&course, -EADDRNOTAVAIL);
	assert_int_equal(course.error, -EAFNOSUPPORT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(test_order),
		leaks_test(test_bound),
		leaks_test(test_delay),
		leaks_test(test_late),
		leaks_test(test_failure),
		leaks_test(test_error),
		leaks_test(test_error_of_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
