#include <stdint.h>
#include <sys/epoll.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/held-lane.h"
#include "daemon/supervisor/instance-state.h"
#include "daemon/supervisor/lane-watch.h"
#include "daemon/supervisor/log.h"
#include "daemon/supervisor/monitor.h"
#include "daemon/supervisor/routing.h"
#include "proto/lane.h"

/* An instance that takes nothing out of a lane for so long does not read; with the time to notice
 * and to hand on what waits nobody waits longer than five seconds. */
#define STALLED_USEC UINT64_C(4000000)
#define TICK_USEC UINT64_C(250000)

static void on_broken(struct held_lane *lane)
{
	struct instance *instance = actor_find_instance(lane->supervisor, lane->to);

	if (!instance) {
		/* All of a group read it, and one of them has shut it down: they get another. */
		struct actor *actor = held_lane_find_target(lane);

		held_lane_free(lane);
		if (actor)
			(void)routing_open(actor);
		return;
	}
	held_lane_revoke(lane);
	if (instance->process.pidfd >= 0) {
		log_warning("%s has shut its mailbox down and is ended", instance->name);
		monitor_say_kill(instance, "has shut its mailbox down");
		instance_process_kill(instance);
	}
}

/* Looks at the head of lane, which may be gone afterwards: does something wait, and for how long
 * has the same been first? That, not its age, tells that nobody reads. */
static void look(struct held_lane *lane, bool *ret_waits, uint64_t *ret_unread_usec)
{
	struct envelope head;
	int r = lane_peek(lane->read_fd, &head);
	uint64_t now = supervisor_now(lane->supervisor);

	*ret_waits = false;
	*ret_unread_usec = 0;
	if (r == 0 && lane->revoked) {
		held_lane_free(lane);
	} else if (r == 0) {
		on_broken(lane);
	} else if (r == 1) {
		if (!lane->is_waited_on || lane->head_usec != head.time_usec) {
			lane->head_usec = head.time_usec;
			lane->head_since_usec = now;
		}
		lane->is_waited_on = true;
		*ret_waits = true;
		*ret_unread_usec = now - lane->head_since_usec;
	} else {
		lane->is_waited_on = false;
		if (lane->watch)
			(void)sd_event_source_set_enabled(lane->watch, SD_EVENT_ONESHOT);
	}
}

static int on_filled(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct held_lane *lane = userdata;
	struct supervisor *supervisor = lane->supervisor;
	bool waits;
	uint64_t unread;

	(void)source;
	(void)fd;
	(void)events;
	look(lane, &waits, &unread);
	if (waits)
		lane_watch_look_soon(supervisor);
	return 0;
}

void lane_watch_add(struct held_lane *lane)
{
	if (lane->watch || lane->revoked || lane->answers || !held_lane_is_trusted(lane) ||
		sd_event_add_io(lane->supervisor->event, &lane->watch, lane->read_fd, EPOLLIN,
			on_filled, lane) < 0)
		return;
	(void)sd_event_source_set_priority(lane->watch, SD_EVENT_PRIORITY_IDLE);
	(void)sd_event_source_set_enabled(lane->watch, SD_EVENT_ONESHOT);
}

/* A revoked lane needs no looking at while nobody is there to empty it. */
static bool is_being_emptied(const struct held_lane *lane)
{
	const struct actor *actor = held_lane_find_target(lane);
	const struct instance *instance;

	if (!actor)
		return false;
	TAILQ_FOREACH(instance, &actor->instances, entries)
		if (lifecycle_is_alive(instance->state))
			return true;
	return false;
}

static void say_stall(const struct instance *instance, const char *to)
{
	const struct monitor_event event = {.kind = MONITOR_STALL,
		.name = instance->name,
		.to = to,
		.pid = instance->process.pid};

	monitor_say(instance->actor->supervisor, &event);
}

/* What waits goes to the siblings; the instance gets new lanes, and its senders hear of them when
 * it has read its own news again. */
static void stall(struct instance *instance)
{
	log_warning("%s (pid %lld) has not read its mailbox for %d s; its siblings get what waits",
		instance->name, (long long)instance->process.pid, (int)(STALLED_USEC / 1000000));
	say_stall(instance, "stalled");
	instance->is_stalled = true;
	routing_leave(instance);
	(void)routing_open(instance->actor);
}

static bool check_stalled(struct instance *instance)
{
	struct held_lane *lane;
	struct envelope head;

	if (!instance->is_stalled)
		return false;
	lane = held_lane_find(
		instance->actor->supervisor, HELD_LANE_SUPERVISOR, instance->name, false);
	if (lane && lane_peek(lane->read_fd, &head) == 1)
		return true;
	log_info("%s reads its mailbox again", instance->name);
	say_stall(instance, "reading");
	instance->is_stalled = false;
	routing_sync(instance);
	return false;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct supervisor *supervisor = userdata;
	struct held_lane *lane, *next;
	struct actor *actor;
	struct instance *instance;
	bool again = false;

	(void)source;
	(void)usec;
	for (lane = TAILQ_FIRST(&supervisor->lanes); lane; lane = next) {
		bool waits, emptied = lane->revoked && is_being_emptied(lane);
		uint64_t unread;

		next = TAILQ_NEXT(lane, entries);
		if (!lane->is_waited_on && !emptied)
			continue;
		instance = lane->revoked ? NULL : actor_find_instance(supervisor, lane->to);
		look(lane, &waits, &unread);
		again |= waits;
		if (waits && instance && unread >= STALLED_USEC &&
			instance->state == LIFECYCLE_READY && !instance->is_stalled &&
			instance_has_sibling(instance, instance_reads)) {
			stall(instance);
			next = TAILQ_FIRST(&supervisor->lanes);
		}
	}
	TAILQ_FOREACH(actor, &supervisor->actors, entries)
		TAILQ_FOREACH(instance, &actor->instances, entries)
			again |= check_stalled(instance);
	supervisor->lane_watch = sd_event_source_disable_unref(supervisor->lane_watch);
	if (again)
		lane_watch_look_soon(supervisor);
	return 0;
}

void lane_watch_look_soon(struct supervisor *supervisor)
{
	if (!supervisor->lane_watch)
		(void)sd_event_add_time_relative(supervisor->event, &supervisor->lane_watch,
			CLOCK_MONOTONIC, TICK_USEC, TICK_USEC / 10, on_tick, supervisor);
}

void lane_watch_resume(struct supervisor *supervisor)
{
	struct held_lane *lane;

	TAILQ_FOREACH(lane, &supervisor->lanes, entries)
		lane_watch_add(lane);
	lane_watch_look_soon(supervisor);
}
