#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/supervisor/actor-state.h"
#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/adapter.h"
#include "daemon/supervisor/builtin.h"
#include "daemon/supervisor/held-lane.h"
#include "daemon/supervisor/instance-state.h"
#include "daemon/supervisor/lane-watch.h"
#include "daemon/supervisor/listener.h"
#include "daemon/supervisor/news.h"
#include "daemon/supervisor/routing.h"
#include "proto/lane.h"

/* Who opens what. */

static bool has_route(const struct supervisor *supervisor, const char *actor, const char *balance)
{
	const struct listener *listener;

	TAILQ_FOREACH(listener, &supervisor->listeners, entries)
		if (listener->to && strcmp(listener->to, actor) == 0 &&
			strcmp(listener->balance, balance) == 0)
			return true;
	return false;
}

static bool opens(const struct actor *sender, const struct actor *target)
{
	if (target->is_builtin || target->is_removing || !adapter_has_mailbox(&target->spec))
		return false;
	if (sender->is_builtin && strcmp(sender->spec.name, BUILTIN_ACCEPTOR) == 0)
		return has_route(sender->supervisor, target->spec.name, "roundRobin");
	if (sender->is_builtin)
		return strcmp(sender->spec.name, BUILTIN_GATEWAY) == 0 &&
		       adapter_takes_messages(&target->spec);
	for (char **name = sender->spec.opens; name && *name; name++)
		if (strcmp(*name, target->spec.name) == 0)
			return true;
	return false;
}

/* Making lanes. */

static int ensure(struct supervisor *supervisor, const char *from, const char *to, bool answers,
	int64_t queue, struct held_lane **ret_lane)
{
	struct held_lane *lane = held_lane_find(supervisor, from, to, answers);
	int r = lane ? 0 : held_lane_new(supervisor, from, to, answers, (unsigned int)queue, &lane);

	if (r < 0)
		return r;
	lane_watch_add(lane);
	*ret_lane = lane;
	return 0;
}

int routing_open_control(struct instance *instance, struct held_lane **ret_lane)
{
	int r = ensure(instance->actor->supervisor, HELD_LANE_CONTROL, instance->name, false,
		instance->actor->spec.queue, ret_lane);

	if (r == 0)
		routing_sync(instance);
	return r;
}

bool routing_has_mailbox(const struct instance *instance)
{
	return held_lane_find(
		instance->actor->supervisor, HELD_LANE_SUPERVISOR, instance->name, false);
}

/* From sender to receiver, and back for answers unless the sender is inkod's own. */
static int connect_instances(const struct instance *sender, const struct instance *receiver)
{
	struct supervisor *supervisor = receiver->actor->supervisor;
	struct held_lane *lane;
	int r;

	if (!routing_has_mailbox(receiver))
		return 0;
	r = ensure(supervisor, sender->name, receiver->name, false, receiver->actor->spec.queue,
		&lane);

	if (r == 0 && !sender->actor->is_builtin)
		r = ensure(supervisor, receiver->name, sender->name, true,
			sender->actor->spec.queue, &lane);
	return r;
}

static int connect_senders(const struct instance *receiver)
{
	struct actor *target = receiver->actor, *sender;
	struct instance *instance;
	int r = 0;

	TAILQ_FOREACH(sender, &target->supervisor->actors, entries) {
		if (!opens(sender, target))
			continue;
		TAILQ_FOREACH(instance, &sender->instances, entries)
			if (r == 0 && instance_is_serving(instance))
				r = connect_instances(instance, receiver);
	}
	return r;
}

static bool opens_any(const struct actor *sender)
{
	return sender->is_builtin || (sender->spec.opens && *sender->spec.opens);
}

static int connect_receivers(const struct instance *sender)
{
	struct actor *target;
	struct instance *instance;
	int r = 0;

	if (!opens_any(sender->actor))
		return 0;
	TAILQ_FOREACH(target, &sender->actor->supervisor->actors, entries) {
		if (!opens(sender->actor, target))
			continue;
		TAILQ_FOREACH(instance, &target->instances, entries)
			if (r == 0 && instance != sender && instance_is_serving(instance))
				r = connect_instances(sender, instance);
	}
	return r;
}

