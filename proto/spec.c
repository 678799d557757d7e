#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"
#include "proto/spec.h"

#define MILLISECOND INT64_C(1000)
#define SECOND (1000 * MILLISECOND)
#define DAY (24 * 3600 * SECOND)

#define NAMED(name, type, member, required)                                                        \
	name, type, offsetof(struct spec, member), required, 0, 0
#define RANGED(name, member, min, max)                                                             \
	name, JSON_INTEGER, offsetof(struct spec, member), false, min, max
#define ABOUT(...)                                                                                 \
	&(const struct spec_about)                                                                 \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}

/* In the order of Spawn in the .varlink file. Times are bounded so that a slip of the hand (0, a
 * year) does not pass for a deadline. */
/* clang-format off */
const struct json_field spec_fields[] = {
	{NAMED("name", JSON_STRING, name, true), NULL},
	{NAMED("command", JSON_STRINGS, command, true), NULL},
	{NAMED("description", JSON_STRING, description, false),
		ABOUT("--description", SPEC_TEXT, "TEXT", NULL, 0, NULL, SPEC_AT_ONCE,
			"what it is for, in a line")},
	{NAMED("adapter", JSON_STRING, adapter, false),
		ABOUT("--adapter", SPEC_CHOICE, "mailbox|activation|stdio", "mailbox", 0, NULL, SPEC_AT_START,
			"activation: it takes listeners as from systemd; stdio: a process a connection")},
	{NAMED("listeners", JSON_STRINGS, listeners, false),
		ABOUT("--listener", SPEC_TEXTS, "[NAME=]ADDRESS", NULL, 0, NULL, SPEC_AT_START,
			"with activation: a listener of its own, in LISTEN_FDS; may be repeated")},
	{NAMED("fdEnv", JSON_STRING, fd_env, false),
		ABOUT("--fd-env", SPEC_TEXT, "VARIABLE", NULL, 0, NULL, SPEC_AT_START,
			"with activation: a variable that is 3;4;, as nginx's NGINX")},
	{NAMED("nonBlocking", JSON_BOOLEAN, non_blocking, false),
		ABOUT("--non-blocking", SPEC_YES_NO, "yes|no", NULL, false, NULL, SPEC_AT_START,
			"with activation: its listeners have O_NONBLOCK set, as they have with --fd-env")},
	{RANGED("instances", instances, 0, LIMIT_INSTANCES),
		ABOUT("--instances", SPEC_NUMBER, "N", NULL, 1, NULL, SPEC_AT_ONCE,
			"how many processes of it run")},
	{NAMED("user", JSON_STRING, user, false),
		ABOUT("--user", SPEC_TEXT, "USER", NULL, 0, "CAP_SETUID", SPEC_AT_START,
			"who it runs as; without it, who asks")},
	{NAMED("group", JSON_STRING, group, false),
		ABOUT("--group", SPEC_TEXT, "GROUP", NULL, 0, "CAP_SETGID", SPEC_AT_START,
			"its group; without it, the user's")},
	{NAMED("supplementaryGroups", JSON_STRINGS, supplementary_groups, false),
		ABOUT("--supplementary-group", SPEC_TEXTS, "GROUP", NULL, 0, "CAP_SETGID", SPEC_AT_START,
			"a group besides those of the user; may be repeated")},
	{NAMED("directory", JSON_STRING, directory, false),
		ABOUT("--directory", SPEC_PATH, "DIR", "/", 0, NULL, SPEC_AT_START,
			"where it runs")},
	{NAMED("environment", JSON_STRINGS, environment, false),
		ABOUT("--env", SPEC_VARIABLE, "K=V", NULL, 0, NULL, SPEC_AT_START,
			"a variable of its environment; may be repeated")},
	{NAMED("umask", JSON_STRING, umask, false),
		ABOUT("--umask", SPEC_TEXT, "OCTAL", "0022", 0, NULL, SPEC_AT_START,
			"permissions that files it makes do not get")},
	{RANGED("nice", nice, -20, 19),
		ABOUT("--nice", SPEC_NUMBER, "N", NULL, 0, "CAP_SYS_NICE", SPEC_AT_START,
			"its priority, -20 (first) to 19 (last); 0 is inkod's own")},
	{NAMED("limits", JSON_STRINGS, limits, false),
		ABOUT("--limit", SPEC_TEXTS, "NAME=SOFT[:HARD]", NULL, 0, "CAP_SYS_RESOURCE", SPEC_AT_START,
			"a resource limit, such as nofile=1024:4096 or core=infinity; may be repeated")},
	{NAMED("noNewPrivileges", JSON_BOOLEAN, no_new_privileges, false),
		ABOUT("--no-new-privileges", SPEC_YES_NO, "yes|no", NULL, true, "CAP_SETPCAP", SPEC_AT_START,
			"setuid programs and the like give it no more than it has")},
	{NAMED("capabilities", JSON_STRINGS, capabilities, false),
		ABOUT("--capability", SPEC_TEXTS, "NAME", NULL, 0, NULL, SPEC_AT_START,
			"a capability that it keeps, such as net_bind_service, or all; may be repeated")},
	{NAMED("network", JSON_STRING, network, false),
		ABOUT("--network", SPEC_CHOICE, "host|none", "host", 0, "CAP_SYS_ADMIN", SPEC_AT_START,
			"none: no network but the sockets that it is handed")},
	{NAMED("opens", JSON_STRINGS, opens, false),
		ABOUT("--opens", SPEC_TEXTS, "NAME", NULL, 0, NULL, SPEC_AT_START,
			"an actor that it may send to; may be repeated")},
	{RANGED("queue", queue, LIMIT_QUEUE_MIN, 1 << 20),
		ABOUT("--queue", SPEC_NUMBER, "N", NULL, LIMIT_QUEUE_DEFAULT, NULL, SPEC_AT_START,
			"messages that a lane into a mailbox holds")},
	{RANGED("concurrency", concurrency, 1, LIMIT_CONCURRENCY),
		ABOUT("--concurrency", SPEC_NUMBER, "N", NULL, LIMIT_CONCURRENCY_DEFAULT, NULL, SPEC_AT_START,
			"connections that an instance with libinko or stdio serves at once")},
	{RANGED("maxPerSource", max_per_source, 0, LIMIT_CONCURRENCY),
		ABOUT("--max-per-source", SPEC_NUMBER, "N", NULL, 0, NULL, SPEC_AT_START,
			"with stdio: connections of an address that an instance serves at once; 0: any number")},
	{NAMED("restart", JSON_STRING, restart, false),
		ABOUT("--restart", SPEC_CHOICE, "always|on-failure|never", "always", 0, NULL, SPEC_AT_ONCE,
			"whether an instance that ended by itself is started again")},
	{RANGED("backoffUSec", backoff_usec, MILLISECOND, DAY),
		ABOUT("--backoff", SPEC_TIME, "TIME", NULL, 100 * MILLISECOND, NULL, SPEC_AT_ONCE,
			"pause before the first restart, doubling up to 30s")},
	{RANGED("intensity", intensity, 0, 1000),
		ABOUT("--intensity", SPEC_RATE, "N/TIME", NULL, 5, NULL, SPEC_AT_ONCE,
			"so many restarts of an instance in TIME and it has failed; off: never")},
	{RANGED("intensityUSec", intensity_usec, MILLISECOND, DAY),
		ABOUT(NULL, SPEC_TIME, NULL, NULL, 10 * SECOND, NULL, SPEC_AT_ONCE, NULL)},
	{RANGED("startUSec", start_usec, MILLISECOND, DAY),
		ABOUT("--start", SPEC_TIME, "TIME", NULL, 30 * SECOND, NULL, SPEC_AT_ONCE,
			"time to become ready")},
	{RANGED("readyAfterUSec", ready_after_usec, 0, DAY),
		ABOUT("--ready-after", SPEC_TIME, "TIME", NULL, 0, NULL, SPEC_AT_ONCE,
			"it does not say READY=1, and counts as ready so long after its start")},
	{NAMED("readyCheck", JSON_STRING, ready_check, false),
		ABOUT("--ready-check", SPEC_TEXT, "ADDRESS", NULL, 0, NULL, SPEC_AT_ONCE,
			"the same, as soon as somebody listens on an address of its own")},
	{RANGED("settleUSec", settle_usec, 0, DAY),
		ABOUT("--settle", SPEC_TIME, "TIME", NULL, SPEC_BY_ADAPTER, NULL, SPEC_AT_ONCE,
			"in a roll: how long a new instance stays ready before an old one goes (activation 1s, else 0s)")},
	{RANGED("watchdogUSec", watchdog_usec, 0, DAY),
		ABOUT("--watchdog", SPEC_TIME, "TIME", NULL, 0, NULL, SPEC_AT_START,
			"it says WATCHDOG=1 at least so often, or is killed; 0: it need not")},
	{NAMED("stopSignal", JSON_STRING, stop_signal, false),
		ABOUT("--stop-signal", SPEC_TEXT, "SIGNAL", "SIGTERM", 0, NULL, SPEC_AT_ONCE,
			"the signal that ends it")},
	{NAMED("reloadSignal", JSON_STRING, reload_signal, false),
		ABOUT("--reload-signal", SPEC_TEXT, "SIGNAL", "SIGHUP", 0, NULL, SPEC_AT_ONCE,
			"the signal at which it reads its configuration again")},
	{NAMED("reloadCommand", JSON_STRING, reload_command, false),
		ABOUT("--reload-command", SPEC_TEXT, "LINE", NULL, 0, NULL, SPEC_AT_ONCE,
			"what a shell does for that in place of the signal; MAINPID is the instance")},
	{NAMED("reloadNotify", JSON_BOOLEAN, reload_notify, false),
		ABOUT("--reload-notify", SPEC_YES_NO, "yes|no", NULL, false, NULL, SPEC_AT_ONCE,
			"it says RELOADING=1 then, and READY=1 when it has read it")},
	{RANGED("drainUSec", drain_usec, MILLISECOND, DAY),
		ABOUT("--drain", SPEC_TIME, "TIME", NULL, 10 * SECOND, NULL, SPEC_AT_ONCE,
			"time to finish what it serves when it is stopped")},
	{RANGED("stopUSec", stop_usec, MILLISECOND, DAY),
		ABOUT("--stop", SPEC_TIME, "TIME", NULL, 5 * SECOND, NULL, SPEC_AT_ONCE,
			"time after that between the stop signal and SIGKILL")},
	JSON_FIELDS_END,
};
/* clang-format on */

