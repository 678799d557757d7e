#include <string.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/configuration-export.h"
#include "daemon/supervisor/listener.h"

/* Leaves out of object what is as it is in defaults. */
static void leave_out(cJSON *object, const cJSON *defaults)
{
	const cJSON *member;

	cJSON_ArrayForEach(member, defaults) {
		const cJSON *said = cJSON_GetObjectItemCaseSensitive(object, member->string);

		if (said && cJSON_Compare(said, member, true))
			cJSON_DeleteItemFromObjectCaseSensitive(object, member->string);
	}
}

static bool is_named(char *const *names, const char *name)
{
	for (; names && *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

cJSON *configuration_export_spec(
	struct supervisor *supervisor, const struct spec *spec, const struct spec *wanted)
{
	cJSON *object = json_encode(spec_fields, spec);
	cJSON *opens = cJSON_GetObjectItemCaseSensitive(object, "opens"), *name, *next;

	for (name = opens ? opens->child : NULL; name; name = next) {
		const struct actor *actor = actor_find(supervisor, name->valuestring);

		next = name->next;
		if ((!actor || actor->is_removing) &&
			!(wanted && is_named(wanted->opens, name->valuestring)))
			cJSON_Delete(cJSON_DetachItemViaPointer(opens, name));
	}
	if (opens && !opens->child)
		cJSON_DeleteItemFromObjectCaseSensitive(object, "opens");
	return object;
}

static cJSON *describe_spec(struct supervisor *supervisor, const struct spec *spec)
{
	cJSON *object = configuration_export_spec(supervisor, spec, NULL), *defaults;
	struct spec initial;

	spec_init(&initial);
	/* What follows from the adapter is left out, the adapter itself is not. */
	initial.adapter = strdup(spec->adapter);
	if (initial.adapter && spec_complete(&initial) == 0) {
		defaults = json_encode(spec_fields, &initial);
		if (strcmp(spec->adapter, spec_about(spec_find("adapter"))->initial_text) != 0)
			cJSON_DeleteItemFromObjectCaseSensitive(defaults, "adapter");
		leave_out(object, defaults);
		cJSON_Delete(defaults);
	}
	spec_done(&initial);
	return object;
}

static cJSON *describe_listener(const struct listener *listener)
{
	const struct listener_request request = listener_get_request(listener);
	struct listener_request initial;
	struct listener_refusal refusal;
	cJSON *object = json_encode(listener_request_fields, &request), *defaults;
	char name[LIMIT_NAME_CHARS + 1];

	if (listener_request_name_address(listener->address, name) == 0 &&
		strcmp(listener->name, name) == 0)
		cJSON_DeleteItemFromObjectCaseSensitive(object, "name");

	/* What a listener has of itself that is given away it has not of somebody's saying. */
	listener_request_init(&initial);
	initial.to = strdup("");
	if (initial.to && listener_request_check(&initial, &refusal) == 0) {
		defaults = json_encode(listener_request_fields, &initial);
		leave_out(object, defaults);
		cJSON_Delete(defaults);
	}
	listener_request_done(&initial);
	return object;
}

cJSON *configuration_export(struct supervisor *supervisor)
{
	cJSON *object = cJSON_CreateObject();
	cJSON *actors = cJSON_AddArrayToObject(object, "actors");
	cJSON *listeners = cJSON_AddArrayToObject(object, "listeners");
	const struct listener *listener;
	const struct actor *actor;

	TAILQ_FOREACH(actor, &supervisor->actors, entries)
		if (!actor->is_builtin && !actor->is_removing)
			(void)cJSON_AddItemToArray(actors, describe_spec(supervisor, &actor->spec));
	TAILQ_FOREACH(listener, &supervisor->listeners, entries)
		if (!listener->is_closing && !listener->is_owned)
			(void)cJSON_AddItemToArray(listeners, describe_listener(listener));
	return object;
}
