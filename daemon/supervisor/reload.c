#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/confinement.h"
#include "daemon/supervisor/notify.h"
#include "daemon/supervisor/output.h"
#include "daemon/supervisor/process.h"
#include "daemon/supervisor/reload.h"
#include "daemon/supervisor/requests.h"
#include "daemon/supervisor/signal-name.h"
#include "proto/descriptor.h"

void reload_init(struct reload *reload)
{
	*reload = (struct reload){.pidfd = -1};
}

static void stop_waiting(struct reload *reload)
{
	reload->waits_for_command = reload->waits_for_word = reload->has_begun = false;
	reload->on_exit = sd_event_source_disable_unref(reload->on_exit);
	reload->timer = sd_event_source_disable_unref(reload->timer);
	descriptor_close(&reload->pidfd);
}

void reload_done(struct reload *reload)
{
	stop_waiting(reload);
	free(reload->failure);
	reload->failure = NULL;
}

static void fail(struct instance *instance, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void fail(struct instance *instance, const char *format, ...)
{
	struct reload *reload = &instance->reload;
	va_list arguments;

	stop_waiting(reload);
	free(reload->failure);
	va_start(arguments, format);
	if (vasprintf(&reload->failure, format, arguments) < 0)
		reload->failure = NULL;
	va_end(arguments);
}

bool reload_is_pending(const struct instance *instance)
{
	return instance->reload.waits_for_command || instance->reload.waits_for_word;
}

static void check(struct instance *instance)
{
	if (reload_is_pending(instance))
		return;
	stop_waiting(&instance->reload);
	requests_check(instance->actor->supervisor);
}

/* The command. */

static int on_exit_event(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct instance *instance = userdata;
	siginfo_t info = {0};

	(void)source;
	(void)events;
	if (waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG) < 0)
		fail(instance, "nobody saw how its reload command ended");
	else if (info.si_code != CLD_EXITED)
		fail(instance, "its reload command was killed by SIG%s",
			sigabbrev_np(info.si_status));
	else if (info.si_status != 0)
		fail(instance, "its reload command exited with status %d", info.si_status);
	instance->reload.on_exit = sd_event_source_disable_unref(instance->reload.on_exit);
	instance->reload.waits_for_command = false;
	check(instance);
	return 0;
}

/* As the actor itself, beside it and with its output. */
static int fork_command(struct instance *instance, struct process_plan *plan, pid_t *ret_pid)
{
	struct reload *reload = &instance->reload;
	_cleanup_close_ int gate_fd = -1;
	int r = process_fork(plan, ret_pid, &reload->pidfd, &gate_fd);

	return r < 0 ? r : process_open_gate(gate_fd);
}

static int start_command(struct instance *instance)
{
	struct supervisor *supervisor = instance->actor->supervisor;
	char shell[] = "/bin/sh", option[] = "-c";
	char *command[] = {shell, option, instance->actor->spec.reload_command, NULL};
	_cleanup_confinement_ struct confinement confinement = {0};
	struct spec spec = instance->actor->spec;
	_cleanup_close_ int output_fd = -1;
	char path[PATH_MAX], reason[512];
	const char *parameter;
	struct process_plan plan = {.spec = &spec,
		.command = command,
		.confinement = &confinement,
		.instance = instance->name,
		.runtime = supervisor->runtime,
		.notify_path = path,
		.main_pid = instance->process.pid,
		.fd_names = ""};
	pid_t pid;
	int r = confinement_prepare(&spec, &confinement, &parameter, reason);

	spec.fd_env = NULL;
	spec.watchdog_usec = 0;
	if (r == 0)
		r = notify_path(supervisor->runtime, instance->name, path);
	if (r == 0)
		r = output_open(supervisor->output, instance->name, &output_fd);
	plan.output_fd = output_fd;
	return r < 0 ? r : fork_command(instance, &plan, &pid);
}

static void run_command(struct instance *instance)
{
	struct reload *reload = &instance->reload;
	int r = start_command(instance);

	if (r == 0)
		r = sd_event_add_io(instance->actor->supervisor->event, &reload->on_exit,
			reload->pidfd, EPOLLIN, on_exit_event, instance);
	if (r < 0)
		fail(instance, "its reload command cannot be started: %s", strerror(-r));
	else
		reload->waits_for_command = true;
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
		fail(instance, "it does not handle %s, which would end it", name);
	else if (pidfd_send_signal(instance->process.pidfd, number, NULL, 0) < 0)
		fail(instance, "it cannot be sent %s: %s", name, strerror(errno));
}

/* Waiting. */

static int on_late(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct instance *instance = userdata;
	struct reload *reload = &instance->reload;
	int64_t seconds = instance->actor->spec.start_usec / 1000000;

	(void)source;
	(void)usec;
	if (reload->waits_for_command) {
		(void)pidfd_send_signal(reload->pidfd, SIGKILL, NULL, 0);
		(void)waitid(P_PIDFD, (id_t)reload->pidfd, &(siginfo_t){0}, WEXITED);
		fail(instance, "its reload command did not end within %" PRIi64 " s", seconds);
	} else {
		fail(instance, "it did not say RELOADING=1 and READY=1 within %" PRIi64 " s",
			seconds);
	}
	check(instance);
	return 0;
}

void reload_begin(struct instance *instance)
{
	const struct spec *spec = &instance->actor->spec;
	struct reload *reload = &instance->reload;
	struct timespec now;

	reload_done(reload);
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	reload->asked_usec = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
	reload->waits_for_word = spec->reload_notify;
	if (spec->reload_command)
		run_command(instance);
	else
		send_signal(instance);
	if (reload_is_pending(instance))
		(void)sd_event_add_time_relative(instance->actor->supervisor->event, &reload->timer,
			CLOCK_MONOTONIC, (uint64_t)spec->start_usec, 1, on_late, instance);
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