const struct json_field *spec_find(const char *name)
{
	const struct json_field *field = spec_fields;

	while (strcmp(field->name, name) != 0)
		field++;
	return field;
}

const struct spec_about *spec_about(const struct json_field *field)
{
	return field->about;
}

bool spec_counts_at_once(const struct json_field *field)
{
	return field->about && spec_about(field)->counts == SPEC_AT_ONCE;
}

void spec_init(struct spec *spec)
{
	*spec = (struct spec){0};
	for (const struct json_field *field = spec_fields; field->name; field++) {
		const struct spec_about *about = spec_about(field);
		void *member = (char *)spec + field->offset;

		if (field->type == JSON_INTEGER)
			*(int64_t *)member = about->initial;
		else if (field->type == JSON_BOOLEAN)
			*(bool *)member = about->initial;
	}
}

static void drop_if_empty(char ***strings)
{
	if (*strings && !**strings)
		*strings = json_strings_free(*strings);
}

/* A program that knows systemd may say that it is ready before it has loaded what it serves with.
 */
static int64_t find_settle_usec(const struct spec *spec)
{
	return strcmp(spec->adapter, SPEC_ACTIVATION) == 0 ? SECOND : 0;
}

int spec_complete(struct spec *spec)
{
	for (const struct json_field *field = spec_fields; field->name; field++) {
		const struct spec_about *about = spec_about(field);
		char **member = (char **)((char *)spec + field->offset);

		if (field->type == JSON_STRINGS && !field->required)
			drop_if_empty((char ***)member);
		if (!about || !about->initial_text || *member)
			continue;
		*member = strdup(about->initial_text);
		if (!*member)
			return -ENOMEM;
	}
	if (spec->settle_usec == SPEC_BY_ADAPTER)
		spec->settle_usec = find_settle_usec(spec);
	return 0;
}

void spec_done(struct spec *spec)
{
	json_release(spec_fields, spec);
}

static int keep_privileges(struct spec *spec)
{
	spec->no_new_privileges = false;
	spec->capabilities = json_strings_free(spec->capabilities);
	spec->capabilities = calloc(2, sizeof(*spec->capabilities));
	if (spec->capabilities)
		spec->capabilities[0] = strdup(SPEC_ALL_CAPABILITIES);
	return spec->capabilities && spec->capabilities[0] ? 0 : -ENOMEM;
}

int spec_decode_held(const cJSON *object, struct spec *spec)
{
	const char *field;
	enum json_problem problem;
	int r = json_decode(object, spec_fields, spec, &field, &problem);

	if (r == 0 && !cJSON_HasObjectItem(object, "noNewPrivileges"))
		r = keep_privileges(spec);
	return r < 0 ? r : spec_complete(spec);
}
