#include "daemon/supervisor/actor-state.h"
#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/instance-state.h"

/* ready, failed and ended count those that are not retiring; who has ended as it should was ready.
 */
struct census {
	int64_t n, ready, failed, alive, ended;
};

static struct census count(const struct actor *actor)
{
	struct census census = {0};
	const struct instance *instance;

	TAILQ_FOREACH(instance, &actor->instances, entries) {
		census.n++;
		census.alive +=
			lifecycle_is_alive(instance->state) || instance->state == LIFECYCLE_WAITING;
		if (instance->is_retiring)
			continue;
		census.ready += instance_has_served(instance);
		census.ended += instance->state == LIFECYCLE_ENDED;
		census.failed += instance->state == LIFECYCLE_FAILED;
	}
	return census;
}

const char *actor_state(const struct actor *actor)
{
	struct census census = count(actor);

	if (census.failed > 0 && census.alive == 0)
		return "failed";
	if (!actor->is_wanted || actor->spec.instances == 0)
		return census.alive > 0 ? "stopping" : "stopped";
	if (census.ended > 0 && census.alive == 0)
		return "stopped";
	if (census.ready >= actor->spec.instances)
		return "ready";
	return census.ready > 0 ? "degraded" : "starting";
}

bool actor_is_ready(const struct actor *actor)
{
	return count(actor).ready >= actor->spec.instances;
}

bool actor_is_settled(const struct actor *actor)
{
	struct census census = count(actor);

	return census.n == actor->spec.instances && census.ready == census.n;
}

bool actor_is_stopped(const struct actor *actor)
{
	return count(actor).alive == 0;
}

const struct instance *actor_find_failure(const struct actor *actor)
{
	const struct instance *instance;

	TAILQ_FOREACH(instance, &actor->instances, entries)
		if (!instance->is_retiring && instance_is_broken(instance))
			return instance;
	return NULL;
}
