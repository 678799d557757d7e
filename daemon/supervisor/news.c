#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/builtin.h"
#include "daemon/supervisor/held-lane.h"
#include "daemon/supervisor/listener-news.h"
#include "daemon/supervisor/log.h"
#include "daemon/supervisor/monitor.h"
#include "daemon/supervisor/news.h"
#include "daemon/supervisor/routing.h"
#include "proto/lane.h"
#include "proto/shortage.h"

/* Between tries to tell what the kernel is short of something for, and has no event for. */
#define SHORTAGE_USEC UINT64_C(100000)

void news_tell_all(struct instance *instance)
{
	if (!routing_has_mailbox(instance))
		return;
	listener_news_tell_all(instance);
	builtin_tell_endpoints(instance);
}

static void tell_again(struct instance *instance)
{
	instance->on_room = sd_event_source_disable_unref(instance->on_room);
	if (instance->state == LIFECYCLE_DRAINING) {
		news_tell_stop(instance);
	} else {
		/* Lanes know what was told; all else may be said again. */
		if (instance->has_missed_news) {
			instance->has_missed_news = false;
			news_tell_all(instance);
		}
		routing_sync(instance);
	}
}

static int on_room(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	(void)source;
	(void)fd;
	(void)events;
	tell_again(userdata);
	return 0;
}

static int on_time(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	tell_again(userdata);
	return 0;
}

/* More of them than of what only receives. */
static bool is_shortage(int error)
{
	return shortage_is(error) || error == -ETOOMANYREFS || error == -ENOBUFS;
}

/* When there is room in its mailbox, or may be what else was missing. */
static void try_later(struct instance *instance, const struct held_lane *lane, bool is_full)
{
	sd_event *event = instance->actor->supervisor->event;

	if (instance->on_room)
		return;
	if (is_full)
		(void)sd_event_add_io(
			event, &instance->on_room, lane->write_fd, EPOLLOUT, on_room, instance);
	else
		(void)sd_event_add_time_relative(event, &instance->on_room, CLOCK_MONOTONIC,
			SHORTAGE_USEC, 0, on_time, instance);
}

int news_tell(struct instance *instance, struct envelope *envelope, const char *body,
	const int *fds, size_t n_fds)
{
	struct held_lane *lane = held_lane_find(
		instance->actor->supervisor, HELD_LANE_SUPERVISOR, instance->name, false);
	int r;

	if (!lane)
		return -ENOTCONN;
	r = lane_send(lane->write_fd, envelope, body, body ? strlen(body) : 0, fds, n_fds);
	if (r == -EAGAIN || is_shortage(r)) {
		instance->has_missed_news |= envelope->kind != ENVELOPE_LANE;
		try_later(instance, lane, r == -EAGAIN);
		return -EAGAIN;
	}
	if (r == -EPIPE) {
		log_warning("%s has shut its mailbox down and is ended", instance->name);
		monitor_say_kill(instance, "has shut its mailbox down");
		instance_process_kill(instance);
	}
	return r;
}

void news_tell_stop(struct instance *instance)
{
	struct envelope stop = {.kind = ENVELOPE_STOP};

	(void)news_tell(instance, &stop, NULL, NULL, 0);
}
