/*
 * When the next supervisor is started, by the test's own clock: at once behind one that served, and
 * with longer and longer pauses behind those that do not come to that.
 */

#include "tests/unit/leaks.h"

#include <signal.h>

#include "daemon/keeper/life.h"

static siginfo_t make_end(int code, int status)
{
	siginfo_t info = {.si_code = code};

	info.si_pid = 1;
	info.si_status = status;
	return info;
}

#define NEVER UINT64_MAX

/* A life from now_msec on that serves for so long, or NEVER. How long the next one is waited for
 * then. */
static uint64_t live(struct life *life, uint64_t *now_msec, uint64_t served_msec)
{
	const siginfo_t killed = make_end(CLD_KILLED, SIGKILL);

	life->pid = 1;
	life->serving_since_msec = 0;
	*now_msec += 7;
	if (served_msec != NEVER) {
		life_serve(life, *now_msec);
		*now_msec += served_msec;
	}
	assert_true(life_due_msec(life) == UINT64_MAX);
	life_end(life, &killed, false, *now_msec);
	assert_true(life_due_msec(life) >= *now_msec);
	return life_due_msec(life) - *now_msec;
}

static void one_that_served_is_followed_at_once(void **state)
{
	struct life life;
	uint64_t now_msec = 1000;

	(void)state;
	life_init(&life);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(live(&life, &now_msec, 100), 0);
	assert_true(life_is_due(&life, now_msec));
}

/* Killed as soon as it serves, again and again; what it does then may be what ends it. */
static void those_that_serve_shortly_are_so_a_while(void **state)
{
	struct life life;
	uint64_t now_msec = 1000;

	(void)state;
	life_init(&life);
	for (int i = 0; i < 20; i++)
		assert_int_equal(live(&life, &now_msec, 1), 0);
	assert_int_equal(live(&life, &now_msec, 1), 10);
	assert_int_equal(live(&life, &now_msec, 1), 20);
	assert_int_equal(live(&life, &now_msec, 99), 40);
	assert_int_equal(live(&life, &now_msec, 100), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(live(&life, &now_msec, 1), 0);
}

static void those_that_do_not_come_up_are_slowed(void **state)
{
	struct life life;
	uint64_t now_msec = 1000;

	(void)state;
	life_init(&life);
	for (uint64_t delay = 10; delay < 5000; delay *= 2)
		assert_int_equal(live(&life, &now_msec, NEVER), delay);
	assert_int_equal(live(&life, &now_msec, NEVER), 5000);
	assert_int_equal(live(&life, &now_msec, NEVER), 5000);
	assert_int_equal(live(&life, &now_msec, 0), 0);
	assert_int_equal(live(&life, &now_msec, NEVER), 10);
}

static void one_that_made_room_is_followed_at_once(void **state)
{
	const siginfo_t exited = make_end(CLD_EXITED, 0), killed = make_end(CLD_KILLED, SIGKILL);
	struct life life;

	(void)state;
	life_init(&life);
	life.pid = 1;
	life_end(&life, &exited, true, 1000);
	assert_true(life_is_due(&life, 1000));
	/* Told to, it did not, but was killed. */
	life.pid = 1;
	life_end(&life, &killed, true, 2000);
	assert_false(life_is_due(&life, 2000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(one_that_served_is_followed_at_once),
		leaks_test(those_that_serve_shortly_are_so_a_while),
		leaks_test(those_that_do_not_come_up_are_slowed),
		leaks_test(one_that_made_room_is_followed_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
