/*
 * When what ended is started again: backoff, jitter and intensity, with a clock of the test's own.
 */

#include "tests/unit/leaks.h"

#include "daemon/supervisor/restart-policy.h"
#include "proto/spec.h"

#define SECOND UINT64_C(1000000)
/* What is left of a backoff of usec with the smallest random number: three quarters. */
#define LEAST 0
#define LEAST_OF(usec) ((usec)*3 / 4)

static const struct spec spec = {
	.backoff_usec = 100000, .intensity = 3, .intensity_usec = 10 * (int64_t)SECOND};

static void backoffs_double_up_to_their_most(void **state)
{
	struct restart_policy policy = {0};

	(void)state;
	for (uint64_t backoff = 100000; backoff < 30 * SECOND; backoff *= 2)
		assert_int_equal(
			restart_policy_back_off(&policy, &spec, 0, LEAST), LEAST_OF(backoff));
	assert_int_equal(restart_policy_back_off(&policy, &spec, 0, LEAST), LEAST_OF(30 * SECOND));
	assert_int_equal(restart_policy_back_off(&policy, &spec, 0, LEAST), LEAST_OF(30 * SECOND));
}

/* Who asks for more than the most at once gets it, and no more. */
static void a_long_backoff_stays_as_long(void **state)
{
	struct spec patient = {.backoff_usec = 60 * (int64_t)SECOND};
	struct restart_policy policy = {0};

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(restart_policy_back_off(&policy, &patient, 0, LEAST),
			LEAST_OF(60 * SECOND));
}

static void jitter_goes_a_quarter_to_either_side(void **state)
{
	struct restart_policy least = {0}, middle = {0}, most = {0};

	(void)state;
	assert_int_equal(restart_policy_back_off(&least, &spec, 0, 0), 75000);
	assert_in_range(restart_policy_back_off(&middle, &spec, 0, 0x8000), 99999, 100001);
	assert_int_equal(restart_policy_back_off(&most, &spec, 0, UINT16_MAX), 125000);
	/* The next is twice what was meant, not twice what came of it. */
	assert_int_equal(restart_policy_back_off(&most, &spec, 0, LEAST), LEAST_OF(200000));
}

static void back_off_three_times(struct restart_policy *policy)
{
	for (int i = 0; i < 3; i++)
		(void)restart_policy_back_off(policy, &spec, 0, LEAST);
}

static void one_that_was_ready_for_long_is_well_again(void **state)
{
	struct restart_policy policy = {0};

	(void)state;
	back_off_three_times(&policy);
	restart_policy_note_start(&policy);
	restart_policy_note_ready(&policy, 5 * SECOND);
	assert_int_equal(
		restart_policy_back_off(&policy, &spec, 6 * SECOND - 1, LEAST), LEAST_OF(800000));
	assert_int_equal(
		restart_policy_back_off(&policy, &spec, 6 * SECOND, LEAST), LEAST_OF(100000));
}

/* It was ready once, but the process that ended now never was. */
static void a_start_is_not_ready_yet(void **state)
{
	struct restart_policy policy = {0};

	(void)state;
	back_off_three_times(&policy);
	restart_policy_note_ready(&policy, 5 * SECOND);
	restart_policy_note_start(&policy);
	assert_int_equal(
		restart_policy_back_off(&policy, &spec, 60 * SECOND, LEAST), LEAST_OF(800000));
}

static void deaths_within_the_time_exceed_the_intensity(void **state)
{
	struct restart_policy policy = {0};

	(void)state;
	for (uint64_t i = 1; i <= 3; i++)
		assert_false(restart_policy_note_death(&policy, &spec, i * SECOND));
	assert_true(restart_policy_note_death(&policy, &spec, 11 * SECOND));
	restart_policy_done(&policy);
}

static void deaths_of_long_ago_do_not_count(void **state)
{
	struct restart_policy policy = {0};

	(void)state;
	for (uint64_t i = 1; i <= 3; i++)
		assert_false(restart_policy_note_death(&policy, &spec, i * SECOND));
	/* The first is out of it, then the second; the third is not. */
	assert_false(restart_policy_note_death(&policy, &spec, 11 * SECOND + 1));
	assert_false(restart_policy_note_death(&policy, &spec, 12 * SECOND + 1));
	assert_true(restart_policy_note_death(&policy, &spec, 13 * SECOND));
	restart_policy_done(&policy);
}

static void an_intensity_of_0_is_any_number(void **state)
{
	struct spec everlasting = {.backoff_usec = 10000, .intensity_usec = (int64_t)SECOND};
	struct restart_policy policy = {0};

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_false(restart_policy_note_death(&policy, &everlasting, SECOND));
	restart_policy_done(&policy);
}

static void what_was_is_forgiven(void **state)
{
	struct restart_policy policy = {0};

	(void)state;
	back_off_three_times(&policy);
	for (int i = 0; i < 3; i++)
		assert_false(restart_policy_note_death(&policy, &spec, SECOND));
	assert_true(restart_policy_note_death(&policy, &spec, SECOND));
	restart_policy_forgive(&policy);
	assert_int_equal(restart_policy_back_off(&policy, &spec, SECOND, LEAST), LEAST_OF(100000));
	for (int i = 0; i < 3; i++)
		assert_false(restart_policy_note_death(&policy, &spec, SECOND));
	assert_true(restart_policy_note_death(&policy, &spec, SECOND));
	restart_policy_done(&policy);
}

static void ends_that_are_mended_are_those_that_the_spec_names(void **state)
{
	struct spec other = {.restart = (char *)"always"};

	(void)state;
	assert_true(restart_policy_wants(&other, true));
	assert_true(restart_policy_wants(&other, false));
	other.restart = (char *)"onFailure";
	assert_false(restart_policy_wants(&other, true));
	assert_true(restart_policy_wants(&other, false));
	other.restart = (char *)"never";
	assert_false(restart_policy_wants(&other, true));
	assert_false(restart_policy_wants(&other, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(backoffs_double_up_to_their_most),
		leaks_test(a_long_backoff_stays_as_long),
		leaks_test(jitter_goes_a_quarter_to_either_side),
		leaks_test(one_that_was_ready_for_long_is_well_again),
		leaks_test(a_start_is_not_ready_yet),
		leaks_test(deaths_within_the_time_exceed_the_intensity),
		leaks_test(deaths_of_long_ago_do_not_count),
		leaks_test(an_intensity_of_0_is_any_number),
		leaks_test(what_was_is_forgiven),
		leaks_test(ends_that_are_mended_are_those_that_the_spec_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
