#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/builtin.h"
#include "daemon/supervisor/count.h"
#include "daemon/supervisor/counters.h"
#include "daemon/supervisor/holding.h"
#include "daemon/supervisor/instance-notice.h"
#include "daemon/supervisor/log.h"
#include "daemon/supervisor/monitor.h"
#include "daemon/supervisor/news.h"
#include "daemon/supervisor/notify.h"
#include "daemon/supervisor/output.h"
#include "daemon/supervisor/routing.h"
#include "daemon/supervisor/signal-name.h"
#include "proto/descriptor.h"

static const struct json_field fields[] = {
	JSON_FIELD(instance, "name", JSON_STRING, name, true),
	JSON_FIELD_INTEGER(instance, "index", index, true, 0, INSTANCE_INDEX_MAX),
	JSON_FIELD(instance, "state", JSON_STRING, state_name, true),
	JSON_FIELD_INTEGER(instance, "restarts", restarts, true, 0, JSON_INTEGER_MAX),
	JSON_FIELD(instance, "status", JSON_STRING, status, false),
	JSON_FIELD(instance, "refused", JSON_STRING, refused, false),
	JSON_FIELD(instance, "reloading", JSON_BOOLEAN, is_reloading, false),
	JSON_FIELD_INTEGER(
		instance, "extendedUntilUSec", extended_until_usec, false, 0, JSON_INTEGER_MAX),
	JSON_FIELD_INTEGER(instance, "watchdogUSec", watchdog_usec, false, -1, JSON_INTEGER_MAX),
	JSON_FIELD(instance, "lastExit", JSON_STRING, last_exit, false),
	JSON_FIELD(instance, "wasReady", JSON_BOOLEAN, was_ready, false),
	JSON_FIELD(instance, "signalled", JSON_BOOLEAN, is_signalled, false),
	JSON_FIELD(instance, "wasBrief", JSON_BOOLEAN, was_brief, false),
	JSON_FIELD_INTEGER(instance, "generation", generation, false, 1, JSON_INTEGER_MAX),
	JSON_FIELD(instance, "retiring", JSON_BOOLEAN, is_retiring, false),
	JSON_FIELD_INTEGER(instance, "moved", moved, false, 0, JSON_INTEGER_MAX),
	JSON_FIELD_INTEGER(instance, "movedLane", moved_lane, false, 0, JSON_INTEGER_MAX),
	JSON_FIELDS_END,
};

static void handle(struct instance *instance, enum lifecycle_event event);

static struct supervisor *supervisor_of(const struct instance *instance)
{
	return instance->actor->supervisor;
}

static const char *key_of(const struct instance *instance, char key[static LIMIT_KEY_CHARS])
{
	(void)snprintf(key, LIMIT_KEY_CHARS, "instance/%s", instance->name);
	return key;
}

static void name_state(struct instance *instance)
{
	free(instance->state_name);
	instance->state_name = strdup(lifecycle_name(instance->state));
}

void instance_put(struct instance *instance)
{
	char key[LIMIT_KEY_CHARS];

	name_state(instance);
	holding_put(supervisor_of(instance)->holding, key_of(instance, key), fields, instance,
		(int[]){instance->notify_fd, instance->counters_fd}, 2);
}

void instance_update(struct instance *instance)
{
	char key[LIMIT_KEY_CHARS];

	name_state(instance);
	holding_update(supervisor_of(instance)->holding, key_of(instance, key), fields, instance);
}

void instance_set_last_exit(struct instance *instance, const char *format, ...)
{
	va_list arguments;

	free(instance->last_exit);
	va_start(arguments, format);
	if (vasprintf(&instance->last_exit, format, arguments) < 0)
		instance->last_exit = NULL;
	va_end(arguments);
}

/* Its life in memory. */

static struct instance *allocate(struct actor *actor)
{
	struct instance *instance = calloc(1, sizeof(*instance));

	if (!instance)
		return NULL;
	instance->actor = actor;
	instance_process_init(&instance->process);
	readiness_init(&instance->readiness);
	reload_init(&instance->reload);
	instance->notify_fd = instance->counters_fd = -1;
	instance->watchdog_usec = -1;
	TAILQ_INIT(&instance->stored);
	return instance;
}

