#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/actor-state.h"
#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/announce.h"
#include "daemon/supervisor/builtin.h"
#include "daemon/supervisor/count.h"
#include "daemon/supervisor/holding.h"
#include "daemon/supervisor/instance-life.h"
#include "daemon/supervisor/listener-route.h"
#include "daemon/supervisor/listener.h"
#include "daemon/supervisor/monitor.h"
#include "daemon/supervisor/requests.h"
#include "daemon/supervisor/routing.h"
#include "daemon/supervisor/shutdown.h"
#include "proto/json-fields.h"

/* What is put to the keeper: the spec is an object of its own, by its own table. */
struct held_actor {
	cJSON *spec;
	bool is_builtin, is_wanted, is_removing, has_endpoint, is_configured;
	int64_t generation, roll_extra;
	char *roll_instance, *roll_failure;
	cJSON *former;
	char *forgetting;
};

static const struct json_field fields[] = {
	JSON_FIELD(held_actor, "spec", JSON_OBJECT, spec, true),
	JSON_FIELD(held_actor, "builtin", JSON_BOOLEAN, is_builtin, true),
	JSON_FIELD(held_actor, "wanted", JSON_BOOLEAN, is_wanted, true),
	JSON_FIELD(held_actor, "removing", JSON_BOOLEAN, is_removing, true),
	JSON_FIELD(held_actor, "endpoint", JSON_BOOLEAN, has_endpoint, false),
	JSON_FIELD(held_actor, "configured", JSON_BOOLEAN, is_configured, false),
	JSON_FIELD_INTEGER(held_actor, "generation", generation, false, 1, JSON_INTEGER_MAX),
	JSON_FIELD_INTEGER(held_actor, "rollExtra", roll_extra, false, 0, LIMIT_INSTANCES),
	JSON_FIELD(held_actor, "rollInstance", JSON_STRING, roll_instance, false),
	JSON_FIELD(held_actor, "rollFailure", JSON_STRING, roll_failure, false),
	JSON_FIELD(held_actor, "former", JSON_OBJECT, former, false),
	JSON_FIELD(held_actor, "forgetting", JSON_STRING, forgetting, false),
	JSON_FIELDS_END,
};

static const char *key_of(const struct actor *actor, char key[static LIMIT_KEY_CHARS])
{
	(void)snprintf(key, LIMIT_KEY_CHARS, "actor/%s", actor->spec.name);
	return key;
}

void actor_put(struct actor *actor)
{
	struct held_actor held = {.spec = json_encode(spec_fields, &actor->spec),
		.is_builtin = actor->is_builtin,
		.is_wanted = actor->is_wanted,
		.is_removing = actor->is_removing,
		.has_endpoint = actor->has_endpoint,
		.is_configured = actor->is_configured,
		.generation = actor->generation,
		.roll_extra = actor->roll.max_extra,
		.roll_instance = actor->roll.failed_instance,
		.roll_failure = actor->roll.failure,
		.former = counters_encode(&actor->former),
		.forgetting = actor->forgetting};
	char key[LIMIT_KEY_CHARS];

	holding_put(actor->supervisor->holding, key_of(actor, key), fields, &held, NULL, 0);
	cJSON_Delete(held.spec);
	cJSON_Delete(held.former);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct actor *)a)->spec.name, ((const struct actor *)b)->spec.name);
}

static int add_to_list(struct actor *actor)
{
	struct actor **node = tsearch(actor, &actor->supervisor->actor_tree, compare_names);

	if (!node || *node != actor)
		return node ? -EEXIST : -ENOMEM;
	TAILQ_INSERT_TAIL(&actor->supervisor->actors, actor, entries);
	return 0;
}

static void remove_from_list(struct actor *actor)
{
	(void)tdelete(actor, &actor->supervisor->actor_tree, compare_names);
	TAILQ_REMOVE(&actor->supervisor->actors, actor, entries);
}

static void release(struct actor *actor)
{
	sd_event_source_disable_unref(actor->settle);
	roll_done(&actor->roll);
	spec_done(&actor->spec);
	free(actor->forgetting);
	free(actor);
}

