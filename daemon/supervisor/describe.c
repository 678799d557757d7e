#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/actor-state.h"
#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/adapter.h"
#include "daemon/supervisor/builtin.h"
#include "daemon/supervisor/client.h"
#include "daemon/supervisor/count.h"
#include "daemon/supervisor/describe.h"
#include "daemon/supervisor/listener.h"
#include "daemon/supervisor/output.h"
#include "daemon/supervisor/routing.h"
#include "proto/descriptor.h"
#include "proto/json-fields.h"
#include "proto/json.h"

#define INTERFACE "io.inkod.Supervisor."

static const struct {
	const char *error, *member;
} subjects[] = {
	{"NoSuchActor", "actor"},
	{"NoSuchListener", "listener"},
	{"NameInUse", "name"},
	{"AddressInUse", "address"},
	{"AddressNotUsable", "address"},
	{"NoSuchProgram", "program"},
	{"StartFailed", "actor"},
	{"RollFailed", "actor"},
	{"ListenerGiven", "listener"},
	{"StillRouted", "actor"},
	{"MailboxFull", "mailbox"},
	{"NobodyReady", "mailbox"},
	{"InvalidValue", "parameter"},
	{"InvalidConfiguration", "path"},
	{"ApplyFailed", "name"},
};

/* What could not be executed was not to be ready. */
static const char *describe_when(const struct instance *instance)
{
	if (instance->is_late || instance->never_ran)
		return "";
	return instance->was_brief ? " within settleUSec (--settle) of being ready"
				   : " before it was ready";
}

/* What it may have lacked, of one that ran well enough as far as anybody can see. */
static char *describe_lack(const struct instance *instance, const char *ended)
{
	const struct spec *spec = &instance->actor->spec;
	char *text = NULL;
	int r;

	if ((!instance->is_late && strcmp(ended, "exited with status 0") != 0) ||
		instance->was_ready || spec->ready_after_usec > 0)
		return strdup("");
	if (spec->ready_check)
		r = asprintf(&text, "; nobody listened at %s", spec->ready_check);
	else
		r = asprintf(&text,
			"; a program is ready when it says READY=1 (sd_notify(3)); for one that "
			"does not there are --ready-after and --ready-check");
	return r < 0 ? NULL : text;
}

char *describe_end(const struct instance *instance)
{
	const char *ended = instance->last_exit ? instance->last_exit : "ended";
	/* What follows a comma says more of it. */
	int status = (int)strcspn(ended, ",");
	_cleanup_free_ char *lack = describe_lack(instance, ended);
	char line[256], *text;

	output_last_line(instance->actor->supervisor->output, instance->name, line, sizeof(line));
	if (asprintf(&text, "%s %.*s%s%s%s%s%s", instance->name, status, ended,
		    describe_when(instance), ended + status, lack ? lack : "",
		    *line ? "; it said: " : "", line) < 0)
		return NULL;
	return text;
}

static cJSON *describe_instance(const struct instance *instance)
{
	int64_t lost = output_count_lost(instance->actor->supervisor->output, instance->name);
	cJSON *object = cJSON_CreateObject();

	(void)cJSON_AddStringToObject(object, "name", instance->name);
	(void)cJSON_AddStringToObject(object, "state", lifecycle_name(instance->state));
	if (instance->process.pid > 0)
		(void)cJSON_AddNumberToObject(object, "pid", (double)instance->process.pid);
	(void)cJSON_AddNumberToObject(object, "generation", (double)instance->generation);
	if (instance->is_retiring)
		(void)cJSON_AddTrueToObject(object, "retiring");
	(void)cJSON_AddNumberToObject(object, "restarts", (double)instance->restarts);
	(void)cJSON_AddNumberToObject(object, "messages", instance->n_waiting);
	if (instance->is_stalled)
		(void)cJSON_AddStringToObject(object, "status", "does not read its mailbox");
	else if (instance->status && instance->process.pid > 0)
		(void)cJSON_AddStringToObject(object, "status", instance->status);
	if (instance->is_reloading)
		(void)cJSON_AddTrueToObject(object, "reloading");
	if (instance->refused)
		(void)cJSON_AddStringToObject(object, "refused", instance->refused);
	if (!TAILQ_EMPTY(&instance->stored))
		(void)cJSON_AddNumberToObject(object, "stored", stored_count(instance));
	if (instance->last_exit)
		(void)cJSON_AddStringToObject(object, "lastExit", instance->last_exit);
	if (lost > 0)
		(void)cJSON_AddItemToObject(object, "lostOutputBytes", json_new_integer(lost));
	return object;
}

static void ensure_array(cJSON *object, const char *name)
{
	if (!cJSON_GetObjectItemCaseSensitive(object, name))
		(void)cJSON_AddArrayToObject(object, name);
}

const char *describe_origin(bool is_configured)
{
	return is_configured ? "configuration" : "hand";
}

/* What waits for it was counted. */
static cJSON *describe_counted(const struct actor *actor)
{
	cJSON *object = json_encode(spec_fields, &actor->spec), *instances;
	_cleanup_free_ char *endpoint = NULL;
	const struct instance *instance;

	for (const struct json_field *field = spec_fields; field->name; field++)
		if (field->type == JSON_STRINGS)
			ensure_array(object, field->name);
	(void)cJSON_AddStringToObject(object, "state", actor_state(actor));
	(void)cJSON_AddBoolToObject(object, "builtin", actor->is_builtin);
	if (!actor->is_builtin)
		(void)cJSON_AddStringToObject(
			object, "origin", describe_origin(actor->is_configured));
	(void)cJSON_AddNumberToObject(object, "generation", (double)actor->generation);
	(void)cJSON_AddItemToObject(object, "restarts", json_new_integer(count_restarts(actor)));
	(void)cJSON_AddBoolToObject(object, "rolling", roll_is_under_way(actor));
	if (actor->roll.failure)
		(void)cJSON_AddStringToObject(object, "rollFailure", actor->roll.failure);
	if (!actor->is_builtin && adapter_takes_messages(&actor->spec) &&
		actor_find(actor->supervisor, BUILTIN_GATEWAY)) {
		endpoint = builtin_endpoint(actor->supervisor, actor);
		(void)cJSON_AddStringToObject(object, "endpoint", endpoint);
	}
	/* In a spec it is how many, here it is which. */
	cJSON_DeleteItemFromObjectCaseSensitive(object, "instances");
	instances = cJSON_AddArrayToObject(object, "instances");
	TAILQ_FOREACH(instance, &actor->instances, entries)
		(void)cJSON_AddItemToArray(instances, describe_instance(instance));
	return object;
}

