#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/instance-state.h"

bool instance_is_serving(const struct instance *instance)
{
	return instance->state == LIFECYCLE_STARTING || instance->state == LIFECYCLE_READY;
}

bool instance_reads(const struct instance *instance)
{
	return instance->state == LIFECYCLE_READY && !instance->is_stalled;
}

bool instance_has_served(const struct instance *instance)
{
	return instance->state == LIFECYCLE_READY ||
	       (instance->state == LIFECYCLE_ENDED && instance->was_ready);
}

uint64_t instance_settles_at(const struct instance *instance)
{
	if (!instance_has_served(instance) || instance->was_brief)
		return UINT64_MAX;
	if (instance->state != LIFECYCLE_READY)
		return 0;
	return (uint64_t)(instance->ready_since_usec + instance->actor->spec.settle_usec);
}

bool instance_is_ending(const struct instance *instance)
{
	return lifecycle_is_alive(instance->state) && !instance_is_serving(instance) &&
	       instance->state != LIFECYCLE_LEAVING;
}

bool instance_is_broken(const struct instance *instance)
{
	bool has_ended = instance->state == LIFECYCLE_WAITING || instance->state == LIFECYCLE_ENDED;

	return instance->state == LIFECYCLE_FAILED || (has_ended && !instance->was_ready);
}

bool instance_has_sibling(
	const struct instance *instance, bool (*is_such)(const struct instance *instance))
{
	const struct instance *other;

	TAILQ_FOREACH(other, &instance->actor->instances, entries)
		if (other != instance && is_such(other))
			return true;
	return false;
}
