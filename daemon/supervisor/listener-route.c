#include <errno.h>
#include <string.h>

#include "daemon/supervisor/actor-state.h"
#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/builtin.h"
#include "daemon/supervisor/listener-news.h"
#include "daemon/supervisor/listener-route.h"
#include "daemon/supervisor/listener-state.h"
#include "daemon/supervisor/listener.h"
#include "daemon/supervisor/log.h"
#include "daemon/supervisor/routing.h"

static struct actor *find_receiver(const struct listener *listener)
{
	return actor_find(listener->supervisor, listener->to ? listener->to : listener->give);
}

int listener_route_open(struct listener *listener)
{
	struct actor *actor, *acceptor;
	int r;

	if (!listener->to)
		return 0;
	actor = find_receiver(listener);
	if (!actor)
		return -ENOENT;
	r = builtin_ensure_acceptor(listener->supervisor, &acceptor);
	return r < 0 ? r : routing_open(actor);
}

void listener_route_hand_out(struct listener *listener)
{
	struct actor *actor = find_receiver(listener);

	if (listener->to) {
		listener_news_open(listener);
		if (strcmp(actor_state(actor), "failed") == 0)
			listener_route_on_actor_failed(actor, true);
	} else if (actor) {
		listener_news_give(listener, actor);
	}
	listener->is_published = true;
	listener_update(listener);
	listener_say_state(listener);
}

int listener_route_publish(struct listener *listener)
{
	int r = listener_route_open(listener);

	if (r == 0)
		listener_route_hand_out(listener);
	return r;
}

/* When an actor has failed. */

static void set_refusing(struct listener *listener, bool refuse)
{
	if (listener->is_refusing == refuse)
		return;
	listener->is_refusing = refuse;
	listener_update(listener);
	listener_say_state(listener);
	listener_news_refuse(listener);
}

static int on_held(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct listener *listener = userdata;
	struct actor *actor = actor_find(listener->supervisor, listener->to);

	(void)source;
	(void)usec;
	listener->hold = sd_event_source_disable_unref(listener->hold);
	log_warning("%s: %s has failed, and clients have waited long enough: %s refused until "
		    "'inkoctl start %s'",
		listener->name, listener->to,
		listener->is_paused ? "those that were accepted before the pause are" : "they are",
		listener->to);
	set_refusing(listener, true);
	if (actor)
		routing_refuse(actor);
	return 0;
}

void listener_route_on_actor_failed(struct actor *actor, bool has_failed)
{
	struct supervisor *supervisor = actor->supervisor;
	struct listener *listener;

	TAILQ_FOREACH(listener, &supervisor->listeners, entries) {
		if (!listener->to || strcmp(listener->to, actor->spec.name) != 0)
			continue;
		listener->hold = sd_event_source_disable_unref(listener->hold);
		if (has_failed)
			(void)sd_event_add_time_relative(supervisor->event, &listener->hold,
				CLOCK_MONOTONIC, (uint64_t)listener->hold_usec, 1, on_held,
				listener);
		else
			set_refusing(listener, false);
		if (listener->is_published)
			listener_say_state(listener);
	}
}
