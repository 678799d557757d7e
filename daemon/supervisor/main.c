/*
 * inko-supervisor: everything of inkod that decides. The keeper starts it, holds what it is told
 * to hold, and starts it again when it ends; it then goes on from what is held.
 */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/adoption.h"
#include "daemon/supervisor/announce.h"
#include "daemon/supervisor/configuration-file.h"
#include "daemon/supervisor/control-socket.h"
#include "daemon/supervisor/files.h"
#include "daemon/supervisor/held.h"
#include "daemon/supervisor/holding.h"
#include "daemon/supervisor/listener-change.h"
#include "daemon/supervisor/log.h"
#include "daemon/supervisor/monitor.h"
#include "daemon/supervisor/output.h"
#include "daemon/supervisor/revive.h"
#include "daemon/supervisor/shutdown.h"
#include "daemon/supervisor/state-version.h"
#include "daemon/supervisor/succession.h"
#include "daemon/supervisor/supervisor.h"
#include "daemon/supervisor/systemd-socket.h"
#include "daemon/supervisor/upgrade.h"
#include "proto/lane.h"
#include "proto/monotonic.h"
#include "proto/runtime.h"

/* What the keeper held was written by a newer build: so that its log tells it from a crash. */
#define EXIT_NEWER_STATE 3

static int prepare(struct supervisor *supervisor)
{
	const char *keeper = getenv("INKO_KEEPER_PID");
	int r = runtime_directory(NULL, supervisor->runtime);

	TAILQ_INIT(&supervisor->actors);
	TAILQ_INIT(&supervisor->lanes);
	TAILQ_INIT(&supervisor->listeners);
	TAILQ_INIT(&supervisor->former_sockets);
	TAILQ_INIT(&supervisor->systemd_sockets);
	TAILQ_INIT(&supervisor->requests);
	TAILQ_INIT(&supervisor->applications);
	supervisor->lifeline_fds[0] = supervisor->lifeline_fds[1] = -1;
	/* Processes know lanes by their numbers, also those that have ended and are held no more. A
	 * lane takes longer to make than a microsecond, so that no former supervisor came so far.
	 */
	supervisor->last_lane = monotonic_usec();
	if (r == 0)
		r = lane_measure_charge(&supervisor->charge_bytes);
	if (r == 0)
		r = sd_event_new(&supervisor->event);
	if (r >= 0)
		r = monitor_new(&supervisor->monitor);
	if (r >= 0)
		r = revive_new(supervisor->event, supervisor->runtime, &supervisor->revive);
	return r < 0 ? r : holding_new(KEEP_FD, keeper ? atoi(keeper) : 0, &supervisor->holding);
}

static void on_exited(void *context, const char *key, uint32_t status)
{
	size_t length = strlen(INSTANCE_PROCESS_KEY);
	struct instance *instance = strncmp(key, INSTANCE_PROCESS_KEY, length) == 0
					    ? actor_find_instance(context, key + length)
					    : NULL;

	if (instance)
		instance_process_tell_exited(instance, status);
}

/* Everything stays held, and the next supervisor goes on, unless there is nobody to hold it. */
static int on_terminate(
	sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct supervisor *supervisor = userdata;

	(void)source;
	(void)info;
	if (holding_check(supervisor->holding))
		return sd_event_exit(supervisor->event, 0);
	shutdown_begin(supervisor);
	return 0;
}

static void on_leave(void *context)
{
	upgrade_leave(context);
}

static void on_stay(void *context, const char *reason)
{
	upgrade_refuse(context, reason);
}

static void on_watch(void *context, uint32_t watch_msec)
{
	announce_begin(context, watch_msec);
}

/* A keeper that took over was started with sockets of its own. They may be others than those of
 * the one before: a socket unit may have been restarted. */
static void on_socket(void *context, struct keep_message *message)
{
	struct supervisor *supervisor = context;

	if (systemd_socket_adopt(supervisor, message) < 0)
		log_error("cannot take over %s from the keeper", message->key);
	else if (strcmp(message->key, KEEP_SOCKET SYSTEMD_SOCKET_CONTROL) != 0)
		listener_change_follow_systemd(supervisor);
	else
		control_socket_follow_systemd(supervisor);
}

static void on_lost(void *context)
{
	succession_on_lost(context);
}

static const struct holding_events events = {
	.on_watch = on_watch,
	.on_socket = on_socket,
	.on_exited = on_exited,
	.on_stop = shutdown_begin,
	.on_leave = on_leave,
	.on_stay = on_stay,
	.on_lost = on_lost,
};

static int run(struct supervisor *supervisor)
{
	struct held held = {0};
	int r = held_take(supervisor->holding, &held);

	if (r == 0)
		r = files_prepare(supervisor->runtime, held_is_cold_start(&held));
	if (r == 0)
		r = state_version_check(supervisor, &held);
	if (r == -ENOTSUP)
		exit(EXIT_NEWER_STATE);
	if (r == 0)
		r = output_new(supervisor->event, supervisor->runtime, &supervisor->output);
	if (r == 0)
		r = holding_attach(supervisor->holding, supervisor->event, &events, supervisor);
	if (r >= 0)
		r = sd_event_add_signal(supervisor->event, NULL, SIGTERM, on_terminate, supervisor);
	if (r >= 0) {
		configuration_file_begin(supervisor, &held);
		adoption_adopt_all(supervisor, &held);
		r = configuration_file_apply(supervisor);
	}
	if (r == -ECANCELED)
		exit(EXIT_SUCCESS);
	if (r >= 0)
		r = control_socket_serve(supervisor, &held);
	if (r >= 0) {
		succession_open_door(supervisor);
		holding_serve(supervisor->holding);
	}
	held_done(&held);
	if (r >= 0)
		r = sd_event_loop(supervisor->event);
	return r;
}

int main(int argc, char **argv)
{
	struct supervisor supervisor = {0};
	sigset_t mask;
	int r;

	if (argc > 1 && strcmp(argv[1], "--try") == 0)
		return state_version_try(argv[2]) < 0 ? EXIT_NEWER_STATE : EXIT_SUCCESS;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &mask, NULL);
	r = prepare(&supervisor);
	if (r >= 0)
		r = run(&supervisor);
	if (r < 0)
		log_error("the supervisor cannot go on: %s", strerror(-r));
	/* The kernel frees the rest: what matters is held, or was ended by shutdown.c. Not by
	 * returning, so that what looks for leaks still sees who owns it. */
	exit(r < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}
