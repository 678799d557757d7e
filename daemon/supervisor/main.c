/*
 * inko-supervisor: everything of inkod that decides. The keeper starts it, holds what it is told
 * to hold, and starts it again when it ends; it then goes on from what is held.
 */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/announce.h"
#include "daemon/supervisor/client.h"
#include "daemon/supervisor/door.h"
#include "daemon/supervisor/files.h"
#include "daemon/supervisor/former-socket.h"
#include "daemon/supervisor/held-lane.h"
#include "daemon/supervisor/holding.h"
#include "daemon/supervisor/systemd-socket.h"
#include "daemon/supervisor/interface.h"
#include "daemon/supervisor/lane-watch.h"
#include "daemon/supervisor/listener.h"
#include "daemon/supervisor/log.h"
#include "daemon/supervisor/monitor.h"
#include "daemon/supervisor/output.h"
#include "daemon/supervisor/revive.h"
#include "daemon/supervisor/routing.h"
#include "daemon/supervisor/shutdown.h"
#include "proto/descriptor.h"
#include "proto/json.h"
#include "proto/lane.h"
#include "proto/runtime.h"

#define CONTROL_KEY "control"
#define VERSION_KEY "version"

#define STATE_VERSION 2
/* So that the keeper's log tells it from a crash. */
#define EXIT_NEWER_STATE 3

struct held_version {
	int64_t version;
};

static const struct json_field version_fields[] = {
	JSON_FIELD_INTEGER(held_version, "version", version, true, 0, JSON_INTEGER_MAX),
	JSON_FIELDS_END,
};

/* The control socket has no state but itself. */
static const struct json_field control_fields[] = {JSON_FIELDS_END};

/* What the keeper held, until it can be rebuilt in order. */
struct held {
	struct keep_message *messages;
	size_t n;
};

static void on_held(void *context, struct keep_message *message)
{
	struct held *held = context;
	struct keep_message *grown =
		realloc(held->messages, (held->n + 1) * sizeof(*held->messages));

	if (!grown)
		abort();
	held->messages = grown;
	held->messages[held->n++] = *message;
	message->bytes = NULL;
	message->passed.n_fds = 0;
}

/* What systemd passed is there from the start. */
static bool is_cold_start(const struct held *held)
{
	for (size_t i = 0; i < held->n; i++)
		if (strncmp(held->messages[i].key, KEEP_SOCKET, strlen(KEEP_SOCKET)) != 0)
			return false;
	return true;
}

/* Rebuilding, one kind of object after the other: those that others belong to come first. */

static int adopt_actor(struct supervisor *supervisor, struct keep_message *message)
{
	return actor_adopt(supervisor, message);
}

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
	{"actor/", adopt_actor, put_actors},
	{"instance/", adopt_instance, put_instances},
	{"process/", adopt_process, put_processes},
	{"lane/", held_lane_adopt, put_lanes},
	{"listener/", listener_adopt, put_listeners},
	{FORMER_SOCKET_KEY, former_socket_adopt, former_socket_put_all},
};

