/* Methods that change actors. */

#include <errno.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/adapter.h"
#include "daemon/supervisor/builtin.h"
#include "daemon/supervisor/client.h"
#include "daemon/supervisor/describe.h"
#include "daemon/supervisor/interface.h"
#include "daemon/supervisor/interface-answer.h"
#include "daemon/supervisor/service.h"
#include "daemon/supervisor/listener.h"
#include "daemon/supervisor/opens.h"
#include "daemon/supervisor/readiness.h"
#include "daemon/supervisor/reload.h"
#include "daemon/supervisor/spec-check.h"
#include "daemon/supervisor/supervisor.h"
#include "proto/json-fields.h"

/* Of a number whose range is not known before the actor is. */
#define NOT_GIVEN INT64_MIN

struct scale {
	char *actor;
	int64_t instances;
};

struct restart {
	char *actor;
	bool is_rolling;
	int64_t max_extra;
};

static const struct json_field actor_fields[] = {
	JSON_FIELD(named, "actor", JSON_STRING, name, true),
	JSON_FIELDS_END,
};

static const struct json_field scale_fields[] = {
	JSON_FIELD(scale, "actor", JSON_STRING, actor, true),
	JSON_FIELD_INTEGER(scale, "instances", instances, true, 0, LIMIT_INSTANCES),
	JSON_FIELDS_END,
};

static const struct json_field restart_fields[] = {
	JSON_FIELD(restart, "actor", JSON_STRING, actor, true),
	JSON_FIELD(restart, "rolling", JSON_BOOLEAN, is_rolling, false),
	/* check_extra knows how many there may be. */
	JSON_FIELD_INTEGER(
		restart, "maxExtra", max_extra, false, -JSON_INTEGER_MAX, JSON_INTEGER_MAX),
	JSON_FIELDS_END,
};

static void init_spec(void *parameters)
{
	spec_init(parameters);
}

static bool is_full(const struct supervisor *supervisor)
{
	const struct actor *actor;
	size_t n = 0;

	TAILQ_FOREACH(actor, &supervisor->actors, entries)
		n += !actor->is_builtin;
	return n >= LIMIT_ACTORS;
}

static void spawn(struct supervisor *supervisor, struct call *call, void *parameters)
{
	struct spec *spec = parameters;
	struct listener_refusal refusal;
	struct actor *actor, *gateway;
	const char *parameter;
	char reason[512];
	const struct spec_asker asker = {.uid = call_get_uid(call), .runtime = supervisor->runtime};
	int r = spec_check(spec, &asker, &parameter, reason);

	if (r == -ENOENT) {
		describe_failure(call, "NoSuchProgram", spec->command[0], "%s", reason);
		return;
	}
	if (r == -EINVAL) {
		describe_failure(call, "InvalidValue", parameter, "%s", reason);
		return;
	}
	if (r < 0) {
		interface_fail_errno(call, "the spec cannot be checked", r);
		return;
	}
	if (builtin_is_reserved(spec->name) || actor_find(supervisor, spec->name)) {
		describe_failure(call, "NameInUse", spec->name,
			"there is an actor %s already; choose another name%s", spec->name,
			builtin_is_reserved(spec->name) ? "" : ", or remove it first");
		return;
	}
	if (opens_check(supervisor, spec, reason) < 0) {
		describe_failure(call, "InvalidValue", "opens", "%s", reason);
		return;
	}
	if (is_full(supervisor)) {
		describe_failure(call, "Failed", NULL,
			"there are %d actors already, and may be no more; remove one first",
			LIMIT_ACTORS);
		return;
	}
	(void)builtin_ensure_gateway(supervisor, &gateway);
	r = adapter_open_listeners(supervisor, spec, &refusal);
	if (r < 0) {
		describe_failure(call, refusal.error, refusal.subject, "%s", refusal.reason);
		return;
	}
	r = actor_new(supervisor, spec, ACTOR_BY_HAND, &actor);
	if (r < 0) {
		adapter_close_listeners(supervisor, spec);
		interface_fail_errno(call, "the actor cannot be made", r);
		return;
	}
	r = actor_start(actor);
	if (r < 0) {
		interface_fail_errno(call, actor->spec.name, r);
		actor_remove(actor, true);
		return;
	}
	builtin_open_endpoint(actor);
	interface_answer_later(supervisor, call, REQUEST_SPAWN, actor->spec.name);
}

static void start(struct supervisor *supervisor, struct call *call, void *parameters)
{
	struct named *named = parameters;
	struct actor *actor = interface_find_own_actor(supervisor, call, named->name);
	int r = actor ? actor_start(actor) : 0;

	if (actor && actor->spec.instances == 0)
		describe_failure(call, "Failed", NULL,
			"%s is to have no instances; 'inkoctl scale %s 1'", named->name,
			named->name);
	else if (r < 0)
		interface_fail_errno(call, named->name, r);
	else if (actor)
		interface_answer_later(supervisor, call, REQUEST_READY, named->name);
}

static void init_restart(void *parameters)
{
	((struct restart *)parameters)->max_extra = NOT_GIVEN;
}

static bool check_extra(struct call *call, const struct actor *actor, const struct restart *wanted)
{
	/* An actor may be scaled to nothing. */
	int64_t max = actor->spec.instances > 0 ? actor->spec.instances : 1;

	if (wanted->max_extra == NOT_GIVEN)
		return true;
	if (wanted->is_rolling && wanted->max_extra >= 1 && wanted->max_extra <= max)
		return true;
	if (wanted->is_rolling)
		describe_out_of_range(call, "maxExtra", 1, max);
	else
		describe_failure(call, "InvalidValue", "maxExtra",
			"maxExtra goes with rolling: without it there are no extra instances");
	return false;
}

