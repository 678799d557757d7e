/*
 * What can be said of an actor, and what cannot.
 */

#include "tests/unit/leaks.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/supervisor/spec-check.h"

static const char runtime[] = "/run/inko";

static int check_for(
	uid_t uid, const char *json, struct spec *spec, const char **parameter, char reason[512])
{
	const struct spec_asker asker = {.uid = uid, .runtime = runtime};
	enum json_problem problem;
	cJSON *object;
	int r;

	spec_init(spec);
	assert_int_equal(json_parse(json, strlen(json), &object), 0);
	r = json_decode(object, spec_fields, spec, parameter, &problem);
	assert_int_equal(r, 0);
	cJSON_Delete(object);
	return spec_check(spec, &asker, parameter, reason);
}

static int check(const char *json, struct spec *spec, const char **parameter, char reason[512])
{
	return check_for(geteuid(), json, spec, parameter, reason);
}

static void refuses(const char *json, int error, const char *parameter)
{
	struct spec spec;
	const char *found;
	char reason[512] = "";

	assert_int_equal(check(json, &spec, &found, reason), error);
	assert_string_equal(found, parameter);
	assert_true(strlen(reason) > 10);
	spec_done(&spec);
}

static void takes_a_program_of_the_path(void **state)
{
	struct spec spec;
	const char *parameter;
	char reason[512];

	(void)state;
	assert_int_equal(setenv("PATH", "/nowhere:/usr/bin:/bin", 1), 0);
	assert_int_equal(
		check("{\"name\":\"a\",\"command\":[\"true\",\"-x\"]}", &spec, &parameter, reason),
		0);
	assert_int_equal(spec.command[0][0], '/');
	assert_string_equal(spec.command[1], "-x");
	assert_int_equal(spec.instances, 1);
	assert_int_equal(spec.intensity, 5);
	spec_done(&spec);
}

static void refuses_what_cannot_be(void **state)
{
	(void)state;
	refuses("{\"name\":\"a/b\",\"command\":[\"/bin/true\"]}", -EINVAL, "name");
	refuses("{\"name\":\"a\",\"command\":[]}", -EINVAL, "command");
	refuses("{\"name\":\"a\",\"command\":[\"no-such-program\"]}", -ENOENT, "command");
	refuses("{\"name\":\"a\",\"command\":[\"bin/true\"]}", -ENOENT, "command");
	refuses("{\"name\":\"a\",\"command\":[\"/tmp\"]}", -ENOENT, "command");
	refuses("{\"name\":\"a\",\"command\":[\"/bin/true\"],\"directory\":\"tmp\"}", -EINVAL,
		"directory");
	refuses("{\"name\":\"a\",\"command\":[\"/bin/true\"],\"environment\":[\"A\"]}", -EINVAL,
		"environment");
	refuses("{\"name\":\"a\",\"command\":[\"/bin/true\"],\"environment\":[\"=A\"]}", -EINVAL,
		"environment");
	refuses("{\"name\":\"a\",\"command\":[\"/bin/true\"],\"opens\":[\"x/y\"]}", -EINVAL,
		"opens");
}

static void survives_the_keeper(void **state)
{
	static const char json[] =
		"{\"name\":\"a\",\"command\":[\"/bin/true\"],\"opens\":[\"b\",\"c\"],\"queue\":16}";
	struct spec first, second;
	const char *field;
	enum json_problem problem;
	char reason[512];
	cJSON *held;

	(void)state;
	assert_int_equal(check(json, &first, &field, reason), 0);
	held = json_encode(spec_fields, &first);
	spec_init(&second);
	assert_int_equal(json_decode(held, spec_fields, &second, &field, &problem), 0);
	assert_string_equal(second.name, "a");
	assert_string_equal(second.opens[1], "c");
	assert_null(second.opens[2]);
	assert_int_equal(second.queue, 16);
	assert_null(second.environment);
	cJSON_Delete(held);
	spec_done(&first);
	spec_done(&second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(takes_a_program_of_the_path),
		leaks_test(refuses_what_cannot_be),
		leaks_test(survives_the_keeper),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
