#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/describe.h"
#include "daemon/supervisor/instance-life.h"
#include "daemon/supervisor/instance-state.h"
#include "daemon/supervisor/log.h"
#include "daemon/supervisor/monitor.h"
#include "daemon/supervisor/roll-course.h"
#include "daemon/supervisor/roll.h"
#include "proto/descriptor.h"
#include "proto/json.h"

/* Programs print what they like; spec.c leaves room for it. */
#define REASON_CHARS 1000

static void wait_no_more(struct roll *roll)
{
	roll->timer = sd_event_source_disable_unref(roll->timer);
}

static void forget_failure(struct roll *roll)
{
	free(roll->failed_instance);
	free(roll->failure);
	roll->failed_instance = NULL;
	roll->failure = NULL;
}

void roll_done(struct roll *roll)
{
	forget_failure(roll);
	wait_no_more(roll);
}

static void say(const struct actor *actor, const char *to, const char *why)
{
	const struct monitor_event event = {
		.kind = MONITOR_ROLL, .name = actor->spec.name, .to = to, .why = why};

	monitor_say(actor->supervisor, &event);
}

void roll_begin(struct actor *actor, int64_t max_extra)
{
	forget_failure(&actor->roll);
	actor->roll.max_extra = max_extra;
	say(actor, "begun", NULL);
	log_info("%s rolls over to generation %" PRIi64, actor->spec.name, actor->generation);
}

void roll_cancel(struct actor *actor)
{
	if (roll_is_under_way(actor))
		say(actor, "cancelled", NULL);
	forget_failure(&actor->roll);
	actor->roll.max_extra = 0;
}

bool roll_is_under_way(const struct actor *actor)
{
	return actor->roll.max_extra > 0;
}

/* Which instances there are. */

static bool is_fresh(const struct instance *instance)
{
	return !instance->is_retiring && instance->generation == instance->actor->generation;
}

static bool is_old(const struct instance *instance)
{
	return !instance->is_retiring && instance->generation != instance->actor->generation;
}

/* Ready for as long as it takes to replace another. */
static bool has_settled(const struct instance *instance)
{
	return instance_settles_at(instance) <= supervisor_now(instance->actor->supervisor);
}

static bool is_unready_fresh(const struct instance *instance)
{
	return is_fresh(instance) && !has_settled(instance);
}

static bool is_broken_fresh(const struct instance *instance)
{
	bool has_ended = instance->state == LIFECYCLE_WAITING || instance->state == LIFECYCLE_ENDED;

	return is_fresh(instance) &&
	       (instance_is_broken(instance) || (has_ended && instance->was_brief));
}

static struct roll_census count(const struct actor *actor)
{
	struct roll_census census = {
		.wanted = actor->spec.instances, .max_extra = actor->roll.max_extra};
	const struct instance *instance;

	TAILQ_FOREACH(instance, &actor->instances, entries) {
		census.old += is_old(instance);
		census.fresh += is_fresh(instance);
		census.fresh_ready += is_fresh(instance) && has_settled(instance);
		census.has_failed |= is_broken_fresh(instance);
	}
	return census;
}

/* Who does not serve can be spared first, then the oldest, and of those the lowest number. */
static bool goes_first(const struct instance *instance, const struct instance *other)
{
	bool is_ready = instance->state == LIFECYCLE_READY;

	if (is_ready != (other->state == LIFECYCLE_READY))
		return !is_ready;
	return instance->generation < other->generation;
}

static struct instance *pick(
	const struct actor *actor, bool (*is_such)(const struct instance *instance))
{
	struct instance *instance, *picked = NULL;

	TAILQ_FOREACH(instance, &actor->instances, entries)
		if (is_such(instance) && (!picked || goes_first(instance, picked)))
			picked = instance;
	return picked;
}

/* Effects: each tells whether there may be something more to do. */

static int on_settled(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	actor_touch(userdata);
	return 0;
}

