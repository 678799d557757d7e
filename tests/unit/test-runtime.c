/*
 * Where the runtime directory is.
 */

#include "tests/unit/leaks.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/runtime.h"

static void clear_environment(void)
{
	assert_int_equal(unsetenv("INKO_RUNTIME_DIR"), 0);
	assert_int_equal(unsetenv("XDG_RUNTIME_DIR"), 0);
}

static void assert_directory(const char *option, const char *wanted)
{
	char path[PATH_MAX];

	assert_int_equal(runtime_directory(option, path), 0);
	assert_string_equal(path, wanted);
}

static void prefers_the_option(void **state)
{
	(void)state;
	clear_environment();
	assert_int_equal(setenv("INKO_RUNTIME_DIR", "/run/from-environment", 1), 0);
	assert_directory("/run/from-option", "/run/from-option");
	assert_directory("/run/from-option///", "/run/from-option");
	assert_directory("/", "/");
	assert_directory(NULL, "/run/from-environment");
}

static void has_a_default(void **state)
{
	char path[PATH_MAX];

	(void)state;
	clear_environment();
	assert_int_equal(setenv("INKO_RUNTIME_DIR", "", 1), 0);
	if (geteuid() == 0) {
		assert_directory(NULL, "/run/inko");
		return;
	}
	assert_int_equal(runtime_directory(NULL, path), -ENXIO);
	assert_int_equal(setenv("XDG_RUNTIME_DIR", "/run/user/7", 1), 0);
	assert_directory(NULL, "/run/user/7/inko");
}

static void makes_it_absolute(void **state)
{
	char before[PATH_MAX];

	(void)state;
	clear_environment();
	assert_non_null(getcwd(before, sizeof(before)));
	assert_int_equal(chdir("/usr"), 0);
	assert_directory("here", "/usr/here");
	assert_int_equal(setenv("INKO_RUNTIME_DIR", "there/", 1), 0);
	assert_directory(NULL, "/usr/there");
	assert_int_equal(chdir("/"), 0);
	assert_directory("here", "/here");
	assert_int_equal(chdir(before), 0);
}

static void refuses_what_no_socket_fits_in(void **state)
{
	char path[PATH_MAX], option[2 * PATH_MAX] = "/";
	const size_t most = 107 - strlen("/" RUNTIME_CONTROL);

	(void)state;
	clear_environment();
	assert_int_equal(runtime_directory("", path), -ENXIO);
	memset(option + 1, 'd', most - 1);
	assert_int_equal(runtime_directory(option, path), 0);
	option[most] = 'd';
	assert_int_equal(runtime_directory(option, path), -ENAMETOOLONG);
	memset(option + 1, 'd', PATH_MAX);
	assert_int_equal(runtime_directory(option, path), -ENAMETOOLONG);
}

static void joins_paths(void **state)
{
	char path[PATH_MAX], name[PATH_MAX] = "";

	(void)state;
	assert_int_equal(runtime_path("/run/inko", RUNTIME_CONTROL, path), 0);
	assert_string_equal(path, "/run/inko/io.inkod.Supervisor");
	memset(name, 'n', PATH_MAX - 1);
	assert_int_equal(runtime_path("", name, path), -ENAMETOOLONG);
	name[PATH_MAX - 2] = '\0';
	assert_int_equal(runtime_path("", name, path), 0);
}

static void makes_addresses(void **state)
{
	struct sockaddr_un address = {0};
	char directory[200] = "";

	(void)state;
	assert_int_equal(runtime_address("/run/inko", RUNTIME_KEEPER, &address), 0);
	assert_int_equal(address.sun_family, AF_UNIX);
	assert_string_equal(address.sun_path, "/run/inko/keeper");
	memset(directory, 'd', 107 - strlen("/" RUNTIME_KEEPER));
	assert_int_equal(runtime_address(directory, RUNTIME_KEEPER, &address), 0);
	directory[strlen(directory)] = 'd';
	assert_int_equal(runtime_address(directory, RUNTIME_KEEPER, &address), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(prefers_the_option),
		leaks_test(has_a_default),
		leaks_test(makes_it_absolute),
		leaks_test(refuses_what_no_socket_fits_in),
		leaks_test(joins_paths),
		leaks_test(makes_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
