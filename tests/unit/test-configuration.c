/*
 * What is a configuration, and where one is wrong.
 */

#include "tests/unit/leaks.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/supervisor/configuration-fault.h"
#include "daemon/supervisor/configuration-lookup.h"
#include "daemon/supervisor/configuration.h"

#define ACTOR(more) "{\"actors\":[{\"name\":\"web\",\"command\":[\"/bin/true\"]" more "}]"
#define OWN(listeners) ACTOR(",\"adapter\":\"activation\",\"listeners\":[" listeners "]")
#define LISTENER(more) ACTOR("") ",\"listeners\":[{\"address\":\"tcp://127.0.0.1:80\"," more "}]}"

static int parse(
	const char *text, struct configuration *configuration, struct configuration_fault *fault)
{
	const struct spec_asker asker = {.uid = geteuid(), .runtime = "/"};
	cJSON *object;
	int r;

	assert_int_equal(json_parse(text, strlen(text), &object), 0);
	r = configuration_parse(object, &asker, configuration, fault);
	cJSON_Delete(object);
	return r;
}

static void refuses(const char *text, const char *path, const char *reason)
{
	struct configuration configuration;
	struct configuration_fault fault;

	assert_int_equal(parse(text, &configuration, &fault), -EINVAL);
	assert_string_equal(fault.path, path);
	if (!strstr(fault.reason, reason))
		fail_msg("'%s' does not say '%s'", fault.reason, reason);
}

static void reads_actors_and_listeners(void **state)
{
	struct configuration configuration;
	struct configuration_fault fault;

	(void)state;
	assert_int_equal(
		parse(LISTENER("\"to\":\"web\",\"balance\":\"pull\""), &configuration, &fault), 0);
	assert_int_equal(configuration.n_actors, 1);
	assert_int_equal(configuration.n_listeners, 1);
	assert_non_null(configuration_lookup_actor(&configuration, "web"));
	assert_null(configuration_lookup_actor(&configuration, "we"));
	assert_non_null(configuration_lookup_listener(&configuration, "tcp-127.0.0.1-80"));
	assert_string_equal(configuration.listeners[0].request.balance, "pull");
	assert_int_equal(configuration.listeners[0].request.hold_usec, 60000000);
	configuration_done(&configuration);
	assert_int_equal(parse("{}", &configuration, &fault), 0);
	assert_int_equal(configuration.n_actors, 0);
	configuration_done(&configuration);
}

static void says_where_it_is_wrong(void **state)
{
	(void)state;
	refuses("{\"actor\":[]}", "actor", "no such field; did you mean actors?");
	refuses("{\"actors\":{}}", "actors", "array");
	refuses("{\"actors\":[1]}", "actors[0]", "no object");
	refuses(ACTOR(",\"drainUsec\":1") "}", "actors[0].drainUsec", "did you mean drainUSec?");
	refuses(ACTOR(",\"colour\":1") "}", "actors[0].colour", "there is no such field");
	refuses(ACTOR(",\"drainUSec\":\"10s\"") "}", "actors[0].drainUSec",
		"it is \"10s\", and may be a whole number from 1000 to 86400000000, in "
		"microseconds");
	refuses(ACTOR(",\"instances\":1000001") "}", "actors[0].instances",
		"it is 1000001, and may be a whole number from 0 to 1000");
	refuses(ACTOR(",\"directory\":\"x\"") "}", "actors[0].directory",
		"'x' is not an absolute path");
	refuses("{\"actors\":[{\"name\":\"a\"}]}", "actors[0].command",
		"missing, and must be an array of strings");
	refuses("{\"actors\":[{\"name\":\"acceptor\",\"command\":[\"/bin/true\"]}]}",
		"actors[0].name", "belongs to inkod");
	refuses("{\"actors\":[{\"name\":\"a\",\"command\":[\"/no/such\"]}]}", "actors[0].command",
		"/no/such");
	refuses(LISTENER("\"to\":\"web\",\"give\":\"web\""), "listeners[0].to", "one of the two");
	refuses(LISTENER("\"to\":\"web\",\"name\":\"a/b\""), "listeners[0].name", "a/b");
	refuses("{\"listeners\":[{\"address\":\"tcp://127.0.0.1:0\",\"to\":\"web\"}]}",
		"listeners[0].name", "port 0");
	refuses("{\"listeners\":[{\"address\":\"systemd:a b\",\"to\":\"web\"}]}",
		"listeners[0].name", "'systemd-a b'");
	refuses("{\"listeners\":[{\"address\":\"tcp://x\",\"to\":\"web\"}]}",
		"listeners[0].address", "tcp://x");
}

