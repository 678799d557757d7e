/*
 * The time in front of a line of the log.
 */

#include "tests/unit/leaks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "proto/stamp.h"

static void set_zone(const char *zone)
{
	assert_int_equal(setenv("TZ", zone, 1), 0);
	tzset();
}

/* What a line says is the same moment wherever it was written. */
static void names_the_moment_in_local_time(void **state)
{
	const struct {
		const char *zone, *offset;
		long seconds;
	} zones[] = {
		{"UTC0", "+00:00 ", 0},
		{"IST-5:30", "+05:30 ", 19800},
		{"NST3:30", "-03:30 ", -12600},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(zones) / sizeof(*zones); i++) {
		char stamp[STAMP_BYTES];
		time_t before = time(NULL), said;
		struct tm local = {0};

		set_zone(zones[i].zone);
		stamp_format(stamp);
		assert_string_equal(strptime(stamp, "%Y-%m-%dT%H:%M:%S", &local), zones[i].offset);
		said = timegm(&local) - zones[i].seconds;
		assert_in_range(said, before, time(NULL));
	}
	assert_int_equal(unsetenv("TZ"), 0);
}

static void knows_the_journal_by_its_stream(void **state)
{
	char stream[64];
	struct stat status;

	(void)state;
	assert_int_equal(fstat(STDERR_FILENO, &status), 0);
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
	assert_false(stamp_is_journal());
	(void)snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)status.st_dev,
		(unsigned long long)status.st_ino);
	assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
	assert_true(stamp_is_journal());
	/* Standard error was led to somewhere else. */
	(void)snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)status.st_dev,
		(unsigned long long)status.st_ino + 1);
	assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
	assert_false(stamp_is_journal());
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(names_the_moment_in_local_time),
		leaks_test(knows_the_journal_by_its_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
