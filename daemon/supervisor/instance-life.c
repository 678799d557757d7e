#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/builtin.h"
#include "daemon/supervisor/count.h"
#include "daemon/supervisor/instance-life.h"
#include "daemon/supervisor/instance-notice.h"
#include "daemon/supervisor/instance-state.h"
#include "daemon/supervisor/instance-timer.h"
#include "daemon/supervisor/log.h"
#include "daemon/supervisor/monitor.h"
#include "daemon/supervisor/news.h"
#include "daemon/supervisor/routing.h"
#include "daemon/supervisor/signal-name.h"
#include "proto/descriptor.h"

/* Effects, as lifecycle.h names them. What lifecycle_repeat names may have been done before. */

static void effect_nothing(struct instance *instance)
{
	(void)instance;
}

static void effect_spawn(struct instance *instance)
{
	int r;

	count_forget_gone(instance);
	r = instance_process_start(instance);
	monitor_say_state(instance);
	if (r == 0) {
		builtin_on_started(instance);
		news_tell_all(instance);
		readiness_begin(instance);
		return;
	}
	log_error("%s cannot be started: %s", instance->name, strerror(-r));
	/* A child behind a closed gate ends by itself, and is waited for as any other. */
	descriptor_close(&instance->process.gate_fd);
	if (instance->process.pidfd < 0) {
		instance->never_ran = true;
		instance_set_last_exit(instance, "could not be started: %s", strerror(-r));
		instance_on_ended(instance, false);
	}
}

static void effect_join(struct instance *instance)
{
	descriptor_close(&instance->process.gate_fd);
	routing_sync(instance);
}

static void effect_leave(struct instance *instance)
{
	routing_leave(instance);
}

/* Once in its life: to many programs a second one means at once. It is held behind the signal: a
 * supervisor that is killed between the two has the next one send another, which some programs
 * take badly. Held in front of it there would be none, which is SIGKILL for any, with all that it
 * serves. */
static void send_stop_signal(struct instance *instance)
{
	int number = signal_name_find(instance->actor->spec.stop_signal);

	if (instance->is_signalled)
		return;
	(void)pidfd_send_signal(instance->process.pidfd, number, NULL, 0);
	/* A stopped process gets its signal when it goes on. */
	(void)pidfd_send_signal(instance->process.pidfd, SIGCONT, NULL, 0);
	instance->is_signalled = true;
	instance_update(instance);
}

/* Who has no mailbox drains on the signal. */
static void effect_drain(struct instance *instance)
{
	routing_leave(instance);
	if (routing_has_mailbox(instance))
		news_tell_stop(instance);
	else
		send_stop_signal(instance);
}

/* Who drains on the signal has had it. */
static void effect_terminate(struct instance *instance)
{
	routing_leave(instance);
	send_stop_signal(instance);
}

/* Who does not even end at that is killed. */
static void effect_abort(struct instance *instance)
{
	bool is_second = instance->is_hung;

	instance->is_hung = true;
	monitor_say_kill(instance, is_second		     ? "did not end in time"
				   : instance->has_triggered ? "said WATCHDOG=trigger"
							     : "gave no sign of life");
	if (is_second) {
		instance_process_kill(instance);
		return;
	}
	(void)pidfd_send_signal(instance->process.pidfd, SIGABRT, NULL, 0);
	(void)pidfd_send_signal(instance->process.pidfd, SIGCONT, NULL, 0);
}

static void effect_kill(struct instance *instance)
{
	monitor_say_kill(instance, instance->state == LIFECYCLE_STARTING ? "was not ready in time"
									 : "did not end in time");
	instance_process_kill(instance);
}

static void log_failure(const struct instance *instance)
{
	const struct spec *spec = &instance->actor->spec;
	char why[128];

	if (restart_policy_wants(spec, false))
		(void)snprintf(why, sizeof(why),
			"it ended more than %" PRIi64 " times within %" PRIi64 " s",
			spec->intensity, spec->intensity_usec / 1000000);
	else
		(void)snprintf(why, sizeof(why), "it ended, and is never to be started again");
	log_error("%s has failed: %s; see 'inkoctl logs %s', then 'inkoctl start %s'",
		instance->name, why, spec->name, spec->name);
}

static void effect_bury(struct instance *instance)
{
	instance->on_room = sd_event_source_disable_unref(instance->on_room);
	routing_bury(instance);
}

static void (*const effects[])(struct instance *) = {
	[LIFECYCLE_NOTHING] = effect_nothing,
	[LIFECYCLE_SPAWN] = effect_spawn,
	[LIFECYCLE_JOIN] = effect_join,
	[LIFECYCLE_LEAVE] = effect_leave,
	[LIFECYCLE_DRAIN] = effect_drain,
	[LIFECYCLE_TERMINATE] = effect_terminate,
	[LIFECYCLE_ABORT] = effect_abort,
	[LIFECYCLE_KILL] = effect_kill,
	[LIFECYCLE_BURY] = effect_bury,
};

static void note_ready(struct instance *instance)
{
	uint64_t now = supervisor_now(instance->actor->supervisor);

	instance->ready_since_usec = (int64_t)now;
	restart_policy_note_ready(&instance->policy, now);
}

