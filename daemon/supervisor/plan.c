#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/configuration-fault.h"
#include "daemon/supervisor/configuration-lookup.h"
#include "daemon/supervisor/listener.h"
#include "daemon/supervisor/listening-socket.h"
#include "daemon/supervisor/plan-actor.h"
#include "daemon/supervisor/plan-difference.h"
#include "daemon/supervisor/plan-listener.h"
#include "daemon/supervisor/plan-reference.h"
#include "daemon/supervisor/plan-socket.h"
#include "daemon/supervisor/plan.h"

static const char *const action_names[PLAN_ACTIONS] = {
	[PLAN_ADD] = "add",
	[PLAN_CHANGE] = "change",
	[PLAN_RETRY] = "retry",
	[PLAN_REMOVE] = "remove",
	[PLAN_KEEP] = "keep",
};

static const char *const effect_names[PLAN_EFFECTS] = {
	[PLAN_NOTHING] = "nothing",
	[PLAN_START] = "start",
	[PLAN_OPEN] = "open",
	[PLAN_AT_ONCE] = "atOnce",
	[PLAN_ROLL] = "roll",
	[PLAN_RESTART] = "restart",
	[PLAN_NEXT_START] = "nextStart",
	[PLAN_REPLACE] = "replace",
	[PLAN_STOP] = "stop",
	[PLAN_CLOSE] = "close",
};

/* Is there room for it: for all that is there and all that is wanted. */
static size_t count_most(const struct supervisor *supervisor, const struct configuration *wanted)
{
	size_t n = wanted->n_actors + wanted->n_listeners;
	const struct listener *listener;
	const struct actor *actor;

	TAILQ_FOREACH(actor, &supervisor->actors, entries)
		n++;
	TAILQ_FOREACH(listener, &supervisor->listeners, entries)
		n++;
	return n;
}

int plan_add(struct plan *plan, const char *name, bool is_listener, struct change **ret_change)
{
	struct change *change = &plan->changes[plan->n_changes];

	*change = (struct change){.name = strdup(name), .is_listener = is_listener, .fd = -1};
	if (!change->name)
		return -ENOMEM;
	plan->n_changes++;
	*ret_change = change;
	return 0;
}

/* What is not in it. */

/* listener is NULL where it is an actor. */
static int plan_other(struct plan *plan, const char *name, const struct listener *listener,
	bool is_configured, bool prune)
{
	struct change *change;
	int r = plan_add(plan, name, listener, &change);

	if (r == 0 && listener)
		r = listening_socket_identify(listener->fd, &change->socket);
	if (r < 0)
		return r;
	change->action = prune ? PLAN_REMOVE : PLAN_KEEP;
	if (prune)
		change->effect = listener ? PLAN_CLOSE : PLAN_STOP;
	else
		plan_difference_add_origin(&change->fields, is_configured, false);
	return 0;
}

bool plan_gives_up(const struct plan *plan, const struct listener *listener)
{
	return listener->is_owned && !listener->is_closing &&
	       configuration_lookup_actor(&plan->configuration, listener->give) &&
	       !configuration_lookup_listener(&plan->configuration, listener->name);
}

static int plan_given_up(struct plan *plan)
{
	const struct listener *listener;
	int r = 0;

	TAILQ_FOREACH(listener, &plan->supervisor->listeners, entries)
		if (r == 0 && plan_gives_up(plan, listener))
			r = plan_other(
				plan, listener->name, listener, listener->is_configured, true);
	return r;
}

static int plan_others(struct plan *plan)
{
	const struct listener *listener;
	const struct actor *actor;
	int r = 0;

	TAILQ_FOREACH(listener, &plan->supervisor->listeners, entries)
		/* One that is owned goes with its actor. */
		if (r == 0 && !listener->is_closing && !plan_gives_up(plan, listener) &&
			!(plan->prune && listener->is_owned) &&
			!configuration_lookup_listener(&plan->configuration, listener->name))
			r = plan_other(plan, listener->name, listener, listener->is_configured,
				plan->prune);
	TAILQ_FOREACH(actor, &plan->supervisor->actors, entries)
		if (r == 0 && !actor->is_builtin && !actor->is_removing &&
			!configuration_lookup_actor(&plan->configuration, actor->spec.name))
			r = plan_other(
				plan, actor->spec.name, NULL, actor->is_configured, plan->prune);
	return r;
}

/* The whole. */

/* In the order in which it is done: a program is started with its listeners, and others lead to
 * actors that are there. */
static int plan_all(struct plan *plan, struct configuration_fault *fault)
{
	const struct configuration *configuration = &plan->configuration;
	int r = plan_given_up(plan);

	if (r == 0)
		r = plan_listeners(plan, true, fault);
	for (size_t i = 0; r == 0 && i < configuration->n_actors; i++) {
		configuration_fault_locate(fault, "actors", i, "name");
		r = plan_actor(plan, i, fault);
	}
	if (r == 0)
		r = plan_listeners(plan, false, fault);
	if (r == 0)
		r = plan_listeners_note_late(plan);
	return r < 0 ? r : plan_others(plan);
}

