#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/builtin.h"
#include "daemon/supervisor/held-lane.h"
#include "daemon/supervisor/holding.h"
#include "daemon/supervisor/listener.h"
#include "daemon/supervisor/log.h"
#include "daemon/supervisor/notify.h"
#include "daemon/supervisor/output.h"
#include "daemon/supervisor/process.h"
#include "daemon/supervisor/routing.h"
#include "proto/descriptor.h"
#include "proto/json.h"
#include "proto/lane.h"

#define BACKOFF_MAX_USEC (30 * UINT64_C(1000000))
/* Ready for so many times the first backoff, an instance is well again, and its next backoff is the
 * first: one that serves and is killed now and then is back at once. (Measured against its last
 * backoff it could fall behind for ever.) */
#define WELL_BACKOFFS 10
/* How long the keeper may take to tell how a process ended that is not our child. */
#define KEEPER_USEC UINT64_C(1000000)
#define NOTIFICATIONS_A_TURN 16
/* A status is for a table, not for storage at our cost. */
#define STATUS_CHARS 200

static const struct json_field fields[] = {
	JSON_FIELD(instance, "name", JSON_STRING, name, true),
	JSON_FIELD_INTEGER(instance, "index", index, true, 0, LIMIT_INSTANCES),
	JSON_FIELD(instance, "state", JSON_STRING, state_name, true),
	JSON_FIELD_INTEGER(instance, "restarts", restarts, true, 0, JSON_INTEGER_MAX),
	JSON_FIELD(instance, "status", JSON_STRING, status, false),
	JSON_FIELD(instance, "lastExit", JSON_STRING, last_exit, false),
	JSON_FIELD(instance, "wasReady", JSON_BOOLEAN, was_ready, false),
	JSON_FIELDS_END,
};

static const struct json_field process_fields[] = {
	JSON_FIELD_INTEGER(instance, "pid", pid, true, 1, INT32_MAX),
	JSON_FIELDS_END,
};

static void handle(struct instance *instance, enum lifecycle_event event);

static struct supervisor *supervisor_of(const struct instance *instance)
{
	return instance->actor->supervisor;
}

static const char *key_of(
	const struct instance *instance, const char *kind, char key[static LIMIT_KEY_CHARS])
{
	(void)snprintf(key, LIMIT_KEY_CHARS, "%s/%s", kind, instance->name);
	return key;
}

static cJSON *encode(struct instance *instance)
{
	cJSON *object;

	instance->state_name = strdup(lifecycle_name(instance->state));
	object = json_encode(fields, instance);
	free(instance->state_name);
	instance->state_name = NULL;
	return object;
}

static void update(struct instance *instance)
{
	char key[LIMIT_KEY_CHARS];
	cJSON *object = encode(instance);

	holding_update(supervisor_of(instance)->holding, key_of(instance, "instance", key), object);
	cJSON_Delete(object);
}

