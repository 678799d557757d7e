#include <sys/random.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/instance-life.h"
#include "daemon/supervisor/instance-notice.h"
#include "daemon/supervisor/instance-timer.h"

/* A supervisor that was stopped, or waited for a keeper that was, finds at once that the time is
 * over and what was said in time. */
static bool has_spoken_in_time(struct instance *instance)
{
	enum lifecycle_state state = instance->state;
	uint64_t deadline_usec = 0;

	instance_notice_hear(instance);
	if (instance->state != state || !instance->timer)
		return true;
	return sd_event_source_get_time(instance->timer, &deadline_usec) >= 0 &&
	       deadline_usec > supervisor_now(instance->actor->supervisor);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct instance *instance = userdata;

	(void)source;
	(void)usec;
	if (!lifecycle_is_alive(instance->state) || !has_spoken_in_time(instance))
		instance_on_event(instance, LIFECYCLE_TIMEOUT);
	return 0;
}

static void arm_at(struct instance *instance, uint64_t deadline_usec)
{
	instance->timer = sd_event_source_disable_unref(instance->timer);
	(void)sd_event_add_time(instance->actor->supervisor->event, &instance->timer,
		CLOCK_MONOTONIC, deadline_usec, 1, on_timer, instance);
}

static void arm(struct instance *instance, uint64_t usec)
{
	arm_at(instance, supervisor_now(instance->actor->supervisor) + usec);
}

static uint64_t back_off(struct instance *instance)
{
	uint16_t random = 0x8000;

	(void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
	return restart_policy_back_off(&instance->policy, &instance->actor->spec,
		supervisor_now(instance->actor->supervisor), random);
}

int64_t instance_timer_get_watchdog(const struct instance *instance)
{
	return instance->watchdog_usec < 0 ? instance->actor->spec.watchdog_usec
					   : instance->watchdog_usec;
}

void instance_timer_arm(struct instance *instance)
{
	const struct spec *spec = &instance->actor->spec;

	switch (instance->state) {
	case LIFECYCLE_STARTING:
		arm(instance, (uint64_t)spec->start_usec);
		return;
	case LIFECYCLE_LEAVING:
		arm(instance, (uint64_t)spec->drain_usec + (uint64_t)spec->stop_usec);
		return;
	case LIFECYCLE_DRAINING:
		arm(instance, (uint64_t)spec->drain_usec);
		return;
	case LIFECYCLE_TERMINATING:
	case LIFECYCLE_KILLING:
		arm(instance, (uint64_t)spec->stop_usec);
		return;
	case LIFECYCLE_WAITING:
		arm(instance, back_off(instance));
		return;
	case LIFECYCLE_READY:
		if (instance_timer_get_watchdog(instance) > 0) {
			arm(instance, (uint64_t)instance_timer_get_watchdog(instance));
			return;
		}
		/* fall through */
	default:
		instance->timer = sd_event_source_disable_unref(instance->timer);
	}
}

void instance_timer_arm_again(struct instance *instance)
{
	arm(instance, (uint64_t)instance->actor->spec.stop_usec);
}

/* May it take longer than its spec says, when it says so? */
static bool is_extensible(const struct instance *instance)
{
	return (instance->state == LIFECYCLE_STARTING && !instance->is_late) ||
	       instance->state == LIFECYCLE_LEAVING || instance->state == LIFECYCLE_DRAINING ||
	       instance->state == LIFECYCLE_TERMINATING;
}

/* Where what it said last is later than what was armed. */
static void arm_extension(struct instance *instance)
{
	uint64_t deadline_usec = 0;

	if (instance->timer && is_extensible(instance) &&
		sd_event_source_get_time(instance->timer, &deadline_usec) >= 0 &&
		(uint64_t)instance->extended_until_usec > deadline_usec)
		arm_at(instance, (uint64_t)instance->extended_until_usec);
}

void instance_timer_resume(struct instance *instance)
{
	instance_timer_arm(instance);
	arm_extension(instance);
}

void instance_timer_extend(struct instance *instance, int64_t usec)
{
	int64_t until_usec = (int64_t)supervisor_now(instance->actor->supervisor) + usec;

	if (!is_extensible(instance) || until_usec <= instance->extended_until_usec)
		return;
	instance->extended_until_usec = until_usec;
	instance_update(instance);
	arm_extension(instance);
}

void instance_timer_on_alive(struct instance *instance)
{
	if (instance->state == LIFECYCLE_READY && !instance->is_hung)
		instance_timer_arm(instance);
}

void instance_timer_set_watchdog(struct instance *instance, int64_t usec)
{
	instance->watchdog_usec = usec;
	instance_update(instance);
	instance_timer_on_alive(instance);
}
