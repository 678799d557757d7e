#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/builtin.h"
#include "daemon/supervisor/instance-life.h"
#include "daemon/supervisor/instance-notice.h"
#include "daemon/supervisor/instance-timer.h"
#include "daemon/supervisor/instance.h"
#include "daemon/supervisor/listener-notice.h"
#include "daemon/supervisor/log.h"
#include "daemon/supervisor/notify.h"
#include "daemon/supervisor/stored.h"
#include "proto/descriptor.h"
#include "proto/json.h"

/* A descriptor that comes with one counts as one more. */
#define NOTIFICATIONS_A_TURN 16
/* So many have all that may wait in a socket. */
#define TURNS_MAX 64
/* A status is for a table, not for storage at our cost. */
#define STATUS_CHARS 200
#define TIME_MAX_USEC UINT64_C(86400000000)

/* What it cannot have. */
enum refusal {
	REFUSAL_MAIN_PID,
	REFUSAL_FULL,
	REFUSAL_NAME,
	REFUSAL_SERVED,
	REFUSAL_LOST,
	REFUSAL_OTHER,
};

static const char *const refusals[] = {
	[REFUSAL_MAIN_PID] = "MAINPID= is refused: the process that inkod started is the one",
	[REFUSAL_FULL] = "FDSTORE=1 is refused: there is no room for more descriptors",
	[REFUSAL_NAME] = "FDNAME= is refused: a name has 1 to 255 printable characters and no ':'",
	[REFUSAL_SERVED] =
		"FDSTORE=1 is refused: to close a file that a program (FUSE) or another host "
		"serves may take for ever",
	[REFUSAL_LOST] = "FDSTORE=1 is refused: its descriptors could not be received",
	[REFUSAL_OTHER] = "what it said for %s is refused: an instance speaks for itself alone",
};

/* Once for each of them in the life of its process. */
static void refuse(struct instance *instance, enum refusal refusal, ...)
{
	unsigned int bit = 1u << refusal;
	va_list arguments;

	if (instance->refusals & bit)
		return;
	instance->refusals |= bit;
	free(instance->refused);
	va_start(arguments, refusal);
	if (vasprintf(&instance->refused, refusals[refusal], arguments) < 0)
		instance->refused = NULL;
	va_end(arguments);
	instance_update(instance);
	log_warning("%s: %s", instance->name, instance->refused ?: refusals[refusal]);
}

void instance_notice_forget(struct instance *instance)
{
	free(instance->status);
	free(instance->refused);
	instance->status = instance->refused = NULL;
	instance->refusals = 0;
	instance->is_reloading = false;
}

/* Each is called with what stands behind VARIABLE=, and with all that was said with it. */

/* Who started it knows its main process: it is the one whose end is its end. */
static void on_main_pid(
	struct instance *instance, struct notification *notification, const char *value)
{
	(void)notification;
	if (strtoll(value, NULL, 10) != instance->process.pid)
		refuse(instance, REFUSAL_MAIN_PID);
}

static void on_store_remove(
	struct instance *instance, struct notification *notification, const char *value)
{
	const char *name = notification_find(notification, "FDNAME");

	(void)value;
	if (name)
		stored_remove(instance, name);
}

static void on_store(
	struct instance *instance, struct notification *notification, const char *value)
{
	const char *name = notification_find(notification, "FDNAME");
	const char *polls = notification_find(notification, "FDPOLL");
	struct passed *passed = &notification->passed;

	(void)value;
	if (passed->truncated)
		refuse(instance, REFUSAL_LOST);
	for (size_t i = 0; i < passed->n_fds; i++) {
		int r = stored_add(instance, &passed->fds[i], name ?: STORED_DEFAULT_NAME,
			polls && strcmp(polls, "0") == 0);

		if (r == -EINVAL)
			refuse(instance, REFUSAL_NAME);
		else if (r == -EREMOTE)
			refuse(instance, REFUSAL_SERVED);
		/* It was fit to be stored, and so is fit to be closed. */
		else if (r == -EEXIST)
			descriptor_close(&passed->fds[i]);
		else if (r < 0)
			refuse(instance, REFUSAL_FULL);
		/* One full store says enough of those that follow. */
		if (r < 0 && r != -EEXIST)
			break;
	}
}

