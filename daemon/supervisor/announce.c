#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/announce.h"
#include "daemon/supervisor/holding.h"
#include "daemon/supervisor/listener.h"

#define PAUSE_USEC 1000000
/* What the end takes besides the actors' own times. */
#define STOP_MARGIN_USEC 30000000

struct announcer {
	sd_event_source *pause, *watch;
	bool is_touched;
	uint64_t watch_usec;
	char told[ANNOUNCE_BYTES];
};

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

void announce_format(const struct supervisor *supervisor, char text[static ANNOUNCE_BYTES])
{
	size_t n_actors = 0, n_instances = 0, n_ready = 0, n_listeners = 0;
	const struct actor *actor;
	const struct instance *instance;
	const struct listener *listener;

	TAILQ_FOREACH(actor, &supervisor->actors, entries) {
		if (actor->is_builtin)
			continue;
		n_actors++;
		TAILQ_FOREACH(instance, &actor->instances, entries) {
			n_instances++;
			n_ready += instance->state == LIFECYCLE_READY;
		}
	}
	TAILQ_FOREACH(listener, &supervisor->listeners, entries)
		n_listeners++;
	(void)snprintf(text, ANNOUNCE_BYTES,
		"%s%zu actor%s, %zu of %zu instance%s ready, %zu listener%s",
		supervisor->stopping ? "stopping: " : "", n_actors, plural(n_actors), n_ready,
		n_instances, plural(n_instances), n_listeners, plural(n_listeners));
}

static void tell(struct supervisor *supervisor, const char *head)
{
	struct announcer *announcer = supervisor->announcer;
	char text[2 * ANNOUNCE_BYTES];

	announcer->is_touched = false;
	announce_format(supervisor, announcer->told);
	(void)snprintf(text, sizeof(text), "%sSTATUS=%s", head, announcer->told);
	holding_notify(supervisor->holding, text);
	(void)sd_event_source_set_time_relative(announcer->pause, PAUSE_USEC);
	(void)sd_event_source_set_enabled(announcer->pause, SD_EVENT_ONESHOT);
}

static void tell_if_new(struct supervisor *supervisor)
{
	char text[ANNOUNCE_BYTES];

	announce_format(supervisor, text);
	supervisor->announcer->is_touched = false;
	if (strcmp(text, supervisor->announcer->told) != 0)
		tell(supervisor, "");
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct supervisor *supervisor = userdata;

	(void)source;
	(void)usec;
	if (supervisor->announcer->is_touched)
		tell_if_new(supervisor);
	return 0;
}

static int on_watch(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct supervisor *supervisor = userdata;

	(void)usec;
	holding_sign(supervisor->holding);
	return sd_event_source_set_time_relative(source, supervisor->announcer->watch_usec / 2);
}

static struct announcer *announcer_new(struct supervisor *supervisor)
{
	struct announcer *announcer = calloc(1, sizeof(*announcer));

	if (!announcer ||
		sd_event_add_time_relative(supervisor->event, &announcer->pause, CLOCK_MONOTONIC, 0,
			0, on_pause_over, supervisor) < 0 ||
		sd_event_add_time_relative(supervisor->event, &announcer->watch, CLOCK_MONOTONIC, 0,
			1, on_watch, supervisor) < 0)
		abort();
	return announcer;
}

void announce_begin(struct supervisor *supervisor, uint32_t watch_msec)
{
	if (!supervisor->announcer)
		supervisor->announcer = announcer_new(supervisor);
	supervisor->announcer->watch_usec = (uint64_t)watch_msec * 1000;
	(void)sd_event_source_set_time_relative(supervisor->announcer->watch, 0);
	(void)sd_event_source_set_enabled(
		supervisor->announcer->watch, watch_msec > 0 ? SD_EVENT_ON : SD_EVENT_OFF);
	tell(supervisor, "READY=1\n");
}

void announce_end(struct supervisor *supervisor)
{
	struct announcer *announcer = supervisor->announcer;

	if (!announcer)
		return;
	sd_event_source_disable_unref(announcer->pause);
	sd_event_source_disable_unref(announcer->watch);
	free(announcer);
	supervisor->announcer = NULL;
}

void announce_touch(struct supervisor *supervisor)
{
	struct announcer *announcer = supervisor->announcer;
	int pauses;

	if (!announcer)
		return;
	announcer->is_touched = true;
	/* Not now: whoever calls this is not done yet. */
	if (sd_event_source_get_enabled(announcer->pause, &pauses) == 0) {
		(void)sd_event_source_set_time_relative(announcer->pause, 0);
		(void)sd_event_source_set_enabled(announcer->pause, SD_EVENT_ONESHOT);
	}
}

/* inkod's own actors end after the others, so that the longest of the times may pass twice. */
void announce_stopping(struct supervisor *supervisor)
{
	const struct actor *actor;
	int64_t longest = 0;
	char head[80];

	if (!supervisor->announcer)
		return;
	TAILQ_FOREACH(actor, &supervisor->actors, entries)
		if (actor->spec.drain_usec + actor->spec.stop_usec > longest)
			longest = actor->spec.drain_usec + actor->spec.stop_usec;
	(void)snprintf(head, sizeof(head), "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIi64 "\n",
		2 * longest + STOP_MARGIN_USEC);
	tell(supervisor, head);
}