static void replace_text(char **text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void replace_text(char **text, const char *format, ...)
{
	va_list arguments;

	free(*text);
	va_start(arguments, format);
	if (vasprintf(text, format, arguments) < 0)
		*text = NULL;
	va_end(arguments);
}

/* Notifications. */

static void on_line(void *context, const char *line)
{
	struct instance *instance = context;

	if (strcmp(line, "READY=1") == 0) {
		handle(instance, LIFECYCLE_NOTIFIED);
	} else if (strncmp(line, "STATUS=", 7) == 0) {
		replace_text(&instance->status, "%.*s", STATUS_CHARS, line + 7);
		if (instance->status)
			json_clean(instance->status);
		update(instance);
	} else if (instance->actor->is_builtin) {
		builtin_on_notified(instance, line);
		listener_on_notified(instance->actor->supervisor, line);
	}
}

static int on_notify(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	(void)source;
	(void)events;
	for (int i = 0; i < NOTIFICATIONS_A_TURN; i++)
		if (!notify_dispatch(fd, on_line, userdata))
			break;
	return 0;
}

static int watch_notify(struct instance *instance)
{
	int r = sd_event_add_io(supervisor_of(instance)->event, &instance->on_notify,
		instance->notify_fd, EPOLLIN, on_notify, instance);

	/* One that notifies without end is read a few hundred times a second, and the kernel
	 * makes it wait. */
	return r < 0 ? r : sd_event_source_set_ratelimit(instance->on_notify, 100000, 50);
}

/* Its life in memory. */

static struct instance *allocate(struct actor *actor)
{
	struct instance *instance = calloc(1, sizeof(*instance));

	if (!instance)
		return NULL;
	instance->actor = actor;
	instance->pidfd = instance->notify_fd = instance->gate_fd = -1;
	return instance;
}

static void release(struct instance *instance)
{
	sd_event_source_disable_unref(instance->on_exit);
	sd_event_source_disable_unref(instance->on_notify);
	sd_event_source_disable_unref(instance->timer);
	sd_event_source_disable_unref(instance->on_room);
	descriptor_close(&instance->pidfd);
	descriptor_close(&instance->notify_fd);
	descriptor_close(&instance->gate_fd);
	json_release(fields, instance);
	free(instance->deaths);
	free(instance);
}

int instance_new(struct actor *actor, int64_t index, struct instance **ret_instance)
{
	struct instance *instance = allocate(actor);
	char path[PATH_MAX], key[LIMIT_KEY_CHARS];
	cJSON *object;
	int r;

	if (!instance)
		return -ENOMEM;
	instance->index = index;
	if (asprintf(&instance->name, "%s/%" PRIi64, actor->spec.name, index) < 0) {
		instance->name = NULL;
		r = -ENOMEM;
	} else {
		r = notify_path(actor->supervisor->runtime, instance->name, path);
	}
	if (r == 0)
		r = notify_open(path, &instance->notify_fd);
	if (r == 0)
		r = watch_notify(instance);
	if (r < 0) {
		release(instance);
		return r;
	}
	TAILQ_INSERT_TAIL(&actor->instances, instance, entries);
	object = encode(instance);
	holding_put(actor->supervisor->holding, key_of(instance, "instance", key), object,
		&instance->notify_fd, 1);
	cJSON_Delete(object);
	*ret_instance = instance;
	return 0;
}

struct instance *instance_free(struct instance *instance)
{
	struct supervisor *supervisor = supervisor_of(instance);
	char path[PATH_MAX], key[LIMIT_KEY_CHARS];

	routing_forget(instance);
	if (notify_path(supervisor->runtime, instance->name, path) == 0)
		(void)unlink(path);
	output_remove(supervisor->output, instance->name);
	holding_drop(supervisor->holding, key_of(instance, "instance", key));
	TAILQ_REMOVE(&instance->actor->instances, instance, entries);
	release(instance);
	return NULL;
}

/* Time. */

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	handle(userdata, LIFECYCLE_TIMEOUT);
	return 0;
}

static void arm(struct instance *instance, uint64_t usec)
{
	instance->timer = sd_event_source_disable_unref(instance->timer);
	(void)sd_event_add_time_relative(supervisor_of(instance)->event, &instance->timer,
		CLOCK_MONOTONIC, usec, 1, on_timer, instance);
}

