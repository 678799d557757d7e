/*
 * Who watches whom, and when.
 */

#include "tests/unit/leaks.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/keeper/watchdog.h"

static void set_environment(const char *usec, pid_t pid)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%d", (int)pid);
	assert_int_equal(unsetenv("WATCHDOG_PID"), 0);
	assert_int_equal(unsetenv("WATCHDOG_USEC"), 0);
	if (usec)
		assert_int_equal(setenv("WATCHDOG_USEC", usec, 1), 0);
	if (pid)
		assert_int_equal(setenv("WATCHDOG_PID", text, 1), 0);
}

static void nobody_watches(void **state)
{
	struct watchdog watchdog;

	(void)state;
	set_environment(NULL, 0);
	watchdog_init(&watchdog, 5);
	watchdog_sign(&watchdog, 5);
	assert_true(watchdog_due_msec(&watchdog) == UINT64_MAX);
	assert_false(watchdog_take_beat(&watchdog, 1000000));
	assert_int_equal(watchdog_take_signal(&watchdog, 1000000), 0);
	set_environment("1000000", getpid() + 1);
	watchdog_init(&watchdog, 5);
	assert_int_equal(watchdog.interval_msec, 0);
}

static void beats_twice_an_interval(void **state)
{
	struct watchdog watchdog;

	(void)state;
	set_environment("1000000", getpid());
	watchdog_init(&watchdog, 100);
	assert_int_equal(watchdog_due_msec(&watchdog), 100);
	assert_true(watchdog_take_beat(&watchdog, 100));
	assert_false(watchdog_take_beat(&watchdog, 100));
	assert_int_equal(watchdog_due_msec(&watchdog), 600);
	assert_false(watchdog_take_beat(&watchdog, 599));
	assert_true(watchdog_take_beat(&watchdog, 700));
	assert_int_equal(watchdog_due_msec(&watchdog), 1200);
	set_environment("1000000", 0);
	watchdog_init(&watchdog, 0);
	assert_int_equal(watchdog.interval_msec, 1000);
}

static void silence_is_ended(void **state)
{
	struct watchdog watchdog;

	(void)state;
	set_environment("1000000", 0);
	watchdog_init(&watchdog, 0);
	/* There is no supervisor yet. */
	assert_int_equal(watchdog_take_signal(&watchdog, 5000), 0);
	watchdog_sign(&watchdog, 5000);
	assert_int_equal(watchdog_take_signal(&watchdog, 5999), 0);
	watchdog_sign(&watchdog, 5999);
	assert_int_equal(watchdog_take_signal(&watchdog, 6998), 0);
	assert_int_equal(watchdog_take_signal(&watchdog, 6999), SIGABRT);
	assert_int_equal(watchdog_take_signal(&watchdog, 7998), 0);
	assert_int_equal(watchdog_take_signal(&watchdog, 7999), SIGKILL);
	assert_int_equal(watchdog_take_signal(&watchdog, 9000), SIGKILL);
	watchdog_rest(&watchdog);
	assert_int_equal(watchdog_take_signal(&watchdog, 20000), 0);
	/* The next one is asked politely again. */
	watchdog_sign(&watchdog, 20000);
	assert_int_equal(watchdog_take_signal(&watchdog, 21000), SIGABRT);
}

static void due_at_what_comes_first(void **state)
{
	struct watchdog watchdog;

	(void)state;
	set_environment("1000000", 0);
	watchdog_init(&watchdog, 0);
	watchdog_sign(&watchdog, 0);
	assert_true(watchdog_take_beat(&watchdog, 0));
	assert_int_equal(watchdog_due_msec(&watchdog), 500);
	assert_true(watchdog_take_beat(&watchdog, 800));
	assert_int_equal(watchdog_due_msec(&watchdog), 1000);
	watchdog_rest(&watchdog);
	assert_int_equal(watchdog_due_msec(&watchdog), 1300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(nobody_watches),
		leaks_test(beats_twice_an_interval),
		leaks_test(silence_is_ended),
		leaks_test(due_at_what_comes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