/* What an actor has of its own is a listener like the others. */
static void reads_the_listeners_of_actors(void **state)
{
	struct configuration configuration;
	struct configuration_fault fault;

	(void)state;
	assert_int_equal(parse(OWN("\"x=tcp://127.0.0.1:0\",\"tcp://127.0.0.1:1\"") "}",
				 &configuration, &fault),
		0);
	assert_int_equal(configuration.n_listeners, 2);
	assert_int_equal(configuration.n_own_listeners, 2);
	assert_string_equal(configuration.listeners[0].request.name, "x");
	assert_string_equal(configuration.listeners[1].request.name, "tcp-127.0.0.1-1");
	assert_string_equal(configuration.listeners[1].request.give, "web");
	assert_int_equal(configuration.listeners[1].place, 1);
	configuration_done(&configuration);
	refuses(OWN("\"http://x\"") "}", "actors[0].listeners", "http://x");
	refuses(OWN("\"tcp://127.0.0.1:0\"") "}", "actors[0].listeners", "port 0");
	refuses(OWN("\"a/b=tcp://127.0.0.1:1\"") "}", "actors[0].listeners", "'a/b'");
	refuses(OWN("\"a=tcp://127.0.0.1:1\",\"a=tcp://127.0.0.1:2\"") "}", "actors[0].listeners",
		"a is the name of actors[0].listeners already");
	refuses(OWN("\"a=tcp://127.0.0.1:1\"") ",\"listeners\":["
					       "{\"address\":\"tcp://127.0.0.1:1\",\"name\":\"b\",\"to\":\"c\"}]}",
		"listeners[0].address", "tcp://127.0.0.1:1 is the address of actors[0].listeners");
}

/* By the one table, and by the one check. */
static void refuses_a_spec_as_it_is_refused_elsewhere(void **state)
{
	(void)state;
	refuses(ACTOR(",\"user\":\"no-such-user\"") "}", "actors[0].user", "no-such-user");
	refuses(ACTOR(",\"limits\":[\"nofiles=1\"]") "}", "actors[0].limits", "nofiles");
	refuses(ACTOR(",\"capabilities\":[\"fly\"]") "}", "actors[0].capabilities", "fly");
	refuses(ACTOR(",\"restart\":\"on-failure\"") "}", "actors[0].restart",
		"'on-failure' is none of always, onFailure, never");
	refuses(ACTOR(",\"network\":\"some\"") "}", "actors[0].network", "none of host, none");
	refuses(ACTOR(",\"fdEnv\":\"X\"") "}", "actors[0].fdEnv", "goes with the adapter");
	refuses(ACTOR(",\"stopSignal\":\"SIGX\"") "}", "actors[0].stopSignal", "SIGX");
	refuses(ACTOR(",\"noNewPrivileges\":1") "}", "actors[0].noNewPrivileges",
		"it is 1, and may be true or false");
}

static void refuses_what_is_there_twice(void **state)
{
	(void)state;
	refuses("{\"actors\":[{\"name\":\"a\",\"command\":[\"/bin/true\"]},"
		"{\"name\":\"a\",\"command\":[\"/bin/true\"]}]}",
		"actors[1].name", "a is the name of actors[0] already");
	refuses("{\"listeners\":[{\"name\":\"x\",\"address\":\"tcp://127.0.0.1:1\",\"to\":\"a\"},"
		"{\"name\":\"x\",\"address\":\"tcp://127.0.0.1:2\",\"to\":\"a\"}]}",
		"listeners[1].name", "x is the name of listeners[0] already");
	refuses("{\"listeners\":[{\"name\":\"x\",\"address\":\"tcp://127.0.0.1:1\",\"to\":\"a\"},"
		"{\"name\":\"y\",\"address\":\"tcp://127.0.0.1:1\",\"to\":\"a\"}]}",
		"listeners[1].address", "is the address of listeners[0] already");
}

/* What inkod reads itself, as it begins. */
static void explains_what_is_no_json(void **state)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{"{\"a\":1,\n}", "it is no JSON object: line 2, column 1"},
		{"[]", "it is no JSON object: line 1, column 1"},
		{"", "it is no JSON object: line 1, column 1"},
		{"{}\n x", "it has something behind its end: line 2, column 2"},
		{"{\"a\":[{\"b\":1,\"b\":2}]}", "an object in it has two fields 'b'"},
		{"{\"a\":1e999}", "a number in it is too large"},
	};
	char reason[512];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		json_explain(cases[i].text, strlen(cases[i].text), reason, sizeof(reason));
		assert_memory_equal(reason, cases[i].reason, strlen(cases[i].reason));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(reads_actors_and_listeners),
		leaks_test(says_where_it_is_wrong),
		leaks_test(reads_the_listeners_of_actors),
		leaks_test(refuses_a_spec_as_it_is_refused_elsewhere),
		leaks_test(refuses_what_is_there_twice),
		leaks_test(explains_what_is_no_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