static void on_reloading(
	struct instance *instance, struct notification *notification, const char *value)
{
	const char *when = notification_find(notification, "MONOTONIC_USEC");

	(void)value;
	instance_on_reloading(instance, true);
	reload_on_reloading(instance, when ? strtoll(when, NULL, 10) : 0);
}

static void on_ready(
	struct instance *instance, struct notification *notification, const char *value)
{
	(void)notification;
	(void)value;
	instance_on_reloading(instance, false);
	instance_on_event(instance, LIFECYCLE_NOTIFIED);
	reload_on_ready(instance);
}

static void on_watchdog(
	struct instance *instance, struct notification *notification, const char *value)
{
	(void)notification;
	if (strcmp(value, "1") == 0)
		instance_timer_on_alive(instance);
	else if (strcmp(value, "trigger") == 0)
		instance_on_hung(instance);
}

/* Microseconds, none of which is more than a day: that is a slip, or as good as for ever. */
static bool parse_usec(const char *text, int64_t *ret_usec)
{
	unsigned long long usec;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	usec = strtoull(text, &end, 10);
	*ret_usec = usec < TIME_MAX_USEC ? (int64_t)usec : (int64_t)TIME_MAX_USEC;
	return !*end;
}

static void on_watchdog_usec(
	struct instance *instance, struct notification *notification, const char *value)
{
	int64_t usec;

	(void)notification;
	if (parse_usec(value, &usec))
		instance_timer_set_watchdog(instance, usec);
}

static void on_extend(
	struct instance *instance, struct notification *notification, const char *value)
{
	int64_t usec;

	(void)notification;
	if (parse_usec(value, &usec))
		instance_timer_extend(instance, usec);
}

static void on_stopping(
	struct instance *instance, struct notification *notification, const char *value)
{
	(void)notification;
	(void)value;
	instance_on_reloading(instance, false);
	instance_on_event(instance, LIFECYCLE_STOPPING);
}

static void on_status(
	struct instance *instance, struct notification *notification, const char *value)
{
	(void)notification;
	free(instance->status);
	instance->status = strndup(value, STATUS_CHARS);
	if (instance->status)
		json_clean(instance->status);
	instance_update(instance);
}

/* What was stored is held before it is ready. */
static const struct {
	const char *variable, *value; /* NULL: any */
	void (*handle)(
		struct instance *instance, struct notification *notification, const char *value);
} statements[] = {
	{"MAINPID", NULL, on_main_pid},
	{"FDSTOREREMOVE", "1", on_store_remove},
	{"FDSTORE", "1", on_store},
	{"RELOADING", "1", on_reloading},
	{"READY", "1", on_ready},
	{"STOPPING", "1", on_stopping},
	{"EXTEND_TIMEOUT_USEC", NULL, on_extend},
	{"WATCHDOG_USEC", NULL, on_watchdog_usec},
	{"WATCHDOG", NULL, on_watchdog},
	{"STATUS", NULL, on_status},
};

static void hear_builtin(struct instance *instance, const struct notification *notification)
{
	const char *line = NULL;

	while ((line = notification_next_line(notification, line))) {
		builtin_on_notified(instance, line);
		listener_notice_read(instance->actor->supervisor, line);
	}
}

/* Who sent it. */

/* An instance leads a session and a group of its own. */
static bool owns(const struct instance *instance, pid_t group, pid_t session)
{
	int64_t pid = instance->process.pid;

	return pid > 0 && (pid == group || pid == session);
}

/* Another instance that sent what came in on instance's socket. A process that left its session, as
 * a child of instance may, or has ended, is not known to be another's. */
