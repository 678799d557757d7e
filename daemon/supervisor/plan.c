#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/adapter.h"
#include "daemon/supervisor/listener.h"
#include "daemon/supervisor/nearest.h"
#include "daemon/supervisor/plan.h"
#include "proto/descriptor.h"

#define HINT_BYTES 96

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

/* Everything that may be named. */
struct names {
	struct supervisor *supervisor;
	const struct configuration *configuration;
	bool prune;
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

static int add(struct plan *plan, const char *name, bool is_listener, struct change **ret_change)
{
	struct change *change = &plan->changes[plan->n_changes];

	*change = (struct change){.name = strdup(name), .is_listener = is_listener, .fd = -1};
	if (!change->name)
		return -ENOMEM;
	plan->n_changes++;
	*ret_change = change;
	return 0;
}

/* Differences of fields. */

/* Nothing, and an array of nothing, are the same. */
static bool is_nothing(const cJSON *value)
{
	return !value || (cJSON_IsArray(value) && cJSON_GetArraySize(value) == 0);
}

static void add_text(cJSON *object, const char *name, const cJSON *value)
{
	_cleanup_free_ char *text = is_nothing(value) ? NULL : cJSON_PrintUnformatted(value);

	if (text)
		(void)cJSON_AddStringToObject(object, name, text);
}

static void add_field(cJSON **fields, const char *name, const cJSON *from, const cJSON *to)
{
	cJSON *field = cJSON_CreateObject();

	if (!*fields)
		*fields = cJSON_CreateArray();
	(void)cJSON_AddStringToObject(field, "field", name);
	add_text(field, "from", from);
	add_text(field, "to", to);
	(void)cJSON_AddItemToArray(*fields, field);
}

static bool is_changed(const cJSON *fields, const char *name)
{
	const cJSON *field;

	cJSON_ArrayForEach(field, fields)
		if (strcmp(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(field, "field")),
			    name) == 0)
			return true;
	return false;
}

/* Takes both objects. NULL where nothing differs. */
static cJSON *compare(const struct json_field *table, cJSON *from, cJSON *to)
{
	cJSON *fields = NULL;

	for (; table->name; table++) {
		const cJSON *was = cJSON_GetObjectItemCaseSensitive(from, table->name);
		const cJSON *shall = cJSON_GetObjectItemCaseSensitive(to, table->name);

		if (!(is_nothing(was) && is_nothing(shall)) && !cJSON_Compare(was, shall, true))
			add_field(&fields, table->name, was, shall);
	}
	cJSON_Delete(from);
	cJSON_Delete(to);
	return fields;
}

/* Takes both. */
static void compare_values(cJSON **fields, const char *name, cJSON *from, cJSON *to)
{
	if (!cJSON_Compare(from, to, true))
		add_field(fields, name, from, to);
	cJSON_Delete(from);
	cJSON_Delete(to);
}

static void compare_origin(cJSON **fields, bool is_configured, bool shall_be)
{
	compare_values(fields, "origin", cJSON_CreateString(configuration_origin(is_configured)),
		cJSON_CreateString(configuration_origin(shall_be)));
}

/* Actors. */

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
	return strcmp(actor_state(actor), "failed") == 0 ? PLAN_START : PLAN_AT_ONCE;
}

