#include <string.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/client.h"
#include "daemon/supervisor/describe.h"
#include "daemon/supervisor/interface-answer.h"

void interface_fail_errno(struct call *call, const char *what, int error)
{
	describe_failure(call, "Failed", NULL, "%s: %s", what, strerror(-error));
}

struct actor *interface_find_actor(
	struct supervisor *supervisor, struct call *call, const char *name)
{
	struct actor *actor = actor_find(supervisor, name);

	if (!actor && strchr(name, '/'))
		describe_failure(call, "NoSuchActor", name,
			"%.100s is no actor; name the actor, not one of its instances", name);
	else if (!actor)
		describe_failure(call, "NoSuchActor", name,
			"there is no actor %.100s; 'inkoctl list' shows those that are", name);
	else if (actor->is_removing) {
		describe_failure(call, "Failed", NULL, "%s is being removed", name);
		actor = NULL;
	}
	return actor;
}

struct actor *interface_find_own_actor(
	struct supervisor *supervisor, struct call *call, const char *name)
{
	struct actor *actor = interface_find_actor(supervisor, call, name);

	if (actor && actor->is_builtin) {
		describe_failure(call, "Failed", NULL,
			"%s belongs to inkod, which starts and stops it itself", name);
		actor = NULL;
	}
	return actor;
}

void interface_answer_later(
	struct supervisor *supervisor, struct call *call, enum request_kind kind, const char *name)
{
	int r = requests_add(supervisor, call, kind, name);

	if (r < 0)
		interface_fail_errno(call, name, r);
}

void interface_reply(struct call *call, const char *name, cJSON *value)
{
	cJSON *parameters = cJSON_CreateObject();

	(void)cJSON_AddItemToObject(parameters, name, value);
	call_reply(call, parameters);
}
