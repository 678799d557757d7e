/*
 * The heap of timers.
 */

#include "tests/unit/leaks.h"

#include <stdlib.h>

#include "libclient/timers.h"

#define MANY 1000

static void test_order(void **state)
{
	struct timers timers = {0};
	struct timer some[5] = {0};
	static const uint64_t at[] = {30, 10, 50, 20, 40};

	(void)state;
	assert_null(timers_peek(&timers));
	assert_null(timers_take(&timers, UINT64_MAX));
	assert_int_equal(timers_reserve(&timers, 5), 0);
	for (size_t i = 0; i < 5; i++)
		timers_add(&timers, &some[i], at[i]);
	assert_ptr_equal(timers_peek(&timers), &some[1]);
	assert_null(timers_take(&timers, 9));
	assert_ptr_equal(timers_take(&timers, 10), &some[1]);
	assert_null(timers_take(&timers, 10));
	assert_ptr_equal(timers_take(&timers, 100), &some[3]);
	assert_ptr_equal(timers_take(&timers, 100), &some[0]);
	assert_ptr_equal(timers_take(&timers, 100), &some[4]);
	assert_ptr_equal(timers_take(&timers, 100), &some[2]);
	assert_null(timers_peek(&timers));
	timers_done(&timers);
}

static void test_remove(void **state)
{
	struct timers timers = {0};
	struct timer one = {0}, two = {0};

	(void)state;
	timers_remove(&timers, &one);
	assert_int_equal(timers_reserve(&timers, 2), 0);
	timers_add(&timers, &one, 1);
	timers_add(&timers, &two, 2);
	timers_remove(&timers, &one);
	assert_int_equal(one.place, 0);
	timers_remove(&timers, &one);
	assert_ptr_equal(timers_take(&timers, 5), &two);
	assert_int_equal(two.place, 0);
	timers_done(&timers);
}

/* Against the plain truth: what is taken is never after what is left, and all comes out once. */
static void test_many_at_random(void **state)
{
	struct timers timers = {0};
	struct timer *many = calloc(MANY, sizeof(*many)), *taken;
	uint64_t last = 0;
	size_t n = MANY;

	(void)state;
	assert_non_null(many);
	srand(1);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(timers_reserve(&timers, i + 1), 0);
		timers_add(&timers, &many[i], (uint64_t)(rand() % 500));
	}
	for (size_t i = 0; i < MANY; i += 3) {
		timers_remove(&timers, &many[i]);
		n--;
	}
	while ((taken = timers_take(&timers, UINT64_MAX))) {
		assert_true(taken->at_usec >= last);
		assert_int_not_equal((taken - many) % 3, 0);
		last = taken->at_usec;
		n--;
	}
	assert_int_equal(n, 0);
	timers_done(&timers);
	free(many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(test_order),
		leaks_test(test_remove),
		leaks_test(test_many_at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