static int plan_changed_actor(struct plan *plan, struct actor *actor, struct spec *spec)
{
	cJSON *fields = compare(spec_fields,
		configuration_encode_spec(actor->supervisor, &actor->spec, spec),
		json_encode(spec_fields, spec));
	enum plan_effect effect = judge_actor(actor, spec, fields);
	struct change *change;
	int r;

	compare_origin(&fields, actor->is_configured, true);
	if (!fields && effect == PLAN_AT_ONCE)
		return 0;
	r = add(plan, spec->name, false, &change);
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

static int plan_actor(struct supervisor *supervisor, struct plan *plan, size_t index,
	struct configuration_fault *fault)
{
	struct spec *spec = &plan->configuration.actors[index];
	struct actor *actor = actor_find(supervisor, spec->name);
	struct change *change;
	int r;

	if (actor && actor->is_removing) {
		fault->is_transient = true;
		return configuration_refuse(
			fault, "%s is being removed; apply again when it is gone", spec->name);
	}
	if (actor)
		return plan_changed_actor(plan, actor, spec);
	r = add(plan, spec->name, false, &change);
	if (r < 0)
		return r;
	change->effect = PLAN_START;
	change->spec = spec;
	return 0;
}

/* Listeners. */

/* Where port 0 is wanted any is right that it has got. */
static void settle_port(struct address *address, const struct listener *listener)
{
	const char *complaint;
	struct address current;

	if (listener_request_systemd_name(listener->address) ||
		address_parse(listener->address, &current, &complaint) < 0 ||
		current.any.sa_family != address->any.sa_family)
		return;
	if (address->any.sa_family == AF_INET && address->v4.sin_port == 0)
		address->v4.sin_port = current.v4.sin_port;
	else if (address->any.sa_family == AF_INET6 && address->v6.sin6_port == 0)
		address->v6.sin6_port = current.v6.sin6_port;
}

static cJSON *encode_current(const struct listener *listener)
{
	const struct listener_request request = {.name = listener->name,
		.address = listener->address,
		.to = listener->to,
		.give = listener->give,
		.balance = listener->balance,
		.hold_usec = listener->hold_usec};

	return json_encode(listener_request_fields, &request);
}

/* As it is, or becomes; the request's own where systemd opens it. */
static char *settle_address(const struct configured_listener *configured,
	const struct listener *current, char text[static ADDRESS_TEXT_BYTES])
{
	struct address address = configured->address;

	if (address.length == 0)
		return configured->request.address;
	if (current)
		settle_port(&address, current);
	address_format(&address, text);
	return text;
}

static cJSON *encode_wanted(
	const struct configured_listener *configured, const struct listener *current)
{
	struct listener_request request = configured->request;
	char text[ADDRESS_TEXT_BYTES];

	request.address = settle_address(configured, current, text);
	/* Of one that is given away they mean nothing. */
	if (request.give && current->give) {
		request.balance = current->balance;
		request.hold_usec = current->hold_usec;
	}
	return json_encode(listener_request_fields, &request);
}

/* Whoever was given one has it for good: it must end for all of them. */
static enum plan_effect judge_listener(const struct listener *listener, const cJSON *fields)
{
	return listener->give && fields ? PLAN_REPLACE : PLAN_AT_ONCE;
}

static int plan_changed_listener(
	struct plan *plan, const struct listener *listener, struct configured_listener *configured)
{
	cJSON *fields = compare(listener_request_fields, encode_current(listener),
		encode_wanted(configured, listener));
	enum plan_effect effect = judge_listener(listener, fields);
	struct change *change;
	int r;

	compare_values(&fields, "owned", cJSON_CreateBool(listener->is_owned),
		cJSON_CreateBool(configured->request.is_owned));
	compare_origin(&fields, listener->is_configured, true);
	if (!fields)
		return 0;
	r = add(plan, listener->name, true, &change);
	if (r < 0) {
		cJSON_Delete(fields);
		return r;
	}
	change->action = PLAN_CHANGE;
	change->effect = effect;
	change->configured = configured;
	change->fields = fields;
	return 0;
}

/* What its actor is held with. */
static int write_own(
	struct plan *plan, const struct configured_listener *configured, const char *address)
{
	const struct spec *actors = plan->configuration.actors;

	return configured->request.is_owned
		       ? adapter_write_listener(
				 &actors[configured->index].listeners[configured->place],
				 configured->request.name, address)
		       : 0;
}

/* Is it there for an actor that the configuration does not have, and that stays? */
static bool is_of_another(const struct names *names, const struct listener *listener)
{
	return listener->is_owned && !names->prune &&
	       !configuration_find_actor(names->configuration, listener->give);
}

static int plan_listener(const struct names *names, struct plan *plan, size_t index,
	struct configuration_fault *fault)
{
	struct configured_listener *configured = &plan->configuration.listeners[index];
	struct listener *listener = listener_find(names->supervisor, configured->request.name);
	char text[ADDRESS_TEXT_BYTES];
	struct change *change;
	int r = write_own(plan, configured, settle_address(configured, listener, text));

	if (r < 0)
		return r;
	if (listener && listener->is_closing) {
		fault->is_transient = true;
		return configuration_refuse(
			fault, "%s is being closed; apply again when it is", listener->name);
	}
	if (listener && is_of_another(names, listener))
		return configuration_refuse(fault,
			"the listener %s belongs to %s, and goes when that is removed",
			listener->name, listener->give);
	if (listener)
		return plan_changed_listener(plan, listener, configured);
	r = add(plan, configured->request.name, true, &change);
	if (r < 0)
		return r;
	change->effect = PLAN_OPEN;
	change->configured = configured;
	return 0;
}

/* What is not in it. */

static int plan_other(
	struct plan *plan, const char *name, bool is_listener, bool is_configured, bool prune)
{
	struct change *change;
	int r = add(plan, name, is_listener, &change);

	if (r < 0)
		return r;
	change->action = prune ? PLAN_REMOVE : PLAN_KEEP;
	if (prune)
		change->effect = is_listener ? PLAN_CLOSE : PLAN_STOP;
	else
		compare_origin(&change->fields, is_configured, false);
	return 0;
}

/* Its actor has it no more, whatever else stays. */
static bool is_given_up(const struct plan *plan, const struct listener *listener)
{
	return listener->is_owned && !listener->is_closing &&
	       configuration_find_actor(&plan->configuration, listener->give) &&
	       !configuration_find_listener(&plan->configuration, listener->name);
}

static int plan_given_up(struct supervisor *supervisor, struct plan *plan)
{
	const struct listener *listener;
	int r = 0;

	TAILQ_FOREACH(listener, &supervisor->listeners, entries)
		if (r == 0 && is_given_up(plan, listener))
			r = plan_other(plan, listener->name, true, listener->is_configured, true);
	return r;
}

static int plan_others(struct supervisor *supervisor, struct plan *plan, bool prune)
{
	const struct listener *listener;
	const struct actor *actor;
	int r = 0;

	TAILQ_FOREACH(listener, &supervisor->listeners, entries)
		/* One that is owned goes with its actor. */
		if (r == 0 && !listener->is_closing && !is_given_up(plan, listener) &&
			!(prune && listener->is_owned) &&
			!configuration_find_listener(&plan->configuration, listener->name))
			r = plan_other(plan, listener->name, true, listener->is_configured, prune);
	TAILQ_FOREACH(actor, &supervisor->actors, entries)
		if (r == 0 && !actor->is_builtin && !actor->is_removing &&
			!configuration_find_actor(&plan->configuration, actor->spec.name))
			r = plan_other(plan, actor->spec.name, false, actor->is_configured, prune);
	return r;
}

/* References. */

static bool stays(const struct names *names, const struct actor *actor)
{
	return !names->prune && !actor->is_builtin && !actor->is_removing;
}

static int check_name(
	const struct names *names, const char *name, struct configuration_fault *fault)
{
	const struct actor *actor = actor_find(names->supervisor, name);
	struct nearest nearest;
	char hint[HINT_BYTES];

	if (configuration_find_actor(names->configuration, name) || (actor && stays(names, actor)))
		return 0;
	nearest_init(&nearest, name);
	for (size_t i = 0; i < names->configuration->n_actors; i++)
		nearest_try(&nearest, names->configuration->actors[i].name);
	TAILQ_FOREACH(actor, &names->supervisor->actors, entries)
		if (stays(names, actor))
			nearest_try(&nearest, actor->spec.name);
	nearest_format(&nearest, hint, sizeof(hint));
	return configuration_refuse(fault, "no actor is called '%.100s'%s", name, hint);
}

/* Is there somebody for a listener, who can do with it? */
static int check_target(const struct names *names, const struct listener_request *request,
	struct configuration_fault *fault)
{
	const char *name = request->to ? request->to : request->give, *obstacle;
	const struct spec *spec = configuration_find_actor(names->configuration, name);
	int r = check_name(names, name, fault);

	if (r < 0)
		return r;
	if (!spec)
		spec = &actor_find(names->supervisor, name)->spec;
	obstacle = adapter_find_obstacle(spec, request);
	return obstacle ? configuration_refuse(fault, "%s %s", name, obstacle) : 0;
}

static int check_references(const struct names *names, struct configuration_fault *fault)
{
	const struct configuration *configuration = names->configuration;
	int r = 0;

	for (size_t i = 0; r == 0 && i < configuration->n_actors; i++) {
		char **opens = configuration->actors[i].opens;

		configuration_locate(fault, "actors", i, "opens");
		for (; r == 0 && opens && *opens; opens++)
			r = check_name(names, *opens, fault);
	}
	for (size_t i = 0; r == 0 && i < configuration->n_listeners; i++) {
		const struct configured_listener *listener = &configuration->listeners[i];

		configuration_locate_listener(
			fault, listener, listener->request.to ? "to" : "give");
		r = check_target(names, &listener->request, fault);
	}
	return r;
}

/* Those that stay lead to what they can lead to still. */
static int check_kept(const struct names *names, struct configuration_fault *fault)
{
	const struct listener *listener;
	const char *obstacle;
	int r = 0;

	TAILQ_FOREACH(listener, &names->supervisor->listeners, entries) {
		const struct listener_request request = {
			.to = listener->to, .give = listener->give};
		const char *name = listener->to ? listener->to : listener->give;
		const struct spec *spec = configuration_find_actor(names->configuration, name);

		if (r < 0 || !spec || names->prune || listener->is_closing ||
			configuration_find_listener(names->configuration, listener->name))
			continue;
		configuration_locate(
			fault, "actors", (size_t)(spec - names->configuration->actors), "adapter");
		obstacle = adapter_find_obstacle(spec, &request);
		if (obstacle)
			r = configuration_refuse(fault,
				"the listener %s leads to it, and %s then %s", listener->name, name,
				obstacle);
	}
	return r;
}

/* Sockets. */

static const struct listener *find_by_address(struct supervisor *supervisor, const char *address)
{
	const struct listener *listener;

	TAILQ_FOREACH(listener, &supervisor->listeners, entries)
		if (strcmp(listener->address, address) == 0)
			return listener;
	return NULL;
}

/* Is it gone before those that are wanted are opened? */
static bool is_going(const struct plan *plan, const struct listener *listener)
{
	for (size_t i = 0; listener && i < plan->n_changes; i++) {
		const struct change *change = &plan->changes[i];

		if (change->is_listener && strcmp(change->name, listener->name) == 0)
			return change->effect == PLAN_REPLACE || is_given_up(plan, listener);
	}
	return false;
}

static int bind_one(struct supervisor *supervisor, struct plan *plan, struct change *change,
	struct configuration_fault *fault)
{
	const struct listener_request *request = &change->configured->request;
	const struct listener *other;
	struct listener_refusal refusal;
	char text[ADDRESS_TEXT_BYTES];
	int r = listener_request_bind(supervisor, request, &change->address, &change->fd, &refusal);

	if (change->configured->address.length > 0)
		address_format(r < 0 ? &change->configured->address : &change->address, text);
	else
		(void)snprintf(text, sizeof(text), "%s", request->address);
	if (r == 0)
		return write_own(plan, change->configured, text);
	other = find_by_address(supervisor, text);
	change->is_late = r == -EADDRINUSE && is_going(plan, other);
	if (change->is_late)
		return 0;
	fault->is_transient = strcmp(refusal.error, "AddressInUse") == 0;
	if (other && other->is_owned)
		return configuration_refuse(
			fault, "the listener %s of %s is at %s", other->name, other->give, text);
	if (other)
		return configuration_refuse(fault,
			"the listener %s is at %s; 'inkoctl close %s' first", other->name, text,
			other->name);
	return configuration_refuse(fault, "%s", refusal.reason);
}

static bool needs_socket(const struct change *change)
{
	if (!change->is_listener)
		return false;
	return change->action == PLAN_ADD ||
	       (change->action == PLAN_CHANGE && is_changed(change->fields, "address"));
}

/* The last of all checks: nobody who connects is disturbed by a mistake that was found before. */
static int bind_all(
	struct supervisor *supervisor, struct plan *plan, struct configuration_fault *fault)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->n_changes; i++) {
		struct change *change = &plan->changes[i];

		if (!needs_socket(change))
			continue;
		configuration_locate_listener(fault, change->configured, "address");
		r = bind_one(supervisor, plan, change, fault);
	}
	return r;
}