int actor_add_instance(struct actor *actor, struct instance **ret_instance)
{
	const struct instance *instance;
	int64_t index = 0;

	TAILQ_FOREACH(instance, &actor->instances, entries) {
		if (instance->index != index)
			break;
		index++;
	}
	return index > INSTANCE_INDEX_MAX ? -EUSERS : instance_new(actor, index, ret_instance);
}

static int64_t count_wanted(const struct actor *actor)
{
	const struct instance *instance;
	int64_t n = 0;

	TAILQ_FOREACH(instance, &actor->instances, entries)
		n += !instance->is_retiring;
	return n;
}

static int make_missing(struct actor *actor)
{
	struct instance *instance;

	for (int64_t n = count_wanted(actor); n < actor->spec.instances; n++) {
		int r = actor_add_instance(actor, &instance);

		/* It is made when one has ended that is retiring. */
		if (r == -EUSERS)
			return 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static void start_stopped(struct actor *actor)
{
	struct instance *instance;

	TAILQ_FOREACH(instance, &actor->instances, entries)
		if (!instance->is_retiring && instance->state == LIFECYCLE_STOPPED)
			instance_start(instance);
}

/* A roll has its own opinion on how many there are too many, and which. */
static void retire_surplus(struct actor *actor)
{
	int64_t n = count_wanted(actor);
	struct instance *instance;

	if (roll_is_under_way(actor))
		return;
	TAILQ_FOREACH_REVERSE(instance, &actor->instances, instances, entries)
		if (!instance->is_retiring && n > actor->spec.instances) {
			instance_retire(instance);
			n--;
		}
}

/* Whoever was to end when a former supervisor did so itself. */
static void stop_unwanted(struct actor *actor)
{
	struct instance *instance;

	TAILQ_FOREACH(instance, &actor->instances, entries)
		if (!actor->is_wanted || instance->is_retiring)
			instance_stop(instance);
}

/* What it had counted stays its actor's. A supervisor may end in between: as long as the two are
 * held, the actor says that it has counted the other in. */
static void forget(struct instance *instance)
{
	struct actor *actor = instance->actor;
	char *name;

	if (actor->is_removing) {
		instance_free(instance);
		return;
	}
	name = strdup(instance->name);
	if (!name)
		abort();
	count_instance(instance, &actor->former);
	actor->forgetting = name;
	actor_put(actor);
	instance_free(instance);
	free(actor->forgetting);
	actor->forgetting = NULL;
	actor_put(actor);
}

static void free_surplus(struct actor *actor)
{
	struct instance *instance, *next;

	for (instance = TAILQ_FIRST(&actor->instances); instance; instance = next) {
		next = TAILQ_NEXT(instance, entries);
		if (instance->state == LIFECYCLE_STOPPED &&
			(actor->is_removing || instance->is_retiring))
			forget(instance);
	}
}

/* Who is wanted is started before a roll counts, and makes more. */
static void bring_about(struct actor *actor)
{
	retire_surplus(actor);
	stop_unwanted(actor);
	if (!actor->is_wanted)
		return;
	(void)make_missing(actor);
	start_stopped(actor);
	if (roll_go_on(actor)) {
		actor_put(actor);
		actor_touch(actor);
	}
}

static void say_state(struct actor *actor, const char *state)
{
	const struct monitor_event event = {.kind = MONITOR_ACTOR,
		.name = actor->spec.name,
		.from = actor->said_state,
		.to = state};

	if (strcmp(actor->said_state, state) == 0)
		return;
	monitor_say(actor->supervisor, &event);
	actor->said_state = state;
}

/* What follows from the states that its instances have come to. */
static int on_settle(sd_event_source *source, void *userdata)
{
	struct actor *actor = userdata;
	struct supervisor *supervisor = actor->supervisor;
	bool has_failed;

	(void)source;
	announce_touch(supervisor);
	free_surplus(actor);
	if (actor->is_removing && TAILQ_EMPTY(&actor->instances)) {
		actor_free(actor);
		requests_check(supervisor);
		shutdown_check(supervisor);
		return 0;
	}
	bring_about(actor);
	say_state(actor, actor_state(actor));
	has_failed = strcmp(actor_state(actor), "failed") == 0;
	if (has_failed != actor->has_failed) {
		actor->has_failed = has_failed;
		listener_route_on_actor_failed(actor, has_failed);
	}
	requests_check(supervisor);
	return 0;
}

void actor_touch(struct actor *actor)
{
	(void)sd_event_source_set_enabled(actor->settle, SD_EVENT_ONESHOT);
}

static int make(struct supervisor *supervisor, struct actor **ret_actor)
{
	struct actor *actor = calloc(1, sizeof(*actor));
	int r;

	if (!actor)
		return -ENOMEM;
	actor->supervisor = supervisor;
	actor->said_state = "stopped";
	TAILQ_INIT(&actor->instances);
	actor->generation = 1;
	spec_init(&actor->spec);
	r = sd_event_add_defer(supervisor->event, &actor->settle, on_settle, actor);
	if (r < 0) {
		free(actor);
		return r;
	}
	*ret_actor = actor;
	return 0;
}

int actor_new(struct supervisor *supervisor, struct spec *take_spec, enum actor_origin origin,
	struct actor **ret_actor)
{
	struct actor *actor;
	int r = make(supervisor, &actor);

	if (r < 0)
		return r;
	actor->spec = *take_spec;
	*take_spec = (struct spec){0};
	actor->is_builtin = origin == ACTOR_BUILTIN;
	actor->is_configured = origin == ACTOR_CONFIGURED;
	/* From the first moment that it is held, so that no successor finds half a decision. */
	actor->is_wanted = true;
	r = add_to_list(actor);
	if (r < 0) {
		*take_spec = actor->spec;
		actor->spec = (struct spec){0};
		release(actor);
		return r;
	}
	actor_put(actor);
	*ret_actor = actor;
	return 0;
}

struct actor *actor_free(struct actor *actor)
{
	char key[LIMIT_KEY_CHARS];

	say_state(actor, "removed");
	builtin_close_endpoint(actor);
	listener_close_owned(actor->supervisor, actor->spec.name);
	while (!TAILQ_EMPTY(&actor->instances))
		instance_free(TAILQ_FIRST(&actor->instances));
	routing_refuse(actor);
	holding_drop(actor->supervisor->holding, key_of(actor, key));
	remove_from_list(actor);
	release(actor);
	return NULL;
}

int actor_adopt(struct supervisor *supervisor, struct keep_message *message)
{
	/* Of a supervisor that did not say whether. */
	struct held_actor held = {.generation = 1, .has_endpoint = true};
	struct actor *actor = NULL;
	int r = holding_decode(message, fields, 0, &held);

	if (r == 0)
		r = make(supervisor, &actor);
	if (r == 0)
		r = spec_decode_held(held.spec, &actor->spec);
	if (r == 0) {
		actor->is_builtin = held.is_builtin;
		actor->is_wanted = held.is_wanted;
		actor->is_removing = held.is_removing;
		actor->has_endpoint = held.has_endpoint;
		actor->is_configured = held.is_configured;
		actor->generation = held.generation;
		actor->roll = (struct roll){.max_extra = held.roll_extra,
			.failed_instance = held.roll_instance,
			.failure = held.roll_failure};
		held.roll_instance = held.roll_failure = NULL;
		actor->forgetting = held.forgetting;
		held.forgetting = NULL;
		counters_decode(held.former, &actor->former);
		r = add_to_list(actor);
	}
	if (r < 0 && actor)
		release(actor);
	json_release(fields, &held);
	return r;
}

void actor_resume(struct actor *actor)
{
	struct instance *instance =
		actor->forgetting ? actor_find_instance(actor->supervisor, actor->forgetting)
				  : NULL;

	if (instance)
		instance_free(instance);
	if (actor->forgetting) {
		free(actor->forgetting);
		actor->forgetting = NULL;
		actor_put(actor);
	}
	if (actor->is_builtin)
		builtin_renew(actor);
	actor->said_state = actor_state(actor);
}

struct actor *actor_find(struct supervisor *supervisor, const char *name)
{
	struct actor wanted = {.spec.name = (char *)name};
	void *node = tfind(&wanted, &supervisor->actor_tree, compare_names);

	return node ? *(struct actor **)node : NULL;
}

static int compare_instances(const void *a, const void *b)
{
	return strcmp(((const struct instance *)a)->name, ((const struct instance *)b)->name);
}

int actor_link_instance(struct actor *actor, struct instance *instance)
{
	struct instance **node =
		tsearch(instance, &actor->supervisor->instance_tree, compare_instances);
	struct instance *before = TAILQ_LAST(&actor->instances, instances);

	if (!node || *node != instance)
		return node ? -EEXIST : -ENOMEM;
	while (before && before->index > instance->index)
		before = TAILQ_PREV(before, instances, entries);
	if (before)
		TAILQ_INSERT_AFTER(&actor->instances, before, instance, entries);
	else
		TAILQ_INSERT_HEAD(&actor->instances, instance, entries);
	return 0;
}

void actor_unlink_instance(struct instance *instance)
{
	struct actor *actor = instance->actor;

	(void)tdelete(instance, &actor->supervisor->instance_tree, compare_instances);
	TAILQ_REMOVE(&actor->instances, instance, entries);
}

struct instance *actor_find_instance(struct supervisor *supervisor, const char *name)
{
	const struct instance wanted = {.name = (char *)name};
	void *node = tfind(&wanted, &supervisor->instance_tree, compare_instances);

	return node ? *(struct instance **)node : NULL;
}

static void bring_up(struct actor *actor, void (*begin)(struct instance *instance))
{
	struct instance *instance;

	actor->is_wanted = true;
	actor_put(actor);
	retire_surplus(actor);
	TAILQ_FOREACH(instance, &actor->instances, entries)
		if (!instance->is_retiring)
			begin(instance);
	actor_touch(actor);
}

int actor_start(struct actor *actor)
{
	int r = make_missing(actor);

	if (r == 0)
		bring_up(actor, instance_start);
	return r;
}

int actor_restart(struct actor *actor)
{
	int r = make_missing(actor);

	if (r < 0)
		return r;
	actor->generation++;
	roll_cancel(actor);
	bring_up(actor, instance_restart);
	return 0;
}

int actor_roll(struct actor *actor, int64_t max_extra)
{
	int r = make_missing(actor);

	if (r < 0)
		return r;
	actor->generation++;
	roll_begin(actor, max_extra);
	/* Who runs is replaced, who does not is started: both when it settles. */
	actor->is_wanted = true;
	actor_put(actor);
	actor_touch(actor);
	return 0;
}

static void stop_all(struct actor *actor)
{
	struct instance *instance;

	TAILQ_FOREACH(instance, &actor->instances, entries)
		instance_stop(instance);
}

void actor_stop(struct actor *actor)
{
	actor->is_wanted = false;
	roll_cancel(actor);
	actor_put(actor);
	stop_all(actor);
	actor_touch(actor);
}

int actor_scale(struct actor *actor, int64_t instances)
{
	int r;

	actor->spec.instances = instances;
	actor_put(actor);
	retire_surplus(actor);
	r = make_missing(actor);
	actor_touch(actor);
	return r;
}

static void renew(struct actor *actor, enum actor_renewal renewal)
{
	if (renewal == ACTOR_KEEPS || !actor->is_wanted)
		return;
	actor->generation++;
	if (renewal == ACTOR_ROLLS)
		roll_begin(actor, 1);
	else
		roll_cancel(actor);
}

int actor_change(struct actor *actor, struct spec *take_spec, enum actor_renewal renewal)
{
	int r;

	/* First: a supervisor that takes over in between starts them as they were, and what is
	 * wanted still differs. They start again when it settles. */
	if (renewal == ACTOR_RESTARTS && actor->is_wanted)
		stop_all(actor);
	spec_done(&actor->spec);
	actor->spec = *take_spec;
	*take_spec = (struct spec){0};
	renew(actor, renewal);
	actor_put(actor);
	retire_surplus(actor);
	r = make_missing(actor);
	actor_touch(actor);
	return r;
}

static void kill_at_once(struct instance *instance)
{
	if (instance->process.pid > 0)
		monitor_say_kill(instance, "is not wanted, as the actor did not start");
	instance_process_kill(instance);
}

void actor_remove(struct actor *actor, bool at_once)
{
	struct instance *instance;

	actor->is_removing = true;
	actor_stop(actor);
	if (at_once)
		TAILQ_FOREACH(instance, &actor->instances, entries)
			kill_at_once(instance);
}
