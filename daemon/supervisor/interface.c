#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/supervisor/client.h"
#include "daemon/supervisor/describe.h"
#include "daemon/supervisor/interface.h"
#include "daemon/supervisor/interface-answer.h"
#include "daemon/supervisor/monitor.h"
#include "daemon/supervisor/requests.h"
#include "daemon/supervisor/service.h"
#include "daemon/supervisor/supervisor.h"
#include "daemon/supervisor/upgrade.h"
#include "proto/descriptor.h"
#include "proto/json.h"

static const struct json_field no_fields[] = {JSON_FIELDS_END};

static const struct json_field interface_fields[] = {
	JSON_FIELD(service_description, "interface", JSON_STRING, interface, true),
	JSON_FIELDS_END,
};

static void upgrade(struct supervisor *supervisor, struct call *call, void *parameters)
{
	int r = upgrade_begin(supervisor, call);

	(void)parameters;
	if (r == -ENOTCONN)
		describe_failure(call, "Failed", NULL,
			"the keeper has died, and another is to take over: try again in a second");
	else if (r < 0)
		interface_fail_errno(call, "the upgrade cannot be begun", r);
}

/* clang-format off */
static const struct interface_method own_methods[] = {
	{SERVICE_SUPERVISOR ".Upgrade", no_fields, 0, INTERFACE_CHANGE, NULL, upgrade},
	{SERVICE_INTERFACE ".GetInfo", no_fields, 0, INTERFACE_LOOK, NULL, service_get_info},
	{SERVICE_INTERFACE ".GetInterfaceDescription", interface_fields, sizeof(struct service_description), INTERFACE_LOOK, NULL, service_get_description},
	{0},
};
/* clang-format on */

const struct interface_method *const interface_tables[] = {
	interface_look_methods,
	interface_actor_methods,
	interface_listener_methods,
	interface_configuration_methods,
	interface_send_methods,
	own_methods,
	NULL,
};

const struct interface_method *interface_find_method(const char *name)
{
	for (size_t i = 0; interface_tables[i]; i++)
		for (const struct interface_method *method = interface_tables[i]; method->name;
			method++)
			if (strcmp(method->name, name) == 0)
				return method;
	return NULL;
}

static void fail_decoding(struct call *call, const struct json_field *fields, const char *name,
	enum json_problem problem)
{
	if (problem != JSON_OUT_OF_RANGE) {
		service_fail(call, "InvalidParameter", "parameter", name);
		return;
	}
	while (strcmp(fields->name, name) != 0)
		fields++;
	describe_out_of_range(call, name, fields->min, fields->max);
}

static bool may(const struct call *call, enum interface_access access)
{
	uid_t uid = call_get_uid(call);

	return access == INTERFACE_LOOK || uid == 0 || uid == geteuid();
}

static void handle(void *context, struct call *call)
{
	struct supervisor *supervisor = context;
	const struct interface_method *method = interface_find_method(call_peek_method(call));
	_cleanup_free_ void *parameters = NULL;
	cJSON *empty = NULL;
	const cJSON *given = call_peek_parameters(call);
	const char *field;
	enum json_problem problem;

	if (!method) {
		service_fail(call, "MethodNotFound", "method", call_peek_method(call));
		return;
	}
	if (!may(call, method->access)) {
		service_fail(call, "PermissionDenied", NULL, NULL);
		return;
	}
	if (supervisor->stopping && method->access == INTERFACE_CHANGE) {
		describe_failure(call, "Failed", NULL, "inkod is stopping");
		return;
	}
	parameters = calloc(1, method->size + 1);
	if (!parameters)
		abort();
	if (method->init)
		method->init(parameters);
	if (!given || cJSON_IsNull(given))
		given = empty = cJSON_CreateObject();
	if (json_decode(given, method->parameters, parameters, &field, &problem) < 0)
		fail_decoding(call, method->parameters, field, problem);
	else
		method->handle(supervisor, call, parameters);
	json_release(method->parameters, parameters);
	cJSON_Delete(empty);
}

static void on_left(void *context, struct call *call)
{
	struct supervisor *supervisor = context;

	requests_forget(supervisor, call);
	monitor_forget(supervisor->monitor, call);
}

static void on_drained(void *context, struct call *call)
{
	monitor_on_drained(((struct supervisor *)context)->monitor, call);
}

const struct client_events interface_events = {
	.handle = handle,
	.on_left = on_left,
	.on_drained = on_drained,
};