/* The whole. */

/* Who is given one as it starts, and never after that? Their spec, or NULL. */
static const struct spec *find_starter(
	const struct configuration *configuration, const struct listener_request *request)
{
	const struct spec *spec =
		request->give ? configuration_find_actor(configuration, request->give) : NULL;

	return spec && !adapter_has_mailbox(spec) ? spec : NULL;
}

/* Those that programs start with, or the others. */
static int plan_listeners(const struct names *names, struct plan *plan, bool are_for_start,
	struct configuration_fault *fault)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->configuration.n_listeners; i++) {
		const struct configured_listener *listener = &plan->configuration.listeners[i];

		if (!find_starter(&plan->configuration, &listener->request) == are_for_start)
			continue;
		configuration_locate_listener(fault, listener, "name");
		r = plan_listener(names, plan, i, fault);
	}
	return r;
}

static bool starts(const struct plan *plan, const char *actor)
{
	for (size_t i = 0; i < plan->n_changes; i++) {
		const struct change *change = &plan->changes[i];

		if (!change->is_listener && strcmp(change->name, actor) == 0)
			return change->effect == PLAN_START || change->effect == PLAN_ROLL;
	}
	return false;
}

/* New listeners of programs that run, and go on without them. */
static void note_late(struct plan *plan)
{
	for (size_t i = 0; i < plan->n_changes; i++) {
		struct change *change = &plan->changes[i];
		const struct spec *spec =
			change->is_listener && change->action == PLAN_ADD
				? find_starter(&plan->configuration, &change->configured->request)
				: NULL;

		if (spec && !starts(plan, spec->name))
			change->effect = PLAN_NEXT_START;
	}
}

