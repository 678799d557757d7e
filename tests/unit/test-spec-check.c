/*
 * What can be said of an actor, and what cannot.
 */

#include "tests/unit/leaks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/supervisor/spec-check.h"
#include "proto/json.h"

/* A runtime directory that others may pass through. */
static char runtime[] = "/tmp/test-spec-check-XXXXXX";

static int make_runtime(void **state)
{
	char notify[sizeof(runtime) + 8];

	(void)state;
	assert_non_null(mkdtemp(runtime));
	(void)snprintf(notify, sizeof(notify), "%s/notify", runtime);
	return chmod(runtime, 0711) == 0 && mkdir(notify, 0711) == 0 ? 0 : -1;
}

static int remove_runtime(void **state)
{
	char notify[sizeof(runtime) + 8];

	(void)state;
	(void)snprintf(notify, sizeof(notify), "%s/notify", runtime);
	return rmdir(notify) == 0 && rmdir(runtime) == 0 ? 0 : -1;
}

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
	refuses("{\"name\":\"a\",\"command\":[\"/bin/true\"],\"directory\":\"/nonexistent\"}",
		-EINVAL, "directory");
	refuses("{\"name\":\"a\",\"command\":[\"/bin/true\"],\"directory\":\"/etc/passwd\"}",
		-EINVAL, "directory");
	refuses("{\"name\":\"a\",\"command\":[\"/bin/true\"],\"environment\":[\"A\"]}", -EINVAL,
		"environment");
	refuses("{\"name\":\"a\",\"command\":[\"/bin/true\"],\"environment\":[\"=A\"]}", -EINVAL,
		"environment");
	refuses("{\"name\":\"a\",\"command\":[\"/bin/true\"],\"environment\":[\"WATCHDOG_PID=1\"]}",
		-EINVAL, "environment");
	refuses("{\"name\":\"a\",\"command\":[\"/bin/true\"],\"adapter\":\"activation\","
		"\"fdEnv\":\"LISTEN_PID\"}",
		-EINVAL, "fdEnv");
	refuses("{\"name\":\"a\",\"command\":[\"/bin/true\"],\"limits\":[\"locks=1\"]}", -EINVAL,
		"limits");
	refuses("{\"name\":\"a\",\"command\":[\"/bin/true\"],\"opens\":[\"x/y\"]}", -EINVAL,
		"opens");
}

static void refuses_for(uid_t uid, const char *json, const char *parameter)
{
	struct spec spec;
	const char *found;
	char reason[512] = "";

	assert_int_equal(check_for(uid, json, &spec, &found, reason), -EINVAL);
	assert_string_equal(found, parameter);
	assert_non_null(strstr(reason, "only root"));
	spec_done(&spec);
}

/* Whoever asks for an actor is who it runs as, and gets by it what is theirs alone. */
static void who_asks_is_who_it_runs_as(void **state)
{
	static const char plain[] = "{\"name\":\"a\",\"command\":[\"/bin/true\"]}";
	const uid_t somebody = 4242;
	struct spec spec;
	const char *parameter;
	char reason[512];

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(check_for(0, plain, &spec, &parameter, reason), 0);
	assert_null(spec.user);
	spec_done(&spec);
	assert_int_equal(check_for(somebody, plain, &spec, &parameter, reason), 0);
	assert_string_equal(spec.user, "4242");
	spec_done(&spec);
	refuses_for(
		somebody, "{\"name\":\"a\",\"command\":[\"/bin/true\"],\"user\":\"root\"}", "user");
	refuses_for(somebody, "{\"name\":\"a\",\"command\":[\"/bin/true\"],\"group\":\"daemon\"}",
		"group");
	refuses_for(somebody,
		"{\"name\":\"a\",\"command\":[\"/bin/true\"],\"supplementaryGroups\":[\"0\"]}",
		"supplementaryGroups");
	refuses_for(somebody, "{\"name\":\"a\",\"command\":[\"/bin/true\"],\"nice\":-1}", "nice");
	refuses_for(somebody,
		"{\"name\":\"a\",\"command\":[\"/bin/true\"],\"limits\":[\"core=infinity\","
		"\"nofile=infinity\"]}",
		"limits");
	refuses_for(somebody,
		"{\"name\":\"a\",\"command\":[\"/bin/true\"],\"capabilities\":[\"all\"]}",
		"capabilities");
	refuses_for(somebody,
		"{\"name\":\"a\",\"command\":[\"/bin/true\"],\"capabilities\":[\"chown\"]}",
		"capabilities");
}

static void check_held(const char *json, bool no_new_privileges, const char *capability)
{
	struct spec spec;
	cJSON *object;

	spec_init(&spec);
	assert_int_equal(json_parse(json, strlen(json), &object), 0);
	assert_int_equal(spec_decode_held(object, &spec), 0);
	assert_int_equal(spec.no_new_privileges, no_new_privileges);
	assert_string_equal(spec.stop_signal, "SIGTERM");
	if (capability)
		assert_string_equal(spec.capabilities[0], capability);
	else
		assert_null(spec.capabilities);
	cJSON_Delete(object);
	spec_done(&spec);
}

/* What a former inkod had started with all that it had itself does not lose it by an upgrade. */
static void a_former_spec_keeps_its_privileges(void **state)
{
	(void)state;
	check_held("{\"name\":\"a\",\"command\":[\"/bin/true\"]}", false, "all");
	check_held("{\"name\":\"a\",\"command\":[\"/bin/true\"],\"noNewPrivileges\":true}", true,
		NULL);
}

/* As GetStatus tells them. */
static void empty_arrays_are_none(void **state)
{
	struct spec spec;
	const char *parameter;
	char reason[512] = "";

	(void)state;
	assert_int_equal(check("{\"name\":\"a\",\"command\":[\"/bin/true\"],\"adapter\":\"stdio\","
			       "\"listeners\":[],\"opens\":[],\"environment\":[],\"limits\":[],"
			       "\"capabilities\":[],\"supplementaryGroups\":[]}",
				 &spec, &parameter, reason),
		0);
	for (const struct json_field *field = spec_fields; field->name; field++)
		if (field->type == JSON_STRINGS && !field->required)
			assert_null(*(char ***)((char *)&spec + field->offset));
	spec_done(&spec);
	/* Who asks gains no groups by them, and needs no right. */
	assert_int_equal(check_for(12345,
				 "{\"name\":\"a\",\"command\":[\"/bin/true\"],"
				 "\"supplementaryGroups\":[]}",
				 &spec, &parameter, reason),
		geteuid() == 0 ? 0 : -EINVAL);
	spec_done(&spec);
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
		leaks_test(empty_arrays_are_none),
		leaks_test(who_asks_is_who_it_runs_as),
		leaks_test(a_former_spec_keeps_its_privileges),
		leaks_test(survives_the_keeper),
	};

	return cmocka_run_group_tests(tests, make_runtime, remove_runtime);
}