/* With those that stay. */
static int check_numbers(const struct plan *plan, struct configuration_fault *fault)
{
	size_t n[2] = {plan->configuration.n_actors, plan->configuration.n_listeners};
	int r;

	for (size_t i = 0; i < plan->n_changes; i++)
		n[plan->changes[i].is_listener] += plan->changes[i].action == PLAN_KEEP;
	r = configuration_fault_check_number("actors", n[false], LIMIT_ACTORS, fault);
	return r < 0 ? r
		     : configuration_fault_check_number(
			       "listeners", n[true], LIMIT_LISTENERS, fault);
}

static int fill(struct plan *plan, struct configuration_fault *fault)
{
	int r = plan_reference_check(plan, fault);

	plan->changes = calloc(
		count_most(plan->supervisor, &plan->configuration) + 1, sizeof(*plan->changes));
	if (!plan->changes)
		return -ENOMEM;
	if (r == 0)
		r = plan_reference_check_kept(plan, fault);
	if (r == 0)
		r = plan_all(plan, fault);
	if (r == 0)
		r = check_numbers(plan, fault);
	return r < 0 ? r : plan_socket_bind_all(plan, fault);
}

int plan_make(struct supervisor *supervisor, const struct spec_asker *asker, const cJSON *object,
	bool prune, bool is_dry_run, struct plan **ret_plan, struct configuration_fault *ret_fault)
{
	struct plan *plan = calloc(1, sizeof(*plan));
	int r = -ENOMEM;

	*ret_fault = (struct configuration_fault){0};
	if (plan) {
		plan->supervisor = supervisor;
		plan->prune = prune;
		plan->is_dry_run = is_dry_run;
		r = configuration_parse(object, asker, &plan->configuration, ret_fault);
	}
	if (r == 0)
		r = fill(plan, ret_fault);
	if (r == -ENOMEM)
		(void)configuration_fault_refuse(ret_fault, "there is no memory for it");
	if (r < 0) {
		json_clean(ret_fault->path);
		json_clean(ret_fault->reason);
		plan_free(plan);
		return r;
	}
	*ret_plan = plan;
	return 0;
}

/* Takes fields, those in which it differs now. */
static int check_fields(const struct change *change, cJSON *fields)
{
	int r = -ESTALE;

	if (plan_difference_is_same_before(change->fields, fields))
		r = 0;
	else if (!fields)
		r = -EALREADY;
	cJSON_Delete(fields);
	return r;
}

static int check_listener(const struct change *change, const struct listener *listener)
{
	uint64_t socket;

	if (!listener || listener->is_closing)
		return -ENOENT;
	if (change->action == PLAN_CHANGE)
		return check_fields(change, plan_listener_compare(listener, change->configured));
	return listening_socket_identify(listener->fd, &socket) == 0 && socket == change->socket
		       ? 0
		       : -ESTALE;
}

static int check_actor(const struct change *change, const struct actor *actor)
{
	if (!actor || actor->is_removing)
		return -ENOENT;
	return change->spec ? check_fields(change, plan_actor_compare(actor, change->spec)) : 0;
}

int plan_check(const struct plan *plan, const struct change *change)
{
	return change->is_listener
		       ? check_listener(change, listener_find(plan->supervisor, change->name))
		       : check_actor(change, actor_find(plan->supervisor, change->name));
}

static void change_done(struct change *change)
{
	plan_socket_close(change);
	cJSON_Delete(change->fields);
	free(change->name);
	free(change->failure);
}

struct plan *plan_free(struct plan *plan)
{
	if (!plan)
		return NULL;
	for (size_t i = 0; i < plan->n_changes; i++)
		change_done(&plan->changes[i]);
	free(plan->changes);
	free(plan->places);
	configuration_done(&plan->configuration);
	free(plan);
	return NULL;
}

cJSON *plan_describe(const struct plan *plan)
{
	cJSON *array = cJSON_CreateArray();

	for (size_t i = 0; i < plan->n_changes; i++) {
		const struct change *change = &plan->changes[i];
		cJSON *object = cJSON_CreateObject();

		(void)cJSON_AddStringToObject(
			object, "kind", change->is_listener ? "listener" : "actor");
		(void)cJSON_AddStringToObject(object, "name", change->name);
		(void)cJSON_AddStringToObject(object, "action", action_names[change->action]);
		(void)cJSON_AddStringToObject(object, "effect", effect_names[change->effect]);
		(void)cJSON_AddItemToObject(object, "fields",
			change->fields ? cJSON_Duplicate(change->fields, true)
				       : cJSON_CreateArray());
		(void)cJSON_AddItemToArray(array, object);
	}
	return array;
}