cJSON *describe_actor(const struct actor *actor)
{
	routing_count_waiting(actor->supervisor, actor);
	return describe_counted(actor);
}

cJSON *describe_actors(struct supervisor *supervisor, const struct actor *only)
{
	cJSON *array = cJSON_CreateArray();
	const struct actor *actor;

	routing_count_waiting(supervisor, only);
	TAILQ_FOREACH(actor, &supervisor->actors, entries)
		if (!only || actor == only)
			(void)cJSON_AddItemToArray(array, describe_counted(actor));
	return array;
}

static const char *actor_of(const struct listener *listener)
{
	return listener->to ? listener->to : listener->give;
}

cJSON *describe_listeners(const struct supervisor *supervisor, const struct actor *only)
{
	cJSON *array = cJSON_CreateArray();
	const struct listener *listener;

	TAILQ_FOREACH(listener, &supervisor->listeners, entries)
		if (!only || strcmp(actor_of(listener), only->spec.name) == 0)
			(void)cJSON_AddItemToArray(array, listener_describe(listener));
	return array;
}

cJSON *describe_routes(const struct supervisor *supervisor)
{
	cJSON *array = cJSON_CreateArray();
	const struct listener *listener;

	TAILQ_FOREACH(listener, &supervisor->listeners, entries) {
		cJSON *object = cJSON_CreateObject();

		(void)cJSON_AddStringToObject(object, "listener", listener->name);
		(void)cJSON_AddStringToObject(object, "address", listener->address);
		(void)cJSON_AddStringToObject(object, "actor", actor_of(listener));
		(void)cJSON_AddStringToObject(
			object, "how", listener->to ? listener->balance : "give");
		(void)cJSON_AddItemToArray(array, object);
	}
	return array;
}

cJSON *describe_logs(const struct actor *actor)
{
	const struct output *output = actor->supervisor->output;
	cJSON *array = cJSON_CreateArray();
	const struct instance *instance;

	TAILQ_FOREACH(instance, &actor->instances, entries) {
		cJSON *object = cJSON_CreateObject();
		_cleanup_free_ char *path = NULL;

		(void)cJSON_AddStringToObject(object, "instance", instance->name);
		if (output_is_journal(output)) {
			(void)cJSON_AddStringToObject(object, "journal", instance->name);
		} else {
			path = output_path(output, instance->name);
			(void)cJSON_AddStringToObject(object, "file", path);
		}
		(void)cJSON_AddItemToArray(array, object);
	}
	return array;
}

static void fail(struct call *call, const char *error, const char *subject, cJSON *parameters,
	const char *reason, va_list arguments) __attribute__((format(printf, 5, 0)));
static void fail(struct call *call, const char *error, const char *subject, cJSON *parameters,
	const char *reason, va_list arguments)
{
	char name[64], text[768];

	(void)vsnprintf(text, sizeof(text), reason, arguments);
	json_clean(text);
	for (size_t i = 0; subject && i < sizeof(subjects) / sizeof(*subjects); i++)
		if (strcmp(subjects[i].error, error) == 0)
			(void)cJSON_AddStringToObject(parameters, subjects[i].member, subject);
	(void)cJSON_AddStringToObject(parameters, "reason", text);
	(void)snprintf(name, sizeof(name), INTERFACE "%s", error);
	call_fail(call, name, parameters);
}

void describe_failure(
	struct call *call, const char *error, const char *subject, const char *reason, ...)
{
	va_list arguments;

	va_start(arguments, reason);
	fail(call, error, subject, cJSON_CreateObject(), reason, arguments);
	va_end(arguments);
}

static void fail_with(struct call *call, const char *error, const char *subject, cJSON *parameters,
	const char *reason, ...) __attribute__((format(printf, 5, 6)));
static void fail_with(struct call *call, const char *error, const char *subject, cJSON *parameters,
	const char *reason, ...)
{
	va_list arguments;

	va_start(arguments, reason);
	fail(call, error, subject, parameters, reason, arguments);
	va_end(arguments);
}

void describe_out_of_range(struct call *call, const char *parameter, int64_t min, int64_t max)
{
	cJSON *parameters = cJSON_CreateObject();

	(void)cJSON_AddItemToObject(parameters, "min", json_new_integer(min));
	(void)cJSON_AddItemToObject(parameters, "max", json_new_integer(max));
	fail_with(call, "InvalidValue", parameter, parameters,
		"%s is out of range; it may be %" PRIi64 " to %" PRIi64, parameter, min, max);
}

void describe_roll_failure(
	struct call *call, const char *actor, const char *instance, const char *reason, ...)
{
	cJSON *parameters = cJSON_CreateObject();
	va_list arguments;

	if (instance)
		(void)cJSON_AddStringToObject(parameters, "instance", instance);
	va_start(arguments, reason);
	fail(call, "RollFailed", actor, parameters, reason, arguments);
	va_end(arguments);
}