/* The lane that all instances of actor pull from. */
static int connect_group(struct actor *actor)
{
	char group[INSTANCE_NAME_BYTES];
	struct held_lane *lane;

	if (!has_route(actor->supervisor, actor->spec.name, "pull"))
		return 0;
	(void)snprintf(group, sizeof(group), "%s/*", actor->spec.name);
	return ensure(
		actor->supervisor, BUILTIN_ACCEPTOR "/0", group, false, actor->spec.queue, &lane);
}

/* Telling. */

static int tell(struct instance *instance, const struct held_lane *lane, uint8_t flags,
	const char *peer, const int *fds, size_t n_fds)
{
	struct envelope envelope = {
		.kind = ENVELOPE_LANE, .flags = flags, .correlation = (uint64_t)lane->number};

	/* What inkod's own send is a connection, or bytes. */
	if (held_lane_is_trusted(lane))
		envelope.flags |= ENVELOPE_LANE_SINGLE;
	return news_tell(instance, &envelope, peer, fds, n_fds);
}

/* Gives the read end to every instance that may read it. */
static void tell_shared(struct held_lane *lane)
{
	struct actor *actor = held_lane_find_target(lane);
	struct instance *instance;
	bool all = true;

	if (lane->told_to || !actor)
		return;
	TAILQ_FOREACH(instance, &actor->instances, entries)
		if (instance_is_serving(instance) && strcmp(instance->name, lane->to) != 0)
			all &= tell(instance, lane, ENVELOPE_LANE_IN | ENVELOPE_LANE_SHARED,
				       lane->from, &lane->read_fd, 1) != -EAGAIN;
	held_lane_set_told(lane, lane->told_from, all);
}

static bool can_receive(const struct held_lane *lane, const struct instance *to)
{
	const struct actor *actor;

	if (to)
		return instance_reads(to);
	actor = held_lane_find_target(lane);
	return actor && strchr(lane->to, '*') && !actor_is_stopped(actor);
}

static void tell_sender(struct held_lane *lane, struct instance *to)
{
	struct instance *from = actor_find_instance(lane->supervisor, lane->from);

	if (lane->told_from || lane->answers || !from || !instance_is_serving(from) ||
		!can_receive(lane, to))
		return;
	if (tell(from, lane, ENVELOPE_LANE_OUT, lane->to, &lane->write_fd, 1) == 0)
		held_lane_set_told(lane, true, lane->told_to);
}

static void tell_receiver(struct held_lane *lane, struct instance *to)
{
	struct held_lane *back;
	int fds[2] = {lane->read_fd, -1};
	uint8_t flags = ENVELOPE_LANE_IN;

	if (lane->told_to || !to || !instance_is_serving(to))
		return;
	back = lane->answers ? NULL : held_lane_find(lane->supervisor, lane->to, lane->from, true);
	if (back) {
		fds[1] = back->write_fd;
		flags |= ENVELOPE_LANE_OUT;
	}
	if (tell(to, lane, flags, lane->from, fds, back ? 2 : 1) == 0)
		held_lane_set_told(lane, lane->told_from, true);
}

static void tell_lane(struct held_lane *lane)
{
	struct instance *to;

	if (strcmp(lane->from, HELD_LANE_SUPERVISOR) == 0)
		return;
	to = actor_find_instance(lane->supervisor, lane->to);
	if (held_lane_is_shared(lane))
		tell_shared(lane);
	else
		tell_receiver(lane, to);
	if (!lane->revoked)
		tell_sender(lane, to);
}

void routing_sync(struct instance *instance)
{
	struct supervisor *supervisor = instance->actor->supervisor;
	struct held_lane *lane;

	TAILQ_FOREACH(lane, &supervisor->lanes, entries)
		if (strcmp(lane->from, instance->name) == 0 ||
			held_lane_is_to_actor(lane, instance->actor->spec.name))
			tell_lane(lane);
	lane_watch_look_soon(supervisor);
}