static void release(struct instance *instance)
{
	instance_process_done(&instance->process);
	readiness_end(&instance->readiness);
	reload_done(&instance->reload);
	sd_event_source_disable_unref(instance->on_notify);
	sd_event_source_disable_unref(instance->on_discarded);
	sd_event_source_disable_unref(instance->timer);
	sd_event_source_disable_unref(instance->on_room);
	descriptor_close(&instance->notify_fd);
	descriptor_close(&instance->counters_fd);
	restart_policy_done(&instance->policy);
	json_release(fields, instance);
	free(instance);
}

int instance_new(struct actor *actor, int64_t index, struct instance **ret_instance)
{
	struct instance *instance = allocate(actor);
	char path[PATH_MAX];
	int r;

	if (!instance)
		return -ENOMEM;
	instance->index = index;
	instance->generation = actor->generation;
	if (asprintf(&instance->name, "%s/%" PRIi64, actor->spec.name, index) < 0) {
		instance->name = NULL;
		r = -ENOMEM;
	} else {
		r = notify_path(actor->supervisor->runtime, instance->name, path);
	}
	if (r == 0)
		r = notify_open(path, &instance->notify_fd);
	if (r == 0)
		r = counters_new_page(&instance->counters_fd);
	if (r == 0)
		r = instance_notice_watch(instance);
	if (r >= 0)
		r = actor_link_instance(actor, instance);
	if (r < 0) {
		release(instance);
		return r;
	}
	instance_put(instance);
	*ret_instance = instance;
	return 0;
}

struct instance *instance_free(struct instance *instance)
{
	struct supervisor *supervisor = supervisor_of(instance);
	char path[PATH_MAX], key[LIMIT_KEY_CHARS];

	routing_forget(instance);
	stored_remove_all(instance);
	if (notify_path(supervisor->runtime, instance->name, path) == 0)
		(void)unlink(path);
	output_remove(supervisor->output, instance->name);
	holding_drop(supervisor->holding, key_of(instance, key));
	actor_unlink_instance(instance);
	release(instance);
	return NULL;
}

/* Time. */

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	handle(userdata, LIFECYCLE_TIMEOUT);
	return 0;
}

static void arm_at(struct instance *instance, uint64_t deadline_usec)
{
	instance->timer = sd_event_source_disable_unref(instance->timer);
	(void)sd_event_add_time(supervisor_of(instance)->event, &instance->timer, CLOCK_MONOTONIC,
		deadline_usec, 1, on_timer, instance);
}

static void arm(struct instance *instance, uint64_t usec)
{
	arm_at(instance, supervisor_now(supervisor_of(instance)) + usec);
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

int64_t instance_get_watchdog(const struct instance *instance)
{
	return instance->watchdog_usec < 0 ? instance->actor->spec.watchdog_usec
					   : instance->watchdog_usec;
}

static uint64_t back_off(struct instance *instance)
{
	uint16_t random = 0x8000;

	(void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
	return restart_policy_back_off(&instance->policy, &instance->actor->spec,
		supervisor_now(supervisor_of(instance)), random);
}

static void arm_state(struct instance *instance)
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
		if (instance_get_watchdog(instance) > 0) {
			arm(instance, (uint64_t)instance_get_watchdog(instance));
			return;
		}
		/* fall through */
	default:
		instance->timer = sd_event_source_disable_unref(instance->timer);
	}
}

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
	uint64_t now = supervisor_now(supervisor_of(instance));

	instance->ready_since_usec = (int64_t)now;
	restart_policy_note_ready(&instance->policy, now);
}

