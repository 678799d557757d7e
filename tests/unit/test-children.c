/*
 * Who was started for a connection: waited for once, and by nobody but who knows it.
 */

#include "tests/unit/leaks.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/actors/children.h"

static pid_t start(int status)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(status);
	return pid;
}

/* It has ended, and nobody has waited for it. */
static void await_end(pid_t pid)
{
	siginfo_t ended;

	assert_int_equal(waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT), 0);
}

static void add(struct children *children, pid_t pid)
{
	const struct child child = {.pid = pid};

	children_add(children, &child);
}

static void test_one_that_ends_before_it_is_known(void **state)
{
	struct children children;
	pid_t pid = start(3);
	int status = 0;

	(void)state;
	assert_int_equal(children_init(&children, 4), 0);
	await_end(pid);
	assert_int_equal(children_reap(&children, &status), 0);
	add(&children, pid);
	assert_int_equal(children_reap(&children, &status), pid);
	assert_int_equal(WEXITSTATUS(status), 3);
	assert_int_equal(children.n, 0);
	assert_int_equal(children_reap(&children, &status), 0);
	children_done(&children);
}

/* As spawner.c does when the program cannot be executed: its pid is free after that alone, and
 * there is nothing left of it that the next one with this pid could be taken for. */
static void test_one_that_somebody_else_waits_for(void **state)
{
	struct children children;
	pid_t failed = start(127), child;
	int status = 0;

	(void)state;
	assert_int_equal(children_init(&children, 4), 0);
	await_end(failed);
	assert_int_equal(children_reap(&children, &status), 0);
	assert_int_equal(waitpid(failed, NULL, 0), failed);
	child = start(0);
	add(&children, child);
	await_end(child);
	assert_int_equal(children_reap(&children, &status), child);
	assert_int_equal(children.n, 0);
	children_done(&children);
}

static void test_those_of_a_source(void **state)
{
	static const struct inko_ip home = {.version = 4, .bytes = {127, 0, 0, 1}},
				    other = {.version = 4, .bytes = {127, 0, 0, 2}};
	const struct child known = {.pid = 1 << 30, .has_source = true, .source.ip = home},
			   unknown = {.pid = (1 << 30) + 1};
	struct children children;

	(void)state;
	assert_int_equal(children_init(&children, 4), 0);
	children_add(&children, &known);
	children_add(&children, &known);
	children_add(&children, &unknown);
	assert_int_equal(children_count_of(&children, &home), 2);
	assert_int_equal(children_count_of(&children, &other), 0);
	children_done(&children);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(test_one_that_ends_before_it_is_known),
		leaks_test(test_one_that_somebody_else_waits_for),
		leaks_test(test_those_of_a_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