/* What is remembered of it: before it is held, and before anything is done. */
static void enter(struct instance *instance, enum lifecycle_state state)
{
	if (instance->state == LIFECYCLE_READY)
		instance->was_brief =
			supervisor_now(instance->actor->supervisor) < instance_settles_at(instance);
	instance->state = state;
	instance->extended_until_usec = 0;
	readiness_end(&instance->readiness);
	switch (state) {
	case LIFECYCLE_STARTING:
		instance->was_ready = false;
		instance->was_brief = false;
		instance->is_late = false;
		instance->never_ran = false;
		instance->is_hung = false;
		instance->is_signalled = false;
		instance->has_triggered = false;
		instance->watchdog_usec = -1;
		instance->is_stalled = false;
		instance->has_missed_news = false;
		instance_notice_forget(instance);
		restart_policy_note_start(&instance->policy);
		return;
	case LIFECYCLE_READY:
		instance->was_ready = true;
		note_ready(instance);
		return;
	default:
		return;
	}
}

void instance_on_event(struct instance *instance, enum lifecycle_event event)
{
	struct lifecycle_step step = lifecycle_step(instance->state, event);
	bool changes = step.next != instance->state;
	bool ends = lifecycle_is_alive(instance->state) && !lifecycle_is_alive(step.next);

	if (!changes && step.effect == LIFECYCLE_NOTHING)
		return;
	if (changes && event == LIFECYCLE_START)
		instance->generation = instance->actor->generation;
	/* One that is not started again after all has not been restarted. */
	if (instance->state == LIFECYCLE_WAITING && event == LIFECYCLE_TIMEOUT)
		instance->restarts++;
	if (changes)
		enter(instance, step.next);
	else if (instance->state == LIFECYCLE_STARTING && event == LIFECYCLE_TIMEOUT)
		instance->is_late = true;
	if (changes)
		instance_timer_arm(instance);
	else if (event == LIFECYCLE_TIMEOUT)
		instance_timer_arm_again(instance);
	instance_update(instance);
	/* In this order: an end that is held is neither lost nor takes place twice. */
	if (ends)
		instance_process_forget(instance);
	/* A start is said with the pid that comes of it. */
	if (step.effect != LIFECYCLE_SPAWN)
		monitor_say_state(instance);
	effects[step.effect](instance);
	if (changes && step.next == LIFECYCLE_FAILED)
		log_failure(instance);
	if (instance->state != LIFECYCLE_READY)
		reload_on_end(instance);
	actor_touch(instance->actor);
}

void instance_on_hung(struct instance *instance)
{
	if (instance->state != LIFECYCLE_READY || instance->is_hung)
		return;
	instance->has_triggered = true;
	instance_on_event(instance, LIFECYCLE_TIMEOUT);
}

void instance_on_reloading(struct instance *instance, bool is_reloading)
{
	if (instance->is_reloading == is_reloading || !instance_is_serving(instance))
		return;
	instance->is_reloading = is_reloading;
	instance_update(instance);
	actor_touch(instance->actor);
}

void instance_on_unstarted(struct instance *instance)
{
	if (instance->state == LIFECYCLE_STARTING)
		effect_spawn(instance);
	else
		instance_on_event(instance, LIFECYCLE_EXITED);
}

/* Which of its ends this is. */
static enum lifecycle_event judge_end(struct instance *instance, bool is_clean)
{
	const struct spec *spec = &instance->actor->spec;

	if (instance_is_ending(instance))
		return LIFECYCLE_EXITED;
	if (!restart_policy_wants(spec, is_clean))
		return is_clean ? LIFECYCLE_FINISHED : LIFECYCLE_EXCEEDED;
	return restart_policy_note_death(
		       &instance->policy, spec, supervisor_now(instance->actor->supervisor))
		       ? LIFECYCLE_EXCEEDED
		       : LIFECYCLE_EXITED;
}

void instance_on_ended(struct instance *instance, bool is_clean)
{
	instance_on_event(instance, judge_end(instance, is_clean));
}

void instance_start(struct instance *instance)
{
	restart_policy_forgive(&instance->policy);
	instance_on_event(instance, LIFECYCLE_START);
}

void instance_stop(struct instance *instance)
{
	instance_on_event(instance, LIFECYCLE_STOP);
}

void instance_restart(struct instance *instance)
{
	restart_policy_forgive(&instance->policy);
	instance_on_event(
		instance, lifecycle_is_alive(instance->state) ? LIFECYCLE_STOP : LIFECYCLE_START);
}

void instance_retire(struct instance *instance)
{
	if (instance->is_retiring)
		return;
	instance->is_retiring = true;
	instance_update(instance);
	instance_on_event(instance, LIFECYCLE_STOP);
	actor_touch(instance->actor);
}

/* After a former supervisor. */

static void repeat(struct instance *instance)
{
	enum lifecycle_effect effect = lifecycle_repeat(instance->state);
	bool has_process = instance->process.pidfd >= 0;

	if (effect != LIFECYCLE_SPAWN || !has_process)
		effects[effect](instance);
	else
		readiness_begin(instance);
	/* A starting one may not have been told yet; inkod's own may be told of everything again.
	 */
	if (has_process && (instance->state == LIFECYCLE_STARTING ||
				   (instance_is_serving(instance) && instance->actor->is_builtin)))
		news_tell_all(instance);
}

void instance_resume(struct instance *instance)
{
	instance->said_pid = instance->process.pid;
	if (!instance_process_resume(instance))
		return;
	/* Of a supervisor that ended between seeing the process's end and noting it, as former ones
	 * could: nobody knows how, which is a failure. */
	if (lifecycle_is_alive(instance->state) && instance->process.pidfd < 0 &&
		instance->state != LIFECYCLE_STARTING) {
		instance_on_ended(instance, false);
		return;
	}
	instance_timer_resume(instance);
	if (instance->state == LIFECYCLE_READY)
		note_ready(instance);
	repeat(instance);
}