/* In the order in which it is done: a program is started with its listeners, and others lead to
 * actors that are there. */
static int plan_all(const struct names *names, struct plan *plan, struct configuration_fault *fault)
{
	const struct configuration *configuration = names->configuration;
	int r = plan_given_up(names->supervisor, plan);

	if (r == 0)
		r = plan_listeners(names, plan, true, fault);
	for (size_t i = 0; r == 0 && i < configuration->n_actors; i++) {
		configuration_locate(fault, "actors", i, "name");
		r = plan_actor(names->supervisor, plan, i, fault);
	}
	if (r == 0)
		r = plan_listeners(names, plan, false, fault);
	note_late(plan);
	return r < 0 ? r : plan_others(names->supervisor, plan, names->prune);
}

static int fill(struct supervisor *supervisor, struct plan *plan, bool prune,
	struct configuration_fault *fault)
{
	const struct names names = {supervisor, &plan->configuration, prune};
	int r = check_references(&names, fault);

	plan->changes =
		calloc(count_most(supervisor, &plan->configuration) + 1, sizeof(*plan->changes));
	if (!plan->changes)
		return -ENOMEM;
	if (r == 0)
		r = check_kept(&names, fault);
	if (r == 0)
		r = plan_all(&names, plan, fault);
	return r < 0 ? r : bind_all(supervisor, plan, fault);
}

int plan_make(struct supervisor *supervisor, const struct spec_asker *asker, const cJSON *object,
	bool prune, struct plan **ret_plan, struct configuration_fault *ret_fault)
{
	struct plan *plan = calloc(1, sizeof(*plan));
	int r = -ENOMEM;

	*ret_fault = (struct configuration_fault){0};
	if (plan)
		r = configuration_parse(object, asker, &plan->configuration, ret_fault);
	if (r == 0)
		r = fill(supervisor, plan, prune, ret_fault);
	if (r == -ENOMEM)
		(void)configuration_refuse(ret_fault, "there is no memory for it");
	if (r < 0) {
		json_clean(ret_fault->path);
		json_clean(ret_fault->reason);
		plan_free(plan);
		return r;
	}
	*ret_plan = plan;
	return 0;
}

static void change_done(struct change *change)
{
	if (change->fd >= 0 && change->address.any.sa_family == AF_UNIX &&
		!listener_request_systemd_name(change->configured->request.address))
		(void)unlink(change->address.un.sun_path);
	descriptor_close(&change->fd);
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
