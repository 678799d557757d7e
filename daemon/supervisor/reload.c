#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/reload-command.h"
#include "daemon/supervisor/reload.h"
#include "daemon/supervisor/requests.h"
#include "daemon/supervisor/signal-name.h"

void reload_init(struct reload *reload)
{
	*reload = (struct reload){0};
}

static void stop_waiting(struct reload *reload)
{
	reload->waits_for_word = reload->has_begun = false;
	reload->timer = sd_event_source_disable_unref(reload->timer);
}

void reload_done(struct reload *reload)
{
	stop_waiting(reload);
	reload->command = reload_command_abandon(reload->command);
	free(reload->failure);
	reload->failure = NULL;
}

/* What is said first is why: a command that is killed for it has its own end to tell. */
static void fail(struct instance *instance, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void fail(struct instance *instance, const char *format, ...)
{
	struct reload *reload = &instance->reload;
	va_list arguments;

	stop_waiting(reload);
	if (reload->command)
		reload_command_kill(reload->command);
	if (reload->failure)
		return;
	va_start(arguments, format);
	if (vasprintf(&reload->failure, format, arguments) < 0)
		reload->failure = NULL;
	va_end(arguments);
}

bool reload_is_pending(const struct instance *instance)
{
	return instance->reload.command || instance->reload.waits_for_word;
}

const struct instance *reload_find_pending(const struct actor *actor)
{
	const struct instance *instance;

	TAILQ_FOREACH(instance, &actor->instances, entries)
		if (reload_is_pending(instance))
			return instance;
	return NULL;
}

static void check(struct instance *instance)
{
	if (reload_is_pending(instance))
		return;
	stop_waiting(&instance->reload);
	requests_check(instance->actor->supervisor);
}

void reload_on_command_ended(struct instance *instance, const char *failure)
{
	instance->reload.command = NULL;
	if (failure)
		fail(instance, "%s", failure);
	check(instance);
}

/* The signal. */

/* Would the signal not just end it? By what the kernel says of signals that are caught, ignored or
 * blocked (for signalfd(2)). */
static bool handles(int64_t pid, int number)
{
	static const char *const sets[] = {"SigBlk:", "SigIgn:", "SigCgt:"};
	char path[64], line[256];
	uint64_t all = 0, set;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%" PRIi64 "/status", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (fgets(line, sizeof(line), file))
		for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++)
			if (strncmp(line, sets[i], strlen(sets[i])) == 0 &&
				sscanf(line + strlen(sets[i]), "%" SCNx64, &set) == 1)
				all |= set;
	(void)fclose(file);
	return all >> (number - 1) & 1;
}

static void send_signal(struct instance *instance)
{
	const char *name = instance->actor->spec.reload_signal;
	int number = signal_name_find(name);

	if (!handles(instance->process.pid, number))
		fail(instance,
			"it does not handle %s, which would end it; name the signal that has it read its "
			"configuration again (--reload-signal), or a command (--reload-command)",
			name);
	else if (pidfd_send_signal(instance->process.pidfd, number, NULL, 0) < 0)
		fail(instance, "it cannot be sent %s: %s", name, strerror(errno));
}

/* Waiting. */

static int on_late(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct instance *instance = userdata;
	int64_t seconds = instance->actor->spec.start_usec / 1000000;

	(void)source;
	(void)usec;
	if (instance->reload.command)
		fail(instance, "its reload command did not end within %" PRIi64 " s", seconds);
	else
		fail(instance, "it did not say RELOADING=1 and READY=1 within %" PRIi64 " s",
			seconds);
	check(instance);
	return 0;
}

static void begin(struct instance *instance)
{
	const struct spec *spec = &instance->actor->spec;
	struct reload *reload = &instance->reload;
	struct timespec now;
	char reason[512];

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	reload->asked_usec = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
	reload->waits_for_word = spec->reload_notify;
	if (!spec->reload_command)
		send_signal(instance);
	else if (reload_command_start(instance, reason, &reload->command) < 0)
		fail(instance, "its reload command cannot be started: %s", reason);
	if (reload_is_pending(instance))
		(void)sd_event_add_time_relative(instance->actor->supervisor->event, &reload->timer,
			CLOCK_MONOTONIC, (uint64_t)spec->start_usec, 1, on_late, instance);
}

bool reload_begin(struct actor *actor)
{
	struct instance *instance;
	bool is_any = false;

	TAILQ_FOREACH(instance, &actor->instances, entries) {
		free(instance->reload.failure);
		instance->reload.failure = NULL;
		if (instance->state != LIFECYCLE_READY)
			continue;
		begin(instance);
		is_any = true;
	}
	return is_any;
}

void reload_on_reloading(struct instance *instance, int64_t usec)
{
	if (instance->reload.waits_for_word && usec >= instance->reload.asked_usec)
		instance->reload.has_begun = true;
}

void reload_on_ready(struct instance *instance)
{
	if (!instance->reload.has_begun)
		return;
	instance->reload.has_begun = instance->reload.waits_for_word = false;
	check(instance);
}

void reload_on_end(struct instance *instance)
{
	if (!reload_is_pending(instance))
		return;
	fail(instance, "it ended meanwhile");
	check(instance);
}
