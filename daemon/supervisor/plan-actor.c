#include "daemon/supervisor/actor-state.h"
#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/configuration-export.h"
#include "daemon/supervisor/configuration-fault.h"
#include "daemon/supervisor/plan-actor.h"
#include "daemon/supervisor/plan-difference.h"
#include "daemon/supervisor/plan.h"
#include "daemon/supervisor/readiness.h"

static bool needs_roll(const cJSON *fields)
{
	const cJSON *field;

	cJSON_ArrayForEach(field, fields) {
		const char *name =
			cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(field, "field"));

		if (!spec_counts_at_once(spec_find(name)))
			return true;
	}
	return false;
}

static enum plan_effect judge_actor(
	const struct actor *actor, const struct spec *wanted, const cJSON *fields)
{
	bool rolls = needs_roll(fields);

	if (!actor->is_wanted)
		return rolls ? PLAN_NEXT_START : PLAN_AT_ONCE;
	if (rolls || actor->roll.failure)
		return readiness_is_shared(wanted) ? PLAN_RESTART : PLAN_ROLL;
	/* Also one that waits to be started once more: whether that does is to be seen. */
	return actor_is_ready(actor) || roll_is_under_way(actor) ? PLAN_AT_ONCE : PLAN_START;
}

static cJSON *compare_specs(const struct actor *actor, const struct spec *spec)
{
	return plan_difference_compare(spec_fields,
		configuration_export_spec(actor->supervisor, &actor->spec, spec),
		json_encode(spec_fields, spec));
}

cJSON *plan_actor_compare(const struct actor *actor, const struct spec *spec)
{
	cJSON *fields = compare_specs(actor, spec);

	plan_difference_add_origin(&fields, actor->is_configured, true);
	return fields;
}

static int plan_changed_actor(struct plan *plan, struct actor *actor, struct spec *spec)
{
	cJSON *fields = compare_specs(actor, spec);
	enum plan_effect effect = judge_actor(actor, spec, fields);
	struct change *change;
	int r;

	plan_difference_add_origin(&fields, actor->is_configured, true);
	if (!fields && effect == PLAN_AT_ONCE)
		return 0;
	r = plan_add(plan, spec->name, false, &change);
	if (r < 0) {
		cJSON_Delete(fields);
		return r;
	}
	change->action = fields ? PLAN_CHANGE : PLAN_RETRY;
	change->effect = effect;
	change->spec = spec;
	change->fields = fields;
	return 0;
}

int plan_actor(struct plan *plan, size_t index, struct configuration_fault *fault)
{
	struct spec *spec = &plan->configuration.actors[index];
	struct actor *actor = actor_find(plan->supervisor, spec->name);
	struct change *change;
	int r;

	if (actor && actor->is_removing) {
		fault->is_transient = true;
		return configuration_fault_refuse(
			fault, "%s is being removed; apply again when it is gone", spec->name);
	}
	if (actor)
		return plan_changed_actor(plan, actor, spec);
	r = plan_add(plan, spec->name, false, &change);
	if (r < 0)
		return r;
	change->effect = PLAN_START;
	change->spec = spec;
	return 0;
}