static int connect_actor(struct actor *actor)
{
	struct instance *instance;
	int r = connect_group(actor);

	TAILQ_FOREACH(instance, &actor->instances, entries)
		if (r == 0 && instance_is_serving(instance))
			r = connect_senders(instance);
	return r;
}

int routing_open(struct actor *actor)
{
	struct instance *instance;
	int r = connect_actor(actor);

	TAILQ_FOREACH(instance, &actor->instances, entries)
		if (instance_is_serving(instance))
			routing_sync(instance);
	return r;
}

/* From the senders' side, since there are few of them. */
void routing_resume(struct supervisor *supervisor)
{
	struct actor *actor;
	struct instance *instance;
	struct held_lane *lane;

	TAILQ_FOREACH(actor, &supervisor->actors, entries) {
		(void)connect_group(actor);
		TAILQ_FOREACH(instance, &actor->instances, entries)
			if (instance_is_serving(instance))
				(void)connect_receivers(instance);
	}
	TAILQ_FOREACH(lane, &supervisor->lanes, entries)
		tell_lane(lane);
}

/* The course of an instance's life. */

static void append(struct routing_start *start, int fd, const char *name)
{
	if (start->n_fds > 0)
		(void)strcat(start->names, ":");
	(void)strcat(start->names, name);
	start->fds[start->n_fds++] = fd;
}

static int add(struct routing_start *start, const struct held_lane *lane)
{
	bool shared = held_lane_is_shared(lane);

	if (start->n_fds == ROUTING_LANES_MAX)
		return -ENOBUFS;
	append(start, lane->read_fd, shared ? LANE_FD_NAME_SHARED : LANE_FD_NAME);
	return 0;
}

void routing_add_other(struct routing_start *start, int fd, const char *name)
{
	append(start, fd, name);
}

static int prepare_supervisor_lane(struct instance *instance, struct routing_start *start)
{
	struct supervisor *supervisor = instance->actor->supervisor;
	struct held_lane *lane =
		held_lane_find(supervisor, HELD_LANE_SUPERVISOR, instance->name, false);
	int r;

	held_lane_free(lane);
	r = held_lane_new(
		supervisor, HELD_LANE_SUPERVISOR, instance->name, false, LIMIT_QUEUE_MAX, &lane);
	if (r == -ERANGE)
		r = held_lane_new(supervisor, HELD_LANE_SUPERVISOR, instance->name, false,
			LIMIT_QUEUE_DEFAULT, &lane);
	return r < 0 ? r : add(start, lane);
}

/* A lane whose receiver may answer comes in a message, with the way back. */
static bool is_for_start(const struct held_lane *lane, const struct instance *instance)
{
	if (held_lane_is_shared(lane))
		return held_lane_is_to_actor(lane, instance->actor->spec.name);
	return held_lane_is_trusted(lane) && strcmp(lane->to, instance->name) == 0;
}

int routing_prepare(struct instance *instance, struct routing_start *ret_start)
{
	struct supervisor *supervisor = instance->actor->supervisor;
	/* Then there is nobody else to be told of a shared one. */
	bool is_first = !instance_has_sibling(instance, instance_is_serving);
	struct held_lane *lane;
	int r;

	ret_start->n_fds = 0;
	ret_start->names[0] = 0;
	r = prepare_supervisor_lane(instance, ret_start);
	if (r == 0)
		r = connect_senders(instance);
	if (r == 0)
		r = connect_group(instance->actor);
	if (r == 0)
		r = connect_receivers(instance);
	if (r < 0)
		return r;
	TAILQ_FOREACH(lane, &supervisor->lanes, entries) {
		if (!is_for_start(lane, instance))
			continue;
		/* What does not fit is told in messages. */
		if (add(ret_start, lane) == 0 && (is_first || !held_lane_is_shared(lane)))
			held_lane_set_told(lane, lane->told_from, true);
	}
	return 0;
}

/* What waits in lane will not be received by instance, but by its siblings. The lane is shut first:
 * nothing comes behind the count. */