/* A quarter to either side, so that what fell together does not start together. */
static uint64_t jitter(uint64_t usec)
{
	uint16_t random = 0x8000;

	(void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
	return usec * 3 / 4 + usec / 2 * random / 0xffff;
}

static uint64_t next_backoff(struct instance *instance)
{
	uint64_t first = (uint64_t)instance->actor->spec.backoff_usec;
	bool well = instance->ready_usec &&
		    supervisor_now(supervisor_of(instance)) - instance->ready_usec >=
			    WELL_BACKOFFS * first;
	uint64_t most = first > BACKOFF_MAX_USEC ? first : BACKOFF_MAX_USEC;
	uint64_t backoff = instance->backoff_usec == 0 || well ? first : instance->backoff_usec * 2;

	instance->backoff_usec = backoff > most ? most : backoff;
	return jitter(instance->backoff_usec);
}

static void arm_state(struct instance *instance)
{
	const struct spec *spec = &instance->actor->spec;

	switch (instance->state) {
	case LIFECYCLE_STARTING:
		arm(instance, (uint64_t)spec->start_usec);
		return;
	case LIFECYCLE_DRAINING:
		arm(instance, (uint64_t)spec->drain_usec);
		return;
	case LIFECYCLE_TERMINATING:
	case LIFECYCLE_KILLING:
		arm(instance, (uint64_t)spec->stop_usec);
		return;
	case LIFECYCLE_WAITING:
		arm(instance, next_backoff(instance));
		return;
	default:
		instance->timer = sd_event_source_disable_unref(instance->timer);
	}
}

/* The intensity: has it ended more than that often within its time? */
static bool exceeds_intensity(struct instance *instance)
{
	const struct spec *spec = &instance->actor->spec;
	size_t most = (size_t)spec->intensity;
	uint64_t now = supervisor_now(supervisor_of(instance));

	if (most == 0)
		return false;
	if (!instance->deaths)
		instance->deaths = calloc(most, sizeof(*instance->deaths));
	if (!instance->deaths)
		return false;
	if (instance->n_deaths == most &&
		now - instance->deaths[0] <= (uint64_t)spec->intensity_usec)
		return true;
	if (instance->n_deaths == most)
		memmove(instance->deaths, instance->deaths + 1,
			--instance->n_deaths * sizeof(*instance->deaths));
	instance->deaths[instance->n_deaths++] = now;
	return false;
}

/* Its process. */

static void note_failure(struct instance *instance, const struct process_failure *failure)
{
	const struct spec *spec = &instance->actor->spec;
	const char *why = strerror(failure->error);

	switch (failure->step) {
	case PROCESS_PREPARE:
		replace_text(&instance->last_exit, "could not be given its descriptors: %s", why);
		return;
	case PROCESS_ENTER:
		replace_text(&instance->last_exit, "could not enter the directory %s: %s",
			spec->directory ? spec->directory : "/", why);
		return;
	case PROCESS_EXECUTE:
		replace_text(
			&instance->last_exit, "could not execute %s: %s", spec->command[0], why);
		return;
	}
}

static void note_exit(struct instance *instance, int code, int status)
{
	struct process_failure failure;
	const char *name = sigabbrev_np(status);

	if (process_read_failure(instance->gate_fd, &failure))
		note_failure(instance, &failure);
	else if (instance->is_late)
		replace_text(&instance->last_exit,
			"was not ready within %" PRIi64 " s, and was killed",
			instance->actor->spec.start_usec / 1000000);
	else if (code == CLD_EXITED)
		replace_text(&instance->last_exit, "exited with status %d", status);
	else if (code == CLD_KILLED || code == CLD_DUMPED)
		replace_text(&instance->last_exit, "killed by SIG%s", name ? name : "?");
	else
		replace_text(&instance->last_exit, "ended, nobody saw how");
}

static void on_ended(struct instance *instance, int code, int status)
{
	bool expected = instance->state == LIFECYCLE_DRAINING ||
			instance->state == LIFECYCLE_TERMINATING ||
			instance->state == LIFECYCLE_KILLING;
	char key[LIMIT_KEY_CHARS];

	note_exit(instance, code, status);
	instance->on_exit = sd_event_source_disable_unref(instance->on_exit);
	descriptor_close(&instance->pidfd);
	descriptor_close(&instance->gate_fd);
	holding_drop(supervisor_of(instance)->holding, key_of(instance, "process", key));
	if (!expected)
		log_warning("%s (pid %" PRIi64 ") %s", instance->name, instance->pid,
			instance->last_exit ? instance->last_exit : "ended");
	instance->pid = 0;
	handle(instance,
		!expected && exceeds_intensity(instance) ? LIFECYCLE_EXCEEDED : LIFECYCLE_EXITED);
}

static int on_keeper_silent(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	on_ended(userdata, 0, 0);
	return 0;
}

static int on_exit_event(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct instance *instance = userdata;
	siginfo_t info = {0};

	(void)events;
	/* What it started and left behind may hold its lanes. */
	instance_kill(instance);
	if (waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG) == 0) {
		on_ended(instance, info.si_code, info.si_status);
		return 0;
	}
	/* A former supervisor's child: the keeper tells. */
	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	instance->on_exit = sd_event_source_disable_unref(instance->on_exit);
	(void)sd_event_add_time_relative(supervisor_of(instance)->event, &instance->on_exit,
		CLOCK_MONOTONIC, KEEPER_USEC, 1, on_keeper_silent, instance);
	return 0;
}

void instance_tell_exited(struct instance *instance, uint32_t status)
{
	if (instance->pidfd >= 0)
		on_ended(instance, (int)(status >> 8 & 0xff), (int)(status & 0xff));
}

static int watch_exit(struct instance *instance)
{
	return sd_event_add_io(supervisor_of(instance)->event, &instance->on_exit, instance->pidfd,
		EPOLLIN, on_exit_event, instance);
}