static void adopt_kind(struct supervisor *supervisor, struct held *held, size_t kind)
{
	const char *prefix = adoptions[kind].prefix;

	for (size_t i = 0; i < held->n; i++) {
		struct keep_message *message = &held->messages[i];
		int r;

		if (strncmp(message->key, prefix, strlen(prefix)) != 0)
			continue;
		r = adoptions[kind].adopt(supervisor, message);
		if (r < 0)
			log_error("%s stays held, but cannot be taken over: %s", message->key,
				strerror(-r));
	}
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

static void adopt_all(struct supervisor *supervisor, struct held *held)
{
	struct actor *actor;
	struct instance *instance;

	for (size_t i = 0; i < sizeof(adoptions) / sizeof(*adoptions); i++)
		adopt_kind(supervisor, held, i);
	if (!is_cold_start(held))
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
}

/* The control socket is held too: who connects while there is no supervisor waits. */

static int open_control(const char *runtime, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	char path[PATH_MAX];
	int r = fd < 0 ? -errno : runtime_path(runtime, RUNTIME_CONTROL, path);

	if (r < 0)
		return r;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	(void)strcpy(address.sun_path, path);
	/* The keeper has the lock of this directory: whoever left the file is gone. */
	(void)unlink(path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || chmod(path, 0660) < 0 ||
		listen(fd, SOMAXCONN) < 0)
		return -errno;
	*ret_fd = descriptor_take(&fd);
	return 0;
}

static void put_control(struct supervisor *supervisor, int fd)
{
	holding_put(supervisor->holding, CONTROL_KEY, control_fields, NULL, &fd, 1);
}

static int serve_control(struct supervisor *supervisor, struct held *held)
{
	_cleanup_close_ int fd = -1;
	int r = systemd_socket_open(supervisor, SYSTEMD_SOCKET_CONTROL, &fd);

	for (size_t i = 0; i < held->n; i++)
		if (fd < 0 && strcmp(held->messages[i].key, CONTROL_KEY) == 0 &&
			held->messages[i].passed.n_fds == 1) {
			fd = held->messages[i].passed.fds[0];
			held->messages[i].passed.n_fds = 0;
		}
	if (fd < 0) {
		r = open_control(supervisor->runtime, &fd);
		if (r < 0)
			return r;
		put_control(supervisor, fd);
	}
	return clients_new(
		supervisor->event, &fd, &interface_events, supervisor, &supervisor->clients);
}

/* Which build's state this is. Members that are added to an object are optional, so that an older
 * state is read; the version becomes another when a former supervisor would misread it. */

static void put_version(struct supervisor *supervisor)
{
	const struct held_version held = {.version = STATE_VERSION};

	holding_put(supervisor->holding, VERSION_KEY, version_fields, &held, NULL, 0);
}

static int read_version(const struct held *held, int64_t *ret_version)
{
	struct held_version found = {0};
	int r = 0;

	for (size_t i = 0; i < held->n && r == 0; i++)
		if (strcmp(held->messages[i].key, VERSION_KEY) == 0)
			r = holding_decode(&held->messages[i], version_fields, 0, &found);
	*ret_version = found.version;
	return r;
}

static void check_version(struct supervisor *supervisor, const struct held *held)
{
	int64_t version;
	int r = read_version(held, &version);

	if (r < 0 || version > STATE_VERSION) {
		log_error("what the keeper holds was written by a newer inkod (state %" PRIi64
			  ", this one knows %d): nothing is touched and what runs goes on. "
			  "Install that build again, or a newer one",
			version, STATE_VERSION);
		exit(EXIT_NEWER_STATE);
	}
	if (version < STATE_VERSION)
		put_version(supervisor);
}

/* Another keeper, when the one that there was has died. */

static void put_all(void *context)
{
	struct supervisor *supervisor = context;

	put_version(supervisor);
	if (!systemd_socket_has(supervisor, SYSTEMD_SOCKET_CONTROL))
		put_control(supervisor, clients_peek_fd(supervisor->clients));
	for (size_t i = 0; i < sizeof(adoptions) / sizeof(*adoptions); i++)
		adoptions[i].put_all(supervisor);
}

static void say_keeper(struct supervisor *supervisor, const char *to, pid_t pid)
{
	const struct monitor_event event = {
		.kind = MONITOR_KEEPER, .name = "keeper", .to = to, .pid = pid};

	monitor_say(supervisor, &event);
}

static void on_visitor(void *context, int *take_fd, pid_t pid)
{
	struct supervisor *supervisor = context;

	if (holding_check(supervisor->holding) || supervisor->stopping) {
		holding_refuse(supervisor->holding, *take_fd);
		return;
	}
	revive_end(supervisor->revive);
	if (holding_hand_over(supervisor->holding, take_fd, pid, put_all, supervisor) < 0) {
		log_error("the keeper that was to take over (pid %d) did not", (int)pid);
		return;
	}
	announce_end(supervisor);
	say_keeper(supervisor, "replaced", pid);
	log_info("has another keeper (pid %d)", (int)pid);
}

static void on_lost(void *context)
{
	struct supervisor *supervisor = context;

	if (supervisor->stopping)
		return;
	say_keeper(supervisor, "lost", 0);
	/* Where a service manager asks, it is that one's to start it again. */
	if (!supervisor->announcer)
		revive_begin(supervisor->revive);
}

static void open_door(struct supervisor *supervisor)
{
	struct door *door;
	int r = door_new(supervisor->event, supervisor->runtime, on_visitor, supervisor, &door);

	if (r < 0)
		log_error("cannot listen on %s/" RUNTIME_KEEPER
			  " (%s): when the keeper dies no other can take over",
			supervisor->runtime, strerror(-r));
}

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
	struct instance *instance =
		strncmp(key, "process/", 8) == 0 ? actor_find_instance(context, key + 8) : NULL;

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

/* The keeper starts another one, of the installed build; one that died after it said so does not.
 */
static void on_leave(void *context)
{
	struct supervisor *supervisor = context;

	if (!supervisor->stopping && holding_check(supervisor->holding))
		(void)sd_event_exit(supervisor->event, 0);
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
	_cleanup_close_ int fd = -1;

	if (systemd_socket_adopt(supervisor, message) < 0)
		log_error("cannot take over %s from the keeper", message->key);
	else if (strcmp(message->key, KEEP_SOCKET SYSTEMD_SOCKET_CONTROL) != 0)
		listener_follow_systemd(supervisor);
	else if (systemd_socket_open(supervisor, SYSTEMD_SOCKET_CONTROL, &fd) == 0)
		clients_move(supervisor->clients, &fd);
}

static const struct holding_events events = {
	.on_watch = on_watch,
	.on_socket = on_socket,
	.on_exited = on_exited,
	.on_stop = shutdown_begin,
	.on_leave = on_leave,
	.on_lost = on_lost,
};

static int run(struct supervisor *supervisor)
{
	struct held held = {0};
	int r = holding_take_all(supervisor->holding, on_held, &held);

	if (r == 0)
		r = files_prepare(supervisor->runtime, is_cold_start(&held));
	if (r == 0)
		check_version(supervisor, &held);
	if (r == 0)
		r = output_new(supervisor->event, supervisor->runtime, &supervisor->output);
	if (r == 0)
		r = holding_attach(supervisor->holding, supervisor->event, &events, supervisor);
	if (r >= 0)
		r = sd_event_add_signal(supervisor->event, NULL, SIGTERM, on_terminate, supervisor);
	if (r >= 0) {
		adopt_all(supervisor, &held);
		r = serve_control(supervisor, &held);
	}
	if (r >= 0) {
		open_door(supervisor);
		holding_serve(supervisor->holding);
	}
	for (size_t i = 0; i < held.n; i++)
		keep_message_done(&held.messages[i]);
	free(held.messages);
	if (r >= 0)
		r = sd_event_loop(supervisor->event);
	return r;
}

int main(void)
{
	struct supervisor supervisor = {0};
	sigset_t mask;
	int r;

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