/* For what the states of instances say, or for the first of the new ones that settles. */
static bool wait_on(struct actor *actor)
{
	const struct instance *instance;
	uint64_t first = UINT64_MAX;

	wait_no_more(&actor->roll);
	TAILQ_FOREACH(instance, &actor->instances, entries)
		if (is_unready_fresh(instance) && instance_settles_at(instance) < first)
			first = instance_settles_at(instance);
	if (first < UINT64_MAX)
		(void)sd_event_add_time(actor->supervisor->event, &actor->roll.timer,
			CLOCK_MONOTONIC, first, 1, on_settled, actor);
	return false;
}

static void stop_for(struct actor *actor, const char *instance, char *take_reason)
{
	forget_failure(&actor->roll);
	actor->roll.failed_instance = instance ? strdup(instance) : NULL;
	/* That there is one says that the roll did not succeed. */
	if (asprintf(&actor->roll.failure,
		    "%.*s; the roll has stopped, and the others serve on, but one of them that "
		    "ends is started as this one was" ROLL_ADVICE,
		    REASON_CHARS, take_reason ? take_reason : "there is no memory",
		    actor->spec.name) < 0)
		abort();
	/* Programs print what they like, and this is held and told. */
	json_clean(actor->roll.failure);
	free(take_reason);
	log_error("%s: %s", actor->spec.name, actor->roll.failure);
	say(actor, "failed", actor->roll.failure);
	actor->roll.max_extra = 0;
}

static bool start_one(struct actor *actor)
{
	struct instance *instance;
	char *reason;
	int r = actor_add_instance(actor, &instance);

	/* Numbers are free again when those have ended that are retiring. */
	if (r == -EUSERS)
		return false;
	if (r == 0) {
		instance_start(instance);
		return true;
	}
	if (asprintf(&reason, "a new instance cannot be made: %s", strerror(-r)) < 0)
		reason = NULL;
	stop_for(actor, NULL, reason);
	return false;
}

static bool retire_old(struct actor *actor)
{
	struct instance *old = pick(actor, is_old);

	say(actor, "replacing", old->name);
	instance_retire(old);
	return true;
}

static bool retire_fresh(struct actor *actor)
{
	instance_retire(pick(actor, is_fresh));
	return true;
}

static bool finish(struct actor *actor)
{
	actor->roll.max_extra = 0;
	say(actor, "ended", NULL);
	log_info("%s has rolled over to generation %" PRIi64, actor->spec.name, actor->generation);
	return false;
}

/* As many stay as shall be, also if some of them are still to become ready: where old ones have
 * ended by themselves meanwhile, nobody else is there. */
static void drop_unready(struct actor *actor)
{
	for (struct roll_census census = count(actor); census.old + census.fresh > census.wanted;
		census = count(actor)) {
		struct instance *instance = pick(actor, is_broken_fresh);

		if (!instance)
			instance = pick(actor, is_unready_fresh);
		if (!instance)
			return;
		instance_retire(instance);
	}
}

static bool fail(struct actor *actor)
{
	struct instance *broken = pick(actor, is_broken_fresh);
	/* What it printed last is forgotten with it. */
	char *reason = describe_end(broken);
	_cleanup_free_ char *name = strdup(broken->name);

	/* First: a supervisor that takes over in between goes on with the roll, and fails again. */
	drop_unready(actor);
	stop_for(actor, name, reason);
	return false;
}

static bool (*const effects[ROLL_ACTIONS])(struct actor *actor) = {
	[ROLL_WAIT] = wait_on,
	[ROLL_START] = start_one,
	[ROLL_RETIRE_OLD] = retire_old,
	[ROLL_RETIRE_FRESH] = retire_fresh,
	[ROLL_FINISH] = finish,
	[ROLL_FAIL] = fail,
};

bool roll_go_on(struct actor *actor)
{
	struct roll_census census;

	if (!roll_is_under_way(actor))
		return false;
	do
		census = count(actor);
	while (effects[roll_course(&census)](actor));
	return !roll_is_under_way(actor);
}
