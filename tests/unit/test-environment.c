/*
 * The environment of an actor's process. Under valgrind: nothing is written behind a string.
 */

#include "tests/unit/leaks.h"

#include <string.h>

#include "daemon/supervisor/environment.h"
#include "daemon/supervisor/process.h"

static const char *find(char **strings, const char *name)
{
	size_t length = strlen(name);

	for (; *strings; strings++)
		if (strncmp(*strings, name, length) == 0 && (*strings)[length] == '=')
			return *strings + length + 1;
	return NULL;
}

static void assert_variable(char **strings, const char *name, const char *value)
{
	const char *found = find(strings, name);

	assert_non_null(found);
	assert_string_equal(found, value);
}

/* A spec that an earlier inkod let pass: its own words stay where ours are not needed. */
static void a_number_goes_where_there_is_room_for_it(void **state)
{
	char listen[] = "LISTEN_PID=", watchdog[] = "WATCHDOG_PID=x", numbers[] = "LISTEN_PID";
	char *variables[] = {listen, watchdog, NULL};
	const struct confinement confinement = {0};
	struct spec spec = {.environment = variables};
	struct process_plan plan = {.spec = &spec,
		.confinement = &confinement,
		.instance = "web/0",
		.runtime = "/r",
		.notify_path = "/r/n",
		.fd_names = ""};
	struct environment *environment;
	char **strings;

	(void)state;
	assert_int_equal(environment_new(&plan, &environment), 0);
	strings = environment_finish(environment, 1234567);
	assert_variable(strings, "LISTEN_PID", "");
	assert_variable(strings, "WATCHDOG_PID", "x");
	environment_free(environment);

	spec.watchdog_usec = 1;
	spec.fd_env = numbers;
	plan.n_fds = plan.n_listeners = 1;
	assert_int_equal(environment_new(&plan, &environment), 0);
	strings = environment_finish(environment, 1234567);
	assert_variable(strings, "LISTEN_PID", "1234567");
	assert_variable(strings, "WATCHDOG_PID", "1234567");
	environment_free(environment);
}

static void what_inkod_says_itself(void **state)
{
	(void)state;
	assert_string_equal(environment_find_own("WATCHDOG_PID=x"), "WATCHDOG_PID");
	assert_string_equal(environment_find_own("LISTEN_FDS"), "LISTEN_FDS");
	assert_null(environment_find_own("LISTEN_FDS_START=3"));
	assert_null(environment_find_own("PATH=/bin"));
	assert_null(environment_find_own(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(a_number_goes_where_there_is_room_for_it),
		leaks_test(what_inkod_says_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