/* What is remembered of it: before it is held, and before anything is done. */
static void enter(struct instance *instance, enum lifecycle_state state)
{
	if (instance->state == LIFECYCLE_READY)
		instance->was_brief =
			supervisor_now(supervisor_of(instance)) < instance_settles_at(instance);
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

static void handle(struct instance *instance, enum lifecycle_event event)
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
		arm_state(instance);
	else if (event == LIFECYCLE_TIMEOUT)
		arm(instance, (uint64_t)instance->actor->spec.stop_usec);
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

void instance_on_notified(struct instance *instance, enum lifecycle_event event)
{
	handle(instance, event);
}

void instance_on_alive(struct instance *instance)
{
	if (instance->state == LIFECYCLE_READY && !instance->is_hung)
		arm_state(instance);
}

void instance_on_hung(struct instance *instance)
{
	if (instance->state != LIFECYCLE_READY || instance->is_hung)
		return;
	instance->has_triggered = true;
	handle(instance, LIFECYCLE_TIMEOUT);
}

void instance_set_watchdog(struct instance *instance, int64_t usec)
{
	instance->watchdog_usec = usec;
	instance_update(instance);
	instance_on_alive(instance);
}

void instance_extend(struct instance *instance, int64_t usec)
{
	int64_t until_usec = (int64_t)supervisor_now(supervisor_of(instance)) + usec;

	if (!is_extensible(instance) || until_usec <= instance->extended_until_usec)
		return;
	instance->extended_until_usec = until_usec;
	instance_update(instance);
	arm_extension(instance);
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
		handle(instance, LIFECYCLE_EXITED);
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
		       &instance->policy, spec, supervisor_now(supervisor_of(instance)))
		       ? LIFECYCLE_EXCEEDED
		       : LIFECYCLE_EXITED;
}

void instance_on_ended(struct instance *instance, bool is_clean)
{
	handle(instance, judge_end(instance, is_clean));
}

void instance_start(struct instance *instance)
{
	restart_policy_forgive(&instance->policy);
	handle(instance, LIFECYCLE_START);
}

void instance_stop(struct instance *instance)
{
	handle(instance, LIFECYCLE_STOP);
}

void instance_restart(struct instance *instance)
{
	restart_policy_forgive(&instance->policy);
	handle(instance, lifecycle_is_alive(instance->state) ? LIFECYCLE_STOP : LIFECYCLE_START);
}

void instance_retire(struct instance *instance)
{
	if (instance->is_retiring)
		return;
	instance->is_retiring = true;
	instance_update(instance);
	handle(instance, LIFECYCLE_STOP);
	actor_touch(instance->actor);
}

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

void instance_note_moved(struct instance *instance, int64_t lane, unsigned int messages)
{
	if (instance->moved_lane == lane)
		return;
	instance->moved += messages;
	instance->moved_lane = lane;
	instance_update(instance);
}

/* After a former supervisor. */

/* One that knew no counters held no page: its processes count in none, the next one does. */
static int adopt_descriptors(struct instance *instance, struct keep_message *message)
{
	bool has_page = message->passed.n_fds == 2;
	int r = has_page ? 0 : counters_new_page(&instance->counters_fd);

	if (r < 0)
		return r;
	instance->notify_fd = message->passed.fds[0];
	if (has_page)
		instance->counters_fd = message->passed.fds[1];
	message->passed.n_fds = 0;
	if (!has_page)
		instance_put(instance);
	return 0;
}

int instance_adopt(struct actor *actor, struct keep_message *message)
{
	struct instance *instance = allocate(actor);
	int r;

	if (!instance)
		return -ENOMEM;
	r = holding_decode(message, fields, message->passed.n_fds == 2 ? 2 : 1, instance);
	if (r == 0)
		r = lifecycle_find(instance->state_name);
	if (r >= 0) {
		instance->state = instance->said_state = (enum lifecycle_state)r;
		r = adopt_descriptors(instance, message);
	}
	if (r >= 0)
		r = instance_notice_watch(instance);
	if (r >= 0 && instance->generation == 0) {
		/* Of a supervisor that knew only one, and no others than those it still wanted. */
		instance->generation = 1;
		instance->is_retiring = instance->index >= actor->spec.instances;
	}
	if (r >= 0)
		r = actor_link_instance(actor, instance);
	if (r < 0)
		release(instance);
	return r < 0 ? r : 0;
}

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
	if (!instance_process_resume(instance))
		return;
	/* Of a supervisor that ended between seeing the process's end and noting it, as former ones
	 * could: nobody knows how, which is a failure. */
	if (lifecycle_is_alive(instance->state) && instance->process.pidfd < 0 &&
		instance->state != LIFECYCLE_STARTING) {
		instance_on_ended(instance, false);
		return;
	}
	arm_state(instance);
	arm_extension(instance);
	if (instance->state == LIFECYCLE_READY)
		note_ready(instance);
	repeat(instance);
}
