#pragma once

/*
 * What the parts of the supervisor share: its loop, its keeper, and the lists of its objects.
 * Each object belongs to the module of its name; the lists stand here so that one can find
 * another.
 */

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

struct actor;
struct announcer;
struct application;
struct clients;
struct former_socket;
struct held_lane;
struct holding;
struct listener;
struct monitor;
struct output;
struct request;
struct revive;
struct systemd_socket;

struct supervisor {
	sd_event *event;
	struct holding *holding;
	struct revive *revive;
	struct output *output;
	struct clients *clients;
	struct announcer *announcer; /* NULL until somebody asks */
	struct monitor *monitor;
	char runtime[PATH_MAX];
	size_t charge_bytes; /* of an envelope without a body, see proto/lane.h */
	uint64_t last_lane;  /* no lane, also of a former supervisor, had a higher number */
	int lifeline_fds[2]; /* see lifeline.h; -1 */
	size_t n_stored;     /* descriptors that instances have stored, see stored.h */
	bool stopping;
	bool is_unconfigured; /* see configuration-file.h */
	/* tsearch(3) of what is in the lists: actors, instances and listeners by name, lanes that
	 * are not revoked by their two ends. A list of a thousand that is searched for each of a
	 * thousand is slow. */
	void *actor_tree, *instance_tree, *lane_tree, *listener_tree;
	TAILQ_HEAD(, actor) actors;
	TAILQ_HEAD(, held_lane) lanes;
	TAILQ_HEAD(, listener) listeners;
	TAILQ_HEAD(, former_socket) former_sockets;
	TAILQ_HEAD(, systemd_socket) systemd_sockets;
	TAILQ_HEAD(, request) requests;		/* calls that are answered later */
	TAILQ_HEAD(, application) applications; /* configurations that are being applied */
	sd_event_source *lane_watch;		/* see lane-watch.h */
};

static inline uint64_t supervisor_now(const struct supervisor *supervisor)
{
	uint64_t now = 0;

	(void)sd_event_now(supervisor->event, CLOCK_MONOTONIC, &now);
	return now;
}
