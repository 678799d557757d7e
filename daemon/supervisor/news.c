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

void news_tell_all(struct instance *instance)
{
	if (!routing_has_mailbox(instance))
		return;
	listener_news_tell_all(instance);
	builtin_tell_endpoints(instance);
}

static int on_room(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct instance *instance = userdata;

	(void)source;
	(void)fd;
	(void)events;
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
	return 0;
}

int news_tell(struct instance *instance, struct envelope *envelope, const char *body,
	const int *fds, size_t n_fds)
{
	struct supervisor *supervisor = instance->actor->supervisor;
	struct held_lane *lane =
		held_lane_find(supervisor, HELD_LANE_SUPERVISOR, instance->name, false);
	int r;

	if (!lane)
		return -ENOTCONN;
	r = lane_send(lane->write_fd, envelope, body, body ? strlen(body) : 0, fds, n_fds);
	if (r == -EAGAIN && envelope->kind != ENVELOPE_LANE)
		instance->has_missed_news = true;
	if (r == -EAGAIN && !instance->on_room)
		(void)sd_event_add_io(supervisor->event, &instance->on_room, lane->write_fd,
			EPOLLOUT, on_room, instance);
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
