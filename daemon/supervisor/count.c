#include <string.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/builtin.h"
#include "daemon/supervisor/count.h"
#include "daemon/supervisor/listener.h"
#include "proto/json.h"

void count_instance(const struct instance *instance, struct counters *sum)
{
	const struct counters own = {
		.moved = (uint64_t)instance->moved, .restarts = (uint64_t)instance->restarts};

	counters_add(sum, &own);
	counters_add_page(sum, instance->counters_fd);
}

void count_actor(const struct actor *actor, struct counters *sum)
{
	const struct instance *instance;

	counters_add(sum, &actor->former);
	TAILQ_FOREACH(instance, &actor->instances, entries)
		count_instance(instance, sum);
}

/* The acceptor's rows are of listeners, the gateway's of actors that it had an endpoint of: a
 * row of one that it has not answered for is of a former actor of that name. */

static bool is_listener(const void *supervisor, const char *name)
{
	const struct listener *listener = listener_find((struct supervisor *)supervisor, name);

	return listener && !listener->is_closing;
}

static bool is_actor(const void *supervisor, const char *name)
{
	const struct actor *actor = actor_find((struct supervisor *)supervisor, name);

	return actor && actor->has_endpoint;
}

void count_forget_gone(const struct instance *instance)
{
	const struct actor *actor = instance->actor;

	if (!actor->is_builtin)
		return;
	counters_free_rows(instance->counters_fd,
		strcmp(actor->spec.name, BUILTIN_ACCEPTOR) == 0 ? is_listener : is_actor,
		actor->supervisor);
}

int64_t count_restarts(const struct actor *actor)
{
	int64_t restarts = (int64_t)actor->former.restarts;
	const struct instance *instance;

	TAILQ_FOREACH(instance, &actor->instances, entries)
		restarts += instance->restarts;
	return restarts;
}

static cJSON *describe(const char *name, const struct counters *sum)
{
	cJSON *object = cJSON_CreateObject();

	(void)cJSON_AddStringToObject(object, "name", name);
	counters_describe(sum, object);
	return object;
}

/* What actors have counted, and what explains it. */
struct work {
	cJSON *actors, *instances, *former;
};

static bool has_former(const struct actor *actor)
{
	static const struct counters none;

	return memcmp(&actor->former, &none, sizeof(none)) != 0;
}

static void describe_actor(const struct actor *actor, const struct work *work)
{
	const struct instance *instance;
	struct counters all = {0};

	count_actor(actor, &all);
	(void)cJSON_AddItemToArray(work->actors, describe(actor->spec.name, &all));
	if (has_former(actor))
		(void)cJSON_AddItemToArray(
			work->former, describe(actor->spec.name, &actor->former));
	TAILQ_FOREACH(instance, &actor->instances, entries) {
		struct counters one = {0};

		count_instance(instance, &one);
		(void)cJSON_AddItemToArray(work->instances, describe(instance->name, &one));
	}
}

/* The page of the one instance that an actor of inkod's own has. */
static const struct counters_page *open_builtin(struct supervisor *supervisor, const char *name)
{
	const struct actor *actor = actor_find(supervisor, name);
	const struct instance *instance = actor ? TAILQ_FIRST(&actor->instances) : NULL;

	return instance ? counters_open_page(instance->counters_fd) : NULL;
}

static cJSON *describe_source(const char *name, struct counters_source source)
{
	cJSON *object = cJSON_CreateObject();

	(void)cJSON_AddStringToObject(object, "name", name);
	(void)cJSON_AddItemToObject(object, "accepted", json_new_integer((int64_t)source.taken));
	(void)cJSON_AddItemToObject(
		object, "handedOver", json_new_integer((int64_t)source.handed_over));
	(void)cJSON_AddItemToObject(object, "refused", json_new_integer((int64_t)source.refused));
	return object;
}

/* Who is given a listener accepts and counts by itself. */
static void describe_listeners(
	struct supervisor *supervisor, const struct actor *actor, cJSON *array)
{
	const struct counters_page *page = open_builtin(supervisor, BUILTIN_ACCEPTOR);
	const struct listener *listener;

	TAILQ_FOREACH(listener, &supervisor->listeners, entries)
		if (listener->to && (!actor || strcmp(listener->to, actor->spec.name) == 0))
			(void)cJSON_AddItemToArray(
				array, describe_source(listener->name,
					       counters_find_source(page, listener->name)));
	counters_close_page(page);
}

static void describe_endpoints(
	struct supervisor *supervisor, const struct actor *only, cJSON *array)
{
	const struct counters_page *page = open_builtin(supervisor, BUILTIN_GATEWAY);
	const struct actor *actor;

	TAILQ_FOREACH(actor, &supervisor->actors, entries)
		if (!actor->is_builtin && page && (!only || actor == only))
			(void)cJSON_AddItemToArray(
				array, describe_source(actor->spec.name,
					       counters_find_source(page, actor->spec.name)));
	counters_close_page(page);
}

/* Of listeners and endpoints that are too many for the pages, together. */
static void describe_others(struct supervisor *supervisor, cJSON *object)
{
	static const struct {
		const char *actor, *member;
	} pages[] = {
		{BUILTIN_ACCEPTOR, "otherListeners"},
		{BUILTIN_GATEWAY, "otherEndpoints"},
	};

	for (size_t i = 0; i < sizeof(pages) / sizeof(*pages); i++) {
		const struct counters_page *page = open_builtin(supervisor, pages[i].actor);
		struct counters_source others = counters_get_others(page);

		if (others.taken > 0)
			(void)cJSON_AddItemToObject(
				object, pages[i].member, describe_source("", others));
		counters_close_page(page);
	}
}

cJSON *count_describe(struct supervisor *supervisor, const struct actor *only)
{
	cJSON *object = cJSON_CreateObject();
	const struct work work = {
		.actors = cJSON_AddArrayToObject(object, "actors"),
		.instances = cJSON_AddArrayToObject(object, "instances"),
		.former = cJSON_AddArrayToObject(object, "former"),
	};
	const struct actor *actor;

	TAILQ_FOREACH(actor, &supervisor->actors, entries)
		if (!only || actor == only)
			describe_actor(actor, &work);
	describe_listeners(supervisor, only, cJSON_AddArrayToObject(object, "listeners"));
	describe_endpoints(supervisor, only, cJSON_AddArrayToObject(object, "endpoints"));
	if (!only)
		describe_others(supervisor, object);
	return object;
}
