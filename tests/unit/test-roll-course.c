/*
 * The course of a rolling restart, cell by cell and as a whole.
 */

#include "tests/unit/leaks.h"

#include "daemon/supervisor/roll-course.h"

static void assert_course(struct roll_census census, enum roll_action action)
{
	assert_int_equal(roll_course(&census), action);
}

static void a_roll_of_four(void **state)
{
	(void)state;
	assert_course((struct roll_census){4, 1, 4, 0, 0, false}, ROLL_START);
	assert_course((struct roll_census){4, 1, 4, 1, 0, false}, ROLL_WAIT);
	assert_course((struct roll_census){4, 1, 4, 1, 1, false}, ROLL_RETIRE_OLD);
	assert_course((struct roll_census){4, 1, 3, 1, 1, false}, ROLL_START);
	assert_course((struct roll_census){4, 1, 3, 2, 1, false}, ROLL_WAIT);
	assert_course((struct roll_census){4, 1, 1, 3, 3, false}, ROLL_START);
	assert_course((struct roll_census){4, 1, 1, 4, 3, false}, ROLL_WAIT);
	assert_course((struct roll_census){4, 1, 1, 4, 4, false}, ROLL_RETIRE_OLD);
	assert_course((struct roll_census){4, 1, 0, 4, 4, false}, ROLL_FINISH);
}

static void extras_are_bounded(void **state)
{
	(void)state;
	assert_course((struct roll_census){4, 2, 4, 1, 0, false}, ROLL_START);
	assert_course((struct roll_census){4, 2, 4, 2, 0, false}, ROLL_WAIT);
	assert_course((struct roll_census){4, 4, 4, 3, 0, false}, ROLL_START);
	assert_course((struct roll_census){4, 4, 4, 4, 0, false}, ROLL_WAIT);
	/* Never more new ones than shall be, however many extras there might be. */
	assert_course((struct roll_census){2, 4, 1, 2, 1, false}, ROLL_WAIT);
}

static void a_failure_stops_it(void **state)
{
	(void)state;
	assert_course((struct roll_census){4, 1, 4, 1, 0, true}, ROLL_FAIL);
	assert_course((struct roll_census){4, 4, 4, 4, 3, true}, ROLL_FAIL);
	assert_course((struct roll_census){4, 1, 0, 4, 3, true}, ROLL_FAIL);
}

/* Instances end, and the number that shall be changes, while it goes on. */
static void what_happens_meanwhile(void **state)
{
	(void)state;
	/* A new one that was ready ended, and is started again by itself. */
	assert_course((struct roll_census){4, 1, 3, 2, 0, false}, ROLL_WAIT);
	assert_course((struct roll_census){4, 1, 0, 4, 3, false}, ROLL_WAIT);
	/* Scaled down to one, to none, and up. */
	assert_course((struct roll_census){1, 1, 3, 1, 1, false}, ROLL_RETIRE_OLD);
	assert_course((struct roll_census){1, 1, 0, 2, 1, false}, ROLL_RETIRE_FRESH);
	assert_course((struct roll_census){0, 1, 1, 0, 0, false}, ROLL_RETIRE_OLD);
	assert_course((struct roll_census){0, 1, 0, 0, 0, false}, ROLL_FINISH);
	assert_course((struct roll_census){6, 1, 3, 1, 1, false}, ROLL_START);
	/* The new ones of a roll that was superseded are old ones too many. */
	assert_course((struct roll_census){4, 1, 5, 0, 0, false}, ROLL_RETIRE_OLD);
}

/* Whatever it starts with, it comes to its end when what is started becomes ready, and meanwhile
 * there are never fewer that are ready than before, up to what shall be, nor more than allowed. */
static void assert_rolls_over(int64_t wanted, int64_t max_extra, int64_t old)
{
	struct roll_census census = {.wanted = wanted, .max_extra = max_extra, .old = old};
	int64_t least = old < wanted ? old : wanted;

	for (int step = 0; step < 1000; step++) {
		enum roll_action action = roll_course(&census);

		switch (action) {
		case ROLL_START:
			census.fresh++;
			assert_true(census.old + census.fresh <= wanted + max_extra);
			break;
		case ROLL_WAIT:
			assert_true(census.fresh > census.fresh_ready);
			census.fresh_ready++;
			break;
		case ROLL_RETIRE_OLD:
			census.old--;
			assert_true(census.old + census.fresh_ready >= least);
			break;
		case ROLL_FINISH:
			assert_int_equal(census.old, 0);
			assert_int_equal(census.fresh, wanted);
			assert_int_equal(census.fresh_ready, wanted);
			return;
		default:
			fail_msg("%lld instances, %lld extra, %lld old: action %d",
				(long long)wanted, (long long)max_extra, (long long)old, action);
		}
	}
	fail_msg("it has no end");
}

static void every_roll_comes_to_its_end(void **state)
{
	(void)state;
	for (int64_t wanted = 0; wanted <= 8; wanted++)
		for (int64_t max_extra = 1; max_extra <= 9; max_extra++)
			for (int64_t old = 0; old <= 2 * wanted + 1; old++)
				assert_rolls_over(wanted, max_extra, old);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(a_roll_of_four),
		leaks_test(extras_are_bounded),
		leaks_test(a_failure_stops_it),
		leaks_test(what_happens_meanwhile),
		leaks_test(every_roll_comes_to_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