static int spawn(struct instance *instance)
{
	struct supervisor *supervisor = supervisor_of(instance);
	_cleanup_free_ struct routing_start *start = malloc(sizeof(*start));
	_cleanup_close_ int output_fd = -1;
	char path[PATH_MAX], key[LIMIT_KEY_CHARS];
	struct process_plan plan = {.spec = &instance->actor->spec,
		.instance = instance->name,
		.runtime = supervisor->runtime,
		.notify_path = path};
	cJSON *object;
	pid_t pid;
	int r = start ? routing_prepare(instance, start) : -ENOMEM;

	if (r == 0)
		r = notify_path(supervisor->runtime, instance->name, path);
	if (r == 0)
		r = output_open(supervisor->output, instance->name, &output_fd);
	if (r < 0)
		return r;
	plan.output_fd = output_fd;
	plan.fds = start->fds;
	plan.n_fds = start->n_fds;
	plan.fd_names = start->names;
	r = process_fork(&plan, &pid, &instance->pidfd, &instance->gate_fd);
	if (r < 0)
		return r;
	instance->pid = pid;
	object = json_encode(process_fields, instance);
	holding_put(
		supervisor->holding, key_of(instance, "process", key), object, &instance->pidfd, 1);
	cJSON_Delete(object);
	r = watch_exit(instance);
	return r < 0 ? r : process_open_gate(instance->gate_fd);
}

/* Sends SIGKILL to the process and all that share its group. The group's number is nobody else's
 * as long as its leader can be signalled, be it a zombie. */
void instance_kill(struct instance *instance)
{
	if (instance->pidfd >= 0 && pidfd_send_signal(instance->pidfd, SIGKILL, NULL, 0) == 0)
		(void)kill(-(pid_t)instance->pid, SIGKILL);
}

/* Effects, as lifecycle.h names them. */

static void effect_nothing(struct instance *instance)
{
	(void)instance;
}

static void effect_spawn(struct instance *instance)
{
	int r;

	instance->was_ready = false;
	instance->is_late = false;
	instance->is_stalled = false;
	instance->ready_usec = 0;
	free(instance->status);
	instance->status = NULL;
	r = spawn(instance);
	if (r == 0) {
		listener_tell_all(instance);
		builtin_tell_endpoints(instance);
		return;
	}
	log_error("%s cannot be started: %s", instance->name, strerror(-r));
	/* A child behind a closed gate ends by itself, and is waited for as any other. */
	descriptor_close(&instance->gate_fd);
	if (instance->pidfd < 0) {
		replace_text(&instance->last_exit, "could not be started: %s", strerror(-r));
		handle(instance,
			exceeds_intensity(instance) ? LIFECYCLE_EXCEEDED : LIFECYCLE_EXITED);
	}
}

static void effect_join(struct instance *instance)
{
	instance->was_ready = true;
	instance->ready_usec = supervisor_now(supervisor_of(instance));
	descriptor_close(&instance->gate_fd);
	routing_sync(instance);
}

static void effect_drain(struct instance *instance)
{
	struct envelope stop = {.kind = ENVELOPE_STOP};

	routing_leave(instance);
	(void)instance_tell(instance, &stop, NULL, NULL, 0);
}

static void effect_terminate(struct instance *instance)
{
	routing_leave(instance);
	(void)pidfd_send_signal(instance->pidfd, SIGTERM, NULL, 0);
	/* A stopped process gets its signal when it goes on. */
	(void)pidfd_send_signal(instance->pidfd, SIGCONT, NULL, 0);
}

static void effect_bury(struct instance *instance)
{
	if (instance->state == LIFECYCLE_FAILED)
		log_error("%s has failed: it ended more than %" PRIi64 " times within %" PRIi64
			  " s; see 'inkoctl logs %s', then 'inkoctl start %s'",
			instance->name, instance->actor->spec.intensity,
			instance->actor->spec.intensity_usec / 1000000, instance->actor->spec.name,
			instance->actor->spec.name);
	instance->on_room = sd_event_source_disable_unref(instance->on_room);
	routing_bury(instance);
}

static void (*const effects[])(struct instance *) = {
	[LIFECYCLE_NOTHING] = effect_nothing,
	[LIFECYCLE_SPAWN] = effect_spawn,
	[LIFECYCLE_JOIN] = effect_join,
	[LIFECYCLE_DRAIN] = effect_drain,
	[LIFECYCLE_TERMINATE] = effect_terminate,
	[LIFECYCLE_KILL] = instance_kill,
	[LIFECYCLE_BURY] = effect_bury,
};

static void handle(struct instance *instance, enum lifecycle_event event)
{
	struct lifecycle_step step = lifecycle_step(instance->state, event);
	bool changes = step.next != instance->state;

	if (!changes && step.effect == LIFECYCLE_NOTHING)
		return;
	instance->state = step.next;
	if (changes && step.next == LIFECYCLE_WAITING)
		instance->restarts++;
	if (instance->state == LIFECYCLE_STARTING && event == LIFECYCLE_TIMEOUT)
		instance->is_late = true;
	if (changes)
		arm_state(instance);
	else if (event == LIFECYCLE_TIMEOUT)
		arm(instance, (uint64_t)instance->actor->spec.stop_usec);
	update(instance);
	effects[step.effect](instance);
	actor_touch(instance->actor);
}

