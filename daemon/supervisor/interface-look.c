/* Methods that look and change nothing. */

#include <errno.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/client.h"
#include "daemon/supervisor/count.h"
#include "daemon/supervisor/describe.h"
#include "daemon/supervisor/holding.h"
#include "daemon/supervisor/interface-answer.h"
#include "daemon/supervisor/interface.h"
#include "daemon/supervisor/monitor.h"
#include "daemon/supervisor/service.h"
#include "daemon/supervisor/supervisor.h"
#include "proto/json.h"

struct monitoring {
	int64_t after;
};

static const struct json_field no_fields[] = {JSON_FIELDS_END};

static const struct json_field actor_fields[] = {
	JSON_FIELD(named, "actor", JSON_STRING, name, true),
	JSON_FIELDS_END,
};

static const struct json_field optional_actor_fields[] = {
	JSON_FIELD(named, "actor", JSON_STRING, name, false),
	JSON_FIELDS_END,
};

static const struct json_field monitor_fields[] = {
	JSON_FIELD_INTEGER(monitoring, "after", after, false, 0, JSON_INTEGER_MAX),
	JSON_FIELDS_END,
};

/* NULL for all of them; false: the call has been answered. */
static bool find_only(struct supervisor *supervisor, struct call *call, const struct named *named,
	const struct actor **ret_only)
{
	*ret_only = named->name ? interface_find_actor(supervisor, call, named->name) : NULL;
	return *ret_only || !named->name;
}

static void get_status(struct supervisor *supervisor, struct call *call, void *parameters)
{
	const struct holding_keeper *keeper = holding_peek_keeper(supervisor->holding);
	const struct actor *only;
	cJSON *object;

	if (!find_only(supervisor, call, parameters, &only))
		return;
	object = cJSON_CreateObject();
	(void)cJSON_AddStringToObject(object, "version", PACKAGE_VERSION);
	(void)cJSON_AddStringToObject(object, "runtimeDirectory", supervisor->runtime);
	(void)cJSON_AddNumberToObject(object, "keeperPid", keeper->pid);
	(void)cJSON_AddStringToObject(object, "keeperVersion", keeper->version);
	(void)cJSON_AddNumberToObject(object, "keeperReplaced", keeper->replaced);
	(void)cJSON_AddNumberToObject(object, "supervisorPid", getpid());
	(void)cJSON_AddItemToObject(object, "actors", describe_actors(supervisor, only));
	(void)cJSON_AddItemToObject(object, "listeners", describe_listeners(supervisor, only));
	(void)cJSON_AddItemToObject(
		object, "position", json_new_integer(monitor_get_position(supervisor->monitor)));
	call_reply(call, object);
}

static void list_actors(struct supervisor *supervisor, struct call *call, void *parameters)
{
	(void)parameters;
	interface_reply(call, "actors", describe_actors(supervisor, NULL));
}

static void list_listeners(struct supervisor *supervisor, struct call *call, void *parameters)
{
	(void)parameters;
	interface_reply(call, "listeners", describe_listeners(supervisor, NULL));
}

static void list_routes(struct supervisor *supervisor, struct call *call, void *parameters)
{
	(void)parameters;
	interface_reply(call, "routes", describe_routes(supervisor));
}

static void get_logs(struct supervisor *supervisor, struct call *call, void *parameters)
{
	struct named *named = parameters;
	struct actor *actor = interface_find_actor(supervisor, call, named->name);

	if (actor)
		interface_reply(call, "logs", describe_logs(actor));
}

static void get_counters(struct supervisor *supervisor, struct call *call, void *parameters)
{
	const struct actor *only;

	if (find_only(supervisor, call, parameters, &only))
		call_reply(call, count_describe(supervisor, only));
}

static void init_monitor(void *parameters)
{
	((struct monitoring *)parameters)->after = -1;
}

static void monitor(struct supervisor *supervisor, struct call *call, void *parameters)
{
	struct monitoring *wanted = parameters;
	int r;

	if (!call_wants_more(call)) {
		service_fail(call, "ExpectedMore", NULL, NULL);
		return;
	}
	r = monitor_add(supervisor->monitor, call, wanted->after);
	if (r == -EUSERS)
		describe_failure(call, "Failed", NULL,
			"%d of your clients monitor already; end one of them first",
			LIMIT_MONITORS_PER_UID);
	else if (r < 0)
		interface_fail_errno(call, "what happens cannot be told", r);
}

/* clang-format off */
const struct interface_method interface_look_methods[] = {
	{SERVICE_SUPERVISOR ".GetStatus", optional_actor_fields, sizeof(struct named), INTERFACE_LOOK, NULL, get_status},
	{SERVICE_SUPERVISOR ".ListActors", no_fields, 0, INTERFACE_LOOK, NULL, list_actors},
	{SERVICE_SUPERVISOR ".ListListeners", no_fields, 0, INTERFACE_LOOK, NULL, list_listeners},
	{SERVICE_SUPERVISOR ".ListRoutes", no_fields, 0, INTERFACE_LOOK, NULL, list_routes},
	{SERVICE_SUPERVISOR ".GetLogs", actor_fields, sizeof(struct named), INTERFACE_LOOK, NULL, get_logs},
	{SERVICE_SUPERVISOR ".GetCounters", optional_actor_fields, sizeof(struct named), INTERFACE_LOOK, NULL, get_counters},
	{SERVICE_SUPERVISOR ".Monitor", monitor_fields, sizeof(struct monitoring), INTERFACE_LOOK, init_monitor, monitor},
	{0},
};
/* clang-format on */
