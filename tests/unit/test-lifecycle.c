/*
 * The life of an instance, cell by cell.
 */

#include "tests/unit/leaks.h"

#include "daemon/supervisor/lifecycle.h"

static const enum lifecycle_state alive[] = {LIFECYCLE_STARTING, LIFECYCLE_READY, LIFECYCLE_LEAVING,
	LIFECYCLE_DRAINING, LIFECYCLE_TERMINATING, LIFECYCLE_KILLING};
static const enum lifecycle_state dead[] = {
	LIFECYCLE_STOPPED, LIFECYCLE_WAITING, LIFECYCLE_FAILED, LIFECYCLE_ENDED};

#define FOR_EACH(element, array)                                                                   \
	for (size_t index = 0, n = sizeof(array) / sizeof(*(array));                               \
		index < n && ((element) = (array)[index], 1); index++)

static void assert_step(enum lifecycle_state state, enum lifecycle_event event,
	enum lifecycle_state next, enum lifecycle_effect effect)
{
	struct lifecycle_step step = lifecycle_step(state, event);

	assert_int_equal(step.next, next);
	assert_int_equal(step.effect, effect);
}

static void a_whole_life(void **state)
{
	(void)state;
	assert_step(LIFECYCLE_STOPPED, LIFECYCLE_START, LIFECYCLE_STARTING, LIFECYCLE_SPAWN);
	assert_step(LIFECYCLE_STARTING, LIFECYCLE_NOTIFIED, LIFECYCLE_READY, LIFECYCLE_JOIN);
	assert_step(LIFECYCLE_READY, LIFECYCLE_STOP, LIFECYCLE_DRAINING, LIFECYCLE_DRAIN);
	assert_step(LIFECYCLE_DRAINING, LIFECYCLE_EXITED, LIFECYCLE_STOPPED, LIFECYCLE_BURY);
}

static void a_stop_that_needs_force(void **state)
{
	(void)state;
	assert_step(
		LIFECYCLE_DRAINING, LIFECYCLE_TIMEOUT, LIFECYCLE_TERMINATING, LIFECYCLE_TERMINATE);
	assert_step(LIFECYCLE_TERMINATING, LIFECYCLE_TIMEOUT, LIFECYCLE_KILLING, LIFECYCLE_KILL);
	assert_step(LIFECYCLE_KILLING, LIFECYCLE_TIMEOUT, LIFECYCLE_KILLING, LIFECYCLE_KILL);
	assert_step(LIFECYCLE_KILLING, LIFECYCLE_EXITED, LIFECYCLE_STOPPED, LIFECYCLE_BURY);
}

static void an_end_that_nobody_asked_for(void **state)
{
	(void)state;
	assert_step(LIFECYCLE_READY, LIFECYCLE_EXITED, LIFECYCLE_WAITING, LIFECYCLE_BURY);
	assert_step(LIFECYCLE_STARTING, LIFECYCLE_EXITED, LIFECYCLE_WAITING, LIFECYCLE_BURY);
	assert_step(LIFECYCLE_WAITING, LIFECYCLE_TIMEOUT, LIFECYCLE_STARTING, LIFECYCLE_SPAWN);
	assert_step(LIFECYCLE_READY, LIFECYCLE_EXCEEDED, LIFECYCLE_FAILED, LIFECYCLE_BURY);
	assert_step(LIFECYCLE_FAILED, LIFECYCLE_TIMEOUT, LIFECYCLE_FAILED, LIFECYCLE_NOTHING);
	assert_step(LIFECYCLE_FAILED, LIFECYCLE_START, LIFECYCLE_STARTING, LIFECYCLE_SPAWN);
}

static void an_end_that_was_said_before(void **state)
{
	(void)state;
	assert_step(LIFECYCLE_READY, LIFECYCLE_STOPPING, LIFECYCLE_LEAVING, LIFECYCLE_LEAVE);
	assert_step(LIFECYCLE_STARTING, LIFECYCLE_STOPPING, LIFECYCLE_LEAVING, LIFECYCLE_LEAVE);
	assert_step(LIFECYCLE_LEAVING, LIFECYCLE_NOTIFIED, LIFECYCLE_LEAVING, LIFECYCLE_NOTHING);
	assert_step(LIFECYCLE_LEAVING, LIFECYCLE_EXITED, LIFECYCLE_WAITING, LIFECYCLE_BURY);
	assert_step(LIFECYCLE_LEAVING, LIFECYCLE_TIMEOUT, LIFECYCLE_LEAVING, LIFECYCLE_KILL);
	assert_step(LIFECYCLE_LEAVING, LIFECYCLE_STOP, LIFECYCLE_DRAINING, LIFECYCLE_DRAIN);
	/* Who was told to end has nothing new to say. */
	assert_step(LIFECYCLE_DRAINING, LIFECYCLE_STOPPING, LIFECYCLE_DRAINING, LIFECYCLE_NOTHING);
}