void instance_start(struct instance *instance)
{
	instance->n_deaths = 0;
	instance->backoff_usec = 0;
	handle(instance, LIFECYCLE_START);
}

void instance_stop(struct instance *instance)
{
	handle(instance, LIFECYCLE_STOP);
}

void instance_restart(struct instance *instance)
{
	instance->n_deaths = 0;
	instance->backoff_usec = 0;
	handle(instance, lifecycle_is_alive(instance->state) ? LIFECYCLE_STOP : LIFECYCLE_START);
}

bool instance_is_serving(const struct instance *instance)
{
	return instance->state == LIFECYCLE_STARTING || instance->state == LIFECYCLE_READY;
}

/* What it is told. */

static void tell_news(struct instance *instance)
{
	listener_tell_all(instance);
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
		struct envelope stop = {.kind = ENVELOPE_STOP};

		(void)instance_tell(instance, &stop, NULL, NULL, 0);
	} else {
		/* Lanes know what was told; what is said to inkod's own may be said again. */
		if (instance->actor->is_builtin)
			tell_news(instance);
		routing_sync(instance);
	}
	return 0;
}

int instance_tell(struct instance *instance, struct envelope *envelope, const char *body,
	const int *fds, size_t n_fds)
{
	struct held_lane *lane = held_lane_find(
		supervisor_of(instance), HELD_LANE_SUPERVISOR, instance->name, false);
	int r;

	if (!lane)
		return -ENOTCONN;
	r = lane_send(lane->write_fd, envelope, body, body ? strlen(body) : 0, fds, n_fds);
	if (r == -EAGAIN && !instance->on_room)
		(void)sd_event_add_io(supervisor_of(instance)->event, &instance->on_room,
			lane->write_fd, EPOLLOUT, on_room, instance);
	if (r == -EPIPE) {
		log_warning("%s has shut its mailbox down and is ended", instance->name);
		instance_kill(instance);
	}
	return r;
}

/* After a former supervisor. */

int instance_adopt(struct actor *actor, struct keep_message *message)
{
	struct instance *instance = allocate(actor);
	const char *field;
	enum json_problem problem;
	cJSON *object = NULL;
	int r = instance ? json_parse(message->bytes, message->n_bytes, &object) : -ENOMEM;

	if (r == 0)
		r = json_decode(object, fields, instance, &field, &problem);
	cJSON_Delete(object);
	if (r == 0)
		r = lifecycle_find(instance->state_name);
	if (r >= 0 && message->passed.n_fds != 1)
		r = -EBADMSG;
	if (r >= 0) {
		instance->state = (enum lifecycle_state)r;
		instance->notify_fd = message->passed.fds[0];
		message->passed.n_fds = 0;
		free(instance->state_name);
		instance->state_name = NULL;
		r = watch_notify(instance);
	}
	if (r < 0) {
		if (instance)
			release(instance);
		return r;
	}
	TAILQ_INSERT_TAIL(&actor->instances, instance, entries);
	return 0;
}

int instance_adopt_process(struct instance *instance, struct keep_message *message)
{
	const char *field;
	enum json_problem problem;
	cJSON *object = NULL;
	int r = json_parse(message->bytes, message->n_bytes, &object);

	if (r == 0)
		r = json_decode(object, process_fields, instance, &field, &problem);
	cJSON_Delete(object);
	if (r == 0 && message->passed.n_fds != 1)
		r = -EBADMSG;
	if (r < 0)
		return r;
	instance->pidfd = message->passed.fds[0];
	message->passed.n_fds = 0;
	instance->held_exit = message->number;
	return 0;
}

void instance_resume(struct instance *instance)
{
	if (instance->held_exit) {
		instance_tell_exited(instance, instance->held_exit);
		return;
	}
	if (instance->pidfd >= 0 && watch_exit(instance) < 0)
		log_error("%s: cannot watch its process", instance->name);
	if (lifecycle_is_alive(instance->state) && instance->pidfd < 0) {
		/* The former supervisor ended between deciding and doing. */
		replace_text(&instance->last_exit, "was not started");
		handle(instance, LIFECYCLE_EXITED);
		return;
	}
	arm_state(instance);
	if (instance->state == LIFECYCLE_READY)
		instance->ready_usec = supervisor_now(supervisor_of(instance));
	if (instance->state == LIFECYCLE_DRAINING)
		effect_drain(instance);
	else if (instance_is_serving(instance)) {
		if (instance->actor->is_builtin)
			tell_news(instance);
		routing_sync(instance);
	}
}
