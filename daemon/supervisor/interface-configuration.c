/* Methods for a whole configuration. */

#include "daemon/supervisor/apply.h"
#include "daemon/supervisor/client.h"
#include "daemon/supervisor/configuration-fault.h"
#include "daemon/supervisor/describe.h"
#include "daemon/supervisor/interface.h"
#include "daemon/supervisor/interface-answer.h"
#include "daemon/supervisor/service.h"
#include "daemon/supervisor/configuration-export.h"
#include "daemon/supervisor/plan.h"
#include "daemon/supervisor/supervisor.h"
#include "proto/json-fields.h"

struct application_request {
	cJSON *configuration;
	bool is_dry_run, prune;
};

static const struct json_field no_fields[] = {JSON_FIELDS_END};

static const struct json_field apply_fields[] = {
	JSON_FIELD(application_request, "configuration", JSON_OBJECT, configuration, true),
	JSON_FIELD(application_request, "dryRun", JSON_BOOLEAN, is_dry_run, false),
	JSON_FIELD(application_request, "prune", JSON_BOOLEAN, prune, false),
	JSON_FIELDS_END,
};

static void apply(struct supervisor *supervisor, struct call *call, void *parameters)
{
	struct application_request *wanted = parameters;
	const struct spec_asker asker = {.uid = call_get_uid(call), .runtime = supervisor->runtime};
	struct configuration_fault fault;
	struct plan *plan;
	cJSON *changes;
	int r;

	if (plan_make(supervisor, &asker, wanted->configuration, wanted->prune, wanted->is_dry_run,
		    &plan, &fault) < 0) {
		describe_failure(call, "InvalidConfiguration", fault.path, "%s%s%s", fault.path,
			fault.path[0] ? ": " : "", fault.reason);
	} else if (wanted->is_dry_run) {
		changes = plan_describe(plan);
		plan_free(plan);
		interface_reply(call, "changes", changes);
	} else {
		r = apply_begin(supervisor, plan, call, NULL);
		if (r < 0)
			interface_fail_errno(call, "the configuration cannot be applied", r);
	}
}

static void export_configuration(struct supervisor *supervisor, struct call *call, void *parameters)
{
	(void)parameters;
	interface_reply(call, "configuration", configuration_export(supervisor));
}

/* clang-format off */
const struct interface_method interface_configuration_methods[] = {
	{SERVICE_SUPERVISOR ".Apply", apply_fields, sizeof(struct application_request), INTERFACE_CHANGE, NULL, apply},
	{SERVICE_SUPERVISOR ".Export", no_fields, 0, INTERFACE_LOOK, NULL, export_configuration},
	{0},
};
/* clang-format on */