static bool check_rolling(
	struct call *call, const struct actor *actor, const struct restart *wanted)
{
	if (!wanted->is_rolling || !readiness_is_shared(&actor->spec))
		return true;
	describe_failure(call, "InvalidValue", "readyCheck",
		"%s is ready when somebody listens at %s (readyCheck): beside the old instance a new "
		"one would be taken for ready, and could not listen there; 'inkoctl restart %s' "
		"without --rolling, or let the program say READY=1",
		actor->spec.name, actor->spec.ready_check, actor->spec.name);
	return false;
}

static void restart(struct supervisor *supervisor, struct call *call, void *parameters)
{
	struct restart *wanted = parameters;
	struct actor *actor = interface_find_own_actor(supervisor, call, wanted->actor);
	int r;

	if (!actor || !check_extra(call, actor, wanted) || !check_rolling(call, actor, wanted))
		return;
	if (wanted->is_rolling)
		r = actor_roll(actor, wanted->max_extra == NOT_GIVEN ? 1 : wanted->max_extra);
	else
		r = actor_restart(actor);
	if (r < 0)
		interface_fail_errno(call, wanted->actor, r);
	else
		interface_answer_later(supervisor, call,
			wanted->is_rolling ? REQUEST_ROLLED : REQUEST_READY, wanted->actor);
}

static void reload(struct supervisor *supervisor, struct call *call, void *parameters)
{
	struct named *named = parameters;
	struct actor *actor = interface_find_own_actor(supervisor, call, named->name);
	const struct instance *pending;

	if (!actor)
		return;
	pending = reload_find_pending(actor);
	/* Not joined: what is changed now it may have read before. */
	if (pending)
		describe_failure(call, "Failed", NULL,
			"%s is being reloaded already, and %s is not done; try again when it is",
			named->name, pending->name);
	else if (reload_begin(actor))
		interface_answer_later(supervisor, call, REQUEST_RELOADED, named->name);
	else
		describe_failure(call, "Failed", NULL, "no instance of %s is ready", named->name);
}

static void stop(struct supervisor *supervisor, struct call *call, void *parameters)
{
	struct named *named = parameters;
	struct actor *actor = interface_find_own_actor(supervisor, call, named->name);

	if (!actor)
		return;
	actor_stop(actor);
	interface_answer_later(supervisor, call, REQUEST_STOPPED, named->name);
}

static void scale(struct supervisor *supervisor, struct call *call, void *parameters)
{
	struct scale *wanted = parameters;
	struct actor *actor = interface_find_own_actor(supervisor, call, wanted->actor);
	bool grows = actor && wanted->instances > actor->spec.instances;
	int r;

	if (actor && wanted->instances > 1 && readiness_is_shared(&actor->spec)) {
		describe_failure(call, "InvalidValue", "readyCheck",
			"%s is ready when somebody listens at %s (readyCheck), where two programs "
			"cannot listen; leave it at one instance, or let the program say READY=1",
			actor->spec.name, actor->spec.ready_check);
		return;
	}
	r = actor ? actor_scale(actor, wanted->instances) : 0;
	if (r < 0)
		interface_fail_errno(call, wanted->actor, r);
	else if (actor && !actor->is_wanted)
		interface_answer_later(supervisor, call, REQUEST_STOPPED, wanted->actor);
	else if (actor)
		interface_answer_later(
			supervisor, call, grows ? REQUEST_READY : REQUEST_SCALED, wanted->actor);
}

static void remove_actor(struct supervisor *supervisor, struct call *call, void *parameters)
{
	struct named *named = parameters;
	struct actor *actor = interface_find_own_actor(supervisor, call, named->name);
	struct listener *listener = actor ? listener_find_to(supervisor, named->name) : NULL;

	if (listener)
		describe_failure(call, "StillRouted", named->name,
			"the listener %s leads to %s; 'inkoctl close %s' first", listener->name,
			named->name, listener->name);
	if (!actor || listener)
		return;
	actor_remove(actor, false);
	interface_answer_later(supervisor, call, REQUEST_REMOVED, named->name);
}

/* clang-format off */
const struct interface_method interface_actor_methods[] = {
	{SERVICE_SUPERVISOR ".Spawn", spec_fields, sizeof(struct spec), INTERFACE_CHANGE, init_spec, spawn},
	{SERVICE_SUPERVISOR ".Start", actor_fields, sizeof(struct named), INTERFACE_CHANGE, NULL, start},
	{SERVICE_SUPERVISOR ".Reload", actor_fields, sizeof(struct named), INTERFACE_CHANGE, NULL, reload},
	{SERVICE_SUPERVISOR ".Stop", actor_fields, sizeof(struct named), INTERFACE_CHANGE, NULL, stop},
	{SERVICE_SUPERVISOR ".Restart", restart_fields, sizeof(struct restart), INTERFACE_CHANGE, init_restart, restart},
	{SERVICE_SUPERVISOR ".Scale", scale_fields, sizeof(struct scale), INTERFACE_CHANGE, NULL, scale},
	{SERVICE_SUPERVISOR ".Remove", actor_fields, sizeof(struct named), INTERFACE_CHANGE, NULL, remove_actor},
	{0},
};
/* clang-format on */