static void an_end_that_is_not_mended(void **state)
{
	(void)state;
	assert_step(LIFECYCLE_READY, LIFECYCLE_FINISHED, LIFECYCLE_ENDED, LIFECYCLE_BURY);
	assert_step(LIFECYCLE_DRAINING, LIFECYCLE_FINISHED, LIFECYCLE_STOPPED, LIFECYCLE_BURY);
	assert_step(LIFECYCLE_ENDED, LIFECYCLE_TIMEOUT, LIFECYCLE_ENDED, LIFECYCLE_NOTHING);
	assert_step(LIFECYCLE_ENDED, LIFECYCLE_START, LIFECYCLE_STARTING, LIFECYCLE_SPAWN);
	assert_step(LIFECYCLE_ENDED, LIFECYCLE_STOP, LIFECYCLE_STOPPED, LIFECYCLE_NOTHING);
}

static void no_sign_of_life(void **state)
{
	(void)state;
	assert_step(LIFECYCLE_READY, LIFECYCLE_TIMEOUT, LIFECYCLE_READY, LIFECYCLE_ABORT);
}

/* A start that takes too long is killed, and its exit is one like any other. */
static void a_start_that_takes_too_long(void **state)
{
	(void)state;
	assert_step(LIFECYCLE_STARTING, LIFECYCLE_TIMEOUT, LIFECYCLE_STARTING, LIFECYCLE_KILL);
}

/* Whatever happens, an exit ends a process's states, and a stop ends up in none. */
static void exits_and_stops_from_every_state(void **state)
{
	enum lifecycle_state from;

	(void)state;
	FOR_EACH(from, alive)
	{
		assert_false(lifecycle_is_alive(lifecycle_step(from, LIFECYCLE_EXITED).next));
		assert_int_equal(lifecycle_step(from, LIFECYCLE_EXITED).effect, LIFECYCLE_BURY);
		assert_false(lifecycle_is_alive(lifecycle_step(from, LIFECYCLE_EXCEEDED).next));
		assert_int_not_equal(lifecycle_step(from, LIFECYCLE_STOP).next, LIFECYCLE_READY);
	}
	FOR_EACH(from, dead)
	{
		assert_step(from, LIFECYCLE_STOP, LIFECYCLE_STOPPED, LIFECYCLE_NOTHING);
		assert_step(from, LIFECYCLE_EXITED, from, LIFECYCLE_NOTHING);
		assert_step(from, LIFECYCLE_NOTIFIED, from, LIFECYCLE_NOTHING);
		assert_step(from, LIFECYCLE_START, LIFECYCLE_STARTING, LIFECYCLE_SPAWN);
	}
}

/* Only a spawn leads from a state without a process to one with. */
static void processes_come_from_spawns(void **state)
{
	enum lifecycle_state from;

	(void)state;
	FOR_EACH(from, dead)
	for (int event = 0; event < LIFECYCLE_EVENTS; event++) {
		struct lifecycle_step step = lifecycle_step(from, (enum lifecycle_event)event);

		assert_int_equal(
			lifecycle_is_alive(step.next) != 0, step.effect == LIFECYCLE_SPAWN);
	}
}

/* Whatever is to be done where a state is entered is done again by a supervisor that finds an
 * instance in it: the former one may not have come to it. */
static void nothing_is_left_undone(void **state)
{
	(void)state;
	for (int from = 0; from < LIFECYCLE_STATES; from++)
		for (int event = 0; event < LIFECYCLE_EVENTS; event++) {
			struct lifecycle_step step = lifecycle_step(
				(enum lifecycle_state)from, (enum lifecycle_event)event);

			if (step.effect == LIFECYCLE_NOTHING || step.next == LIFECYCLE_READY ||
				(int)step.next == from)
				continue;
			assert_int_equal(lifecycle_repeat(step.next), step.effect);
		}
	/* This is told with all others. */
	assert_int_equal(lifecycle_repeat(LIFECYCLE_READY), LIFECYCLE_NOTHING);
}

static void names_are_found_again(void **state)
{
	(void)state;
	for (int s = 0; s < LIFECYCLE_STATES; s++)
		assert_int_equal(lifecycle_find(lifecycle_name((enum lifecycle_state)s)), s);
	assert_int_equal(lifecycle_find("limbo"), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(a_whole_life),
		leaks_test(a_stop_that_needs_force),
		leaks_test(an_end_that_nobody_asked_for),
		leaks_test(an_end_that_was_said_before),
		leaks_test(an_end_that_is_not_mended),
		leaks_test(no_sign_of_life),
		leaks_test(a_start_that_takes_too_long),
		leaks_test(exits_and_stops_from_every_state),
		leaks_test(processes_come_from_spawns),
		leaks_test(nothing_is_left_undone),
		leaks_test(names_are_found_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