static void count_moved(struct held_lane *lane, struct instance *instance)
{
	unsigned int waiting;

	if (lane->is_counted || !instance_has_sibling(instance, instance_is_serving))
		return;
	(void)lane_revoke(lane->read_fd);
	if (lane_waiting(lane->write_fd, lane->supervisor->charge_bytes, &waiting) < 0 ||
		waiting == 0)
		return;
	instance_note_moved(instance, lane->number, waiting);
	held_lane_set_counted(lane);
}

/* Revokes what others send to instance on; nothing that waits is lost by it. */
void routing_leave(struct instance *instance)
{
	struct supervisor *supervisor = instance->actor->supervisor;
	struct held_lane *lane;

	TAILQ_FOREACH(lane, &supervisor->lanes, entries) {
		if (lane->answers || lane->revoked || strcmp(lane->to, instance->name) != 0 ||
			strcmp(lane->from, HELD_LANE_SUPERVISOR) == 0)
			continue;
		/* While it ends it still receives, beside its siblings. */
		if (!instance_is_ending(instance) && instance->state != LIFECYCLE_LEAVING)
			count_moved(lane, instance);
		held_lane_revoke(lane);
		tell_shared(lane);
	}
	lane_watch_look_soon(supervisor);
}

static void bury_lane(struct held_lane *lane, struct instance *instance)
{
	struct envelope head;
	bool to = strcmp(lane->to, instance->name) == 0;
	bool from = strcmp(lane->from, instance->name) == 0;

	if (lane->revoked) {
		if (to && lane_peek(lane->read_fd, &head) == 0)
			held_lane_free(lane);
		else if (to)
			count_moved(lane, instance);
	} else if ((to && strcmp(lane->from, HELD_LANE_SUPERVISOR) == 0) ||
		   (lane->answers && (to || from))) {
		held_lane_free(lane);
	} else if (from && instance->actor->is_builtin) {
		held_lane_set_told(lane, false, lane->told_to);
	} else if (from) {
		held_lane_revoke(lane);
		tell_shared(lane);
	}
}

void routing_bury(struct instance *instance)
{
	struct supervisor *supervisor = instance->actor->supervisor;
	struct held_lane *lane, *next;

	routing_leave(instance);
	for (lane = TAILQ_FIRST(&supervisor->lanes); lane; lane = next) {
		next = TAILQ_NEXT(lane, entries);
		bury_lane(lane, instance);
	}
}

void routing_refuse(struct actor *actor)
{
	struct held_lane *lane, *next;

	for (lane = TAILQ_FIRST(&actor->supervisor->lanes); lane; lane = next) {
		next = TAILQ_NEXT(lane, entries);
		if (held_lane_is_shared(lane) && held_lane_is_to_actor(lane, actor->spec.name))
			held_lane_free(lane);
	}
}

void routing_forget(struct instance *instance)
{
	struct held_lane *lane, *next;

	for (lane = TAILQ_FIRST(&instance->actor->supervisor->lanes); lane; lane = next) {
		next = TAILQ_NEXT(lane, entries);
		if (strcmp(lane->from, instance->name) == 0 ||
			(!lane->revoked && strcmp(lane->to, instance->name) == 0))
			held_lane_free(lane);
	}
}

/* Whose messages in lane count, and are counted here. */
static struct instance *find_counted(const struct held_lane *lane, const struct actor *only)
{
	struct instance *instance = strcmp(lane->from, HELD_LANE_SUPERVISOR) == 0
					    ? NULL
					    : actor_find_instance(lane->supervisor, lane->to);

	return instance && (!only || instance->actor == only) ? instance : NULL;
}

void routing_count_waiting(struct supervisor *supervisor, const struct actor *only)
{
	struct actor *actor;
	struct instance *instance;
	const struct held_lane *lane;

	TAILQ_FOREACH(actor, &supervisor->actors, entries)
		TAILQ_FOREACH(instance, &actor->instances, entries)
			instance->n_waiting = 0;
	TAILQ_FOREACH(lane, &supervisor->lanes, entries) {
		unsigned int waiting;

		instance = find_counted(lane, only);
		if (instance &&
			lane_waiting(lane->write_fd, supervisor->charge_bytes, &waiting) == 0)
			instance->n_waiting += waiting;
	}
}
