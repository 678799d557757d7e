#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/adoption.h"
#include "daemon/supervisor/former-socket.h"
#include "daemon/supervisor/held-lane.h"
#include "daemon/supervisor/held.h"
#include "daemon/supervisor/holding.h"
#include "daemon/supervisor/instance-life.h"
#include "daemon/supervisor/instance-notice.h"
#include "daemon/supervisor/lane-watch.h"
#include "daemon/supervisor/lifeline.h"
#include "daemon/supervisor/listener.h"
#include "daemon/supervisor/log.h"
#include "daemon/supervisor/monitor.h"
#include "daemon/supervisor/routing.h"
#include "daemon/supervisor/systemd-socket.h"

/* Rebuilding, one kind of object after the other: those that others belong to come first. */

static int adopt_instance(struct supervisor *supervisor, struct keep_message *message)
{
	char name[LIMIT_KEY_CHARS + 1], *slash;
	struct actor *actor;

	(void)strcpy(name, strchr(message->key, '/') + 1);
	slash = strchr(name, '/');
	if (slash)
		*slash = 0;
	actor = actor_find(supervisor, name);
	return actor ? instance_adopt(actor, message) : -ENOENT;
}

static int adopt_process(struct supervisor *supervisor, struct keep_message *message)
{
	struct instance *instance = actor_find_instance(supervisor, strchr(message->key, '/') + 1);

	return instance ? instance_process_adopt(instance, message) : -ENOENT;
}

/* An instance's name, and behind it the number of what it said. */
static int adopt_heard(struct supervisor *supervisor, struct keep_message *message)
{
	char name[LIMIT_KEY_CHARS + 1], *slash;
	struct instance *instance;

	(void)strcpy(name, message->key + strlen(KEEP_HEARD));
	slash = strrchr(name, '/');
	if (!slash)
		return -EBADMSG;
	*slash = 0;
	instance = actor_find_instance(supervisor, name);
	/* Of a process that has ended since, or with its instance, nothing follows any more. */
	if (instance && instance_process_is_adopted(&instance->process))
		instance_notice_adopt(instance, message);
	return 0;
}

/* The last one first: who dies meanwhile leaves the first ones, and what is heard then is numbered
 * behind them. */
static void drop_heard(struct supervisor *supervisor, const struct held *held)
{
	for (size_t i = held->n; i-- > 0;)
		if (strncmp(held->messages[i].key, KEEP_HEARD, strlen(KEEP_HEARD)) == 0)
			holding_drop(supervisor->holding, held->messages[i].key);
}

/* The same towards another keeper: all that there is, as it is now. */

static void put_actors(struct supervisor *supervisor)
{
	struct actor *actor;

	TAILQ_FOREACH(actor, &supervisor->actors, entries)
		actor_put(actor);
}

static void put_each_instance(struct supervisor *supervisor, void (*put)(struct instance *instance))
{
	struct actor *actor;
	struct instance *instance;

	TAILQ_FOREACH(actor, &supervisor->actors, entries)
		TAILQ_FOREACH(instance, &actor->instances, entries)
			put(instance);
}

static void put_instances(struct supervisor *supervisor)
{
	put_each_instance(supervisor, instance_put);
}

static void put_stored(struct supervisor *supervisor)
{
	put_each_instance(supervisor, stored_put_all);
}

static void put_processes(struct supervisor *supervisor)
{
	put_each_instance(supervisor, instance_process_put);
}

static void put_lanes(struct supervisor *supervisor)
{
	struct held_lane *lane;

	TAILQ_FOREACH(lane, &supervisor->lanes, entries)
		held_lane_put(lane);
}

static void put_listeners(struct supervisor *supervisor)
{
	struct listener *listener;

	TAILQ_FOREACH(listener, &supervisor->listeners, entries)
		listener_put(listener);
}

/* What is held: how one of it is rebuilt, and how all of it is put. */
static const struct {
	const char *prefix;
	int (*adopt)(struct supervisor *supervisor, struct keep_message *message);
	void (*put_all)(struct supervisor *supervisor);
} adoptions[] = {
	{KEEP_SOCKET, systemd_socket_adopt, systemd_socket_put_all},
	{MONITOR_KEY, monitor_adopt, monitor_put},
	{LIFELINE_KEY, lifeline_adopt, lifeline_put},
	{"actor/", actor_adopt, put_actors},
	{KEEP_INSTANCE, adopt_instance, put_instances},
	{STORED_KEY, stored_adopt, put_stored},
	{INSTANCE_PROCESS_KEY, adopt_process, put_processes},
	{"lane/", held_lane_adopt, put_lanes},
	{"listener/", listener_adopt, put_listeners},
	{FORMER_SOCKET_KEY, former_socket_adopt, former_socket_put_all},
};

static void adopt_kind(struct supervisor *supervisor, struct held *held, const char *prefix,
	int (*adopt)(struct supervisor *supervisor, struct keep_message *message))
{
	for (size_t i = 0; i < held->n; i++) {
		struct keep_message *message = &held->messages[i];
		int r;

		if (strncmp(message->key, prefix, strlen(prefix)) != 0)
			continue;
		r = adopt(supervisor, message);
		if (r < 0)
			log_error("%s stays held, but cannot be taken over: %s", message->key,
				strerror(-r));
	}
}

void adoption_put_all(struct supervisor *supervisor)
{
	for (size_t i = 0; i < sizeof(adoptions) / sizeof(*adoptions); i++)
		adoptions[i].put_all(supervisor);
}

static void say_adoption(struct supervisor *supervisor)
{
	struct monitor_event event = {
		.kind = MONITOR_ADOPTION, .name = "supervisor", .pid = getpid()};
	const struct actor *actor;
	const struct instance *instance;

	TAILQ_FOREACH(actor, &supervisor->actors, entries)
		TAILQ_FOREACH(instance, &actor->instances, entries)
			event.count += instance->process.pidfd >= 0;
	monitor_say(supervisor, &event);
}

void adoption_adopt_all(struct supervisor *supervisor, struct held *held)
{
	struct actor *actor;
	struct instance *instance;

	for (size_t i = 0; i < sizeof(adoptions) / sizeof(*adoptions); i++)
		adopt_kind(supervisor, held, adoptions[i].prefix, adoptions[i].adopt);
	lifeline_begin(supervisor);
	if (!held_is_cold_start(held))
		say_adoption(supervisor);
	TAILQ_FOREACH(actor, &supervisor->actors, entries)
		actor_resume(actor);
	TAILQ_FOREACH(actor, &supervisor->actors, entries) {
		TAILQ_FOREACH(instance, &actor->instances, entries)
			instance_resume(instance);
		actor_touch(actor);
	}
	routing_resume(supervisor);
	listener_resume_all(supervisor);
	lane_watch_resume(supervisor);
	adopt_kind(supervisor, held, KEEP_HEARD, adopt_heard);
	drop_heard(supervisor, held);
}
