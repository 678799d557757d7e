#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/adapter.h"
#include "daemon/supervisor/configuration-fault.h"
#include "daemon/supervisor/configuration-lookup.h"
#include "daemon/supervisor/listener.h"
#include "daemon/supervisor/nearest.h"
#include "daemon/supervisor/plan-reference.h"
#include "daemon/supervisor/plan.h"

#define HINT_BYTES 96

static bool stays(const struct plan *plan, const struct actor *actor)
{
	return !plan->prune && !actor->is_builtin && !actor->is_removing;
}

static int check_name(const struct plan *plan, const char *name, struct configuration_fault *fault)
{
	const struct actor *actor = actor_find(plan->supervisor, name);
	struct nearest nearest;
	char hint[HINT_BYTES];

	if (configuration_lookup_actor(&plan->configuration, name) || (actor && stays(plan, actor)))
		return 0;
	nearest_init(&nearest, name);
	for (size_t i = 0; i < plan->configuration.n_actors; i++)
		nearest_try(&nearest, plan->configuration.actors[i].name);
	TAILQ_FOREACH(actor, &plan->supervisor->actors, entries)
		if (stays(plan, actor))
			nearest_try(&nearest, actor->spec.name);
	nearest_format(&nearest, hint, sizeof(hint));
	return configuration_fault_refuse(fault, "no actor is called '%.100s'%s", name, hint);
}

/* Is there somebody for a listener, who can do with it? */
static int check_target(const struct plan *plan, const struct listener_request *request,
	struct configuration_fault *fault)
{
	const char *name = request->to ? request->to : request->give, *obstacle;
	const struct spec *spec = configuration_lookup_actor(&plan->configuration, name);
	int r = check_name(plan, name, fault);

	if (r < 0)
		return r;
	if (!spec)
		spec = &actor_find(plan->supervisor, name)->spec;
	obstacle = adapter_find_obstacle(spec, request);
	return obstacle ? configuration_fault_refuse(fault, "%s %s", name, obstacle) : 0;
}

int plan_reference_check(const struct plan *plan, struct configuration_fault *fault)
{
	const struct configuration *configuration = &plan->configuration;
	int r = 0;

	for (size_t i = 0; r == 0 && i < configuration->n_actors; i++) {
		char **opens = configuration->actors[i].opens;

		configuration_fault_locate(fault, "actors", i, "opens");
		for (; r == 0 && opens && *opens; opens++)
			r = check_name(plan, *opens, fault);
	}
	for (size_t i = 0; r == 0 && i < configuration->n_listeners; i++) {
		const struct configured_listener *listener = &configuration->listeners[i];

		configuration_fault_locate_listener(
			fault, listener, listener->request.to ? "to" : "give");
		r = check_target(plan, &listener->request, fault);
	}
	return r;
}

int plan_reference_check_kept(const struct plan *plan, struct configuration_fault *fault)
{
	const struct listener *listener;
	const char *obstacle;
	int r = 0;

	TAILQ_FOREACH(listener, &plan->supervisor->listeners, entries) {
		const struct listener_request request = {
			.to = listener->to, .give = listener->give};
		const char *name = listener->to ? listener->to : listener->give;
		const struct spec *spec = configuration_lookup_actor(&plan->configuration, name);

		if (r < 0 || !spec || plan->prune || listener->is_closing ||
			configuration_lookup_listener(&plan->configuration, listener->name))
			continue;
		configuration_fault_locate(
			fault, "actors", (size_t)(spec - plan->configuration.actors), "adapter");
		obstacle = adapter_find_obstacle(spec, &request);
		if (obstacle)
			r = configuration_fault_refuse(fault,
				"the listener %s leads to it, and %s then %s", listener->name, name,
				obstacle);
	}
	return r;
}