static struct instance *find_other(const struct instance *instance, pid_t sender)
{
	pid_t group = sender > 0 ? getpgid(sender) : -1, session = sender > 0 ? getsid(sender) : -1;
	struct actor *actor;
	struct instance *other;

	if (sender <= 0 || owns(instance, group, session))
		return NULL;
	TAILQ_FOREACH(actor, &instance->actor->supervisor->actors, entries)
		TAILQ_FOREACH(other, &actor->instances, entries)
			if (owns(other, group, session))
				return other;
	return NULL;
}

static void on_notification(void *context, struct notification *notification)
{
	struct instance *instance = context;
	struct instance *other = find_other(instance, notification->sender);

	instance->notice_credit -= 1 + (int)notification->passed.n_fds;
	if (other) {
		refuse(other, REFUSAL_OTHER, instance->name);
		return;
	}
	for (size_t i = 0; i < sizeof(statements) / sizeof(*statements); i++) {
		const char *wanted = statements[i].value;
		const char *value = notification_find(notification, statements[i].variable);

		if (value && (!wanted || strcmp(value, wanted) == 0))
			statements[i].handle(instance, notification, value);
	}
	if (instance->actor->is_builtin)
		hear_builtin(instance, notification);
}

void instance_notice_adopt(struct instance *instance, const struct keep_message *message)
{
	struct notification notification;

	notification_read(&notification, message->bytes, message->n_bytes, (pid_t)message->number);
	on_notification(instance, &notification);
}

static int on_discarded(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct instance *instance = userdata;

	(void)source;
	(void)fd;
	(void)events;
	instance->on_discarded = sd_event_source_disable_unref(instance->on_discarded);
	(void)sd_event_source_set_enabled(instance->on_notify, SD_EVENT_ON);
	return 0;
}

/* Nothing else of it is heard before that: who sends what takes long to close waits for itself. */
static void wait_until_discarded(struct instance *instance, int *take_done_fd)
{
	if (sd_event_add_io(instance->actor->supervisor->event, &instance->on_discarded,
		    *take_done_fd, EPOLLHUP, on_discarded, instance) < 0) {
		descriptor_close(take_done_fd);
		return;
	}
	(void)sd_event_source_set_io_fd_own(instance->on_discarded, true);
	*take_done_fd = -1;
	(void)sd_event_source_set_enabled(instance->on_notify, SD_EVENT_OFF);
}

/* May there be more? */
static bool take_turn(struct instance *instance)
{
	bool has_more = true;
	int done_fd = -1;

	/* What one turn took too much the next ones have less. */
	instance->notice_credit += NOTIFICATIONS_A_TURN;
	if (instance->notice_credit > NOTIFICATIONS_A_TURN)
		instance->notice_credit = NOTIFICATIONS_A_TURN;
	while (instance->notice_credit > 0 && done_fd < 0 && has_more)
		has_more =
			notify_dispatch(instance->notify_fd, on_notification, instance, &done_fd);
	if (done_fd >= 0)
		wait_until_discarded(instance, &done_fd);
	return has_more;
}

static int on_notify(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	(void)source;
	(void)fd;
	(void)events;
	(void)take_turn(userdata);
	return 0;
}

void instance_notice_hear(struct instance *instance)
{
	bool has_more = true;

	/* It is off while that which was heard last is in the way of the rest. */
	for (int i = 0; i < TURNS_MAX && has_more &&
			sd_event_source_get_enabled(instance->on_notify, NULL) > 0;
		i++)
		has_more = take_turn(instance);
}

int instance_notice_watch(struct instance *instance)
{
	/* A former supervisor that opened it may not have asked. */
	int r = notify_ask_for_senders(instance->notify_fd);

	if (r == 0)
		r = sd_event_add_io(instance->actor->supervisor->event, &instance->on_notify,
			instance->notify_fd, EPOLLIN, on_notify, instance);
	/* One that notifies without end is read a few hundred times a second, and the kernel
	 * makes it wait. */
	return r < 0 ? r : sd_event_source_set_ratelimit(instance->on_notify, 100000, 50);
}
