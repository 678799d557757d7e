#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/adapter.h"
#include "daemon/supervisor/holding.h"
#include "daemon/supervisor/instance-life.h"
#include "daemon/supervisor/instance-process.h"
#include "daemon/supervisor/instance-state.h"
#include "daemon/supervisor/instance-timer.h"
#include "daemon/supervisor/leftovers.h"
#include "daemon/supervisor/log.h"
#include "daemon/supervisor/notify.h"
#include "daemon/supervisor/output.h"
#include "daemon/supervisor/process-info.h"
#include "daemon/supervisor/process.h"
#include "daemon/supervisor/routing.h"
#include "proto/descriptor.h"

/* How long the keeper may take to tell how a process ended that is not our child. */
#define KEEPER_USEC UINT64_C(1000000)
#define ASK_USEC UINT64_C(5000)

static const struct json_field fields[] = {
	JSON_FIELD_INTEGER(instance_process, "pid", pid, true, 1, INT32_MAX),
	JSON_FIELD_INTEGER(instance_process, "mark", mark, false, 0, JSON_INTEGER_MAX),
	JSON_FIELD(instance_process, "gated", JSON_BOOLEAN, is_gated, false),
	JSON_FIELDS_END,
};

static const char *key_of(const struct instance *instance, char key[static LIMIT_KEY_CHARS])
{
	(void)snprintf(key, LIMIT_KEY_CHARS, INSTANCE_PROCESS_KEY "%s", instance->name);
	return key;
}

void instance_process_init(struct instance_process *process)
{
	process->pidfd = process->gate_fd = -1;
}

void instance_process_done(struct instance_process *process)
{
	process->on_exit = sd_event_source_disable_unref(process->on_exit);
	descriptor_close(&process->pidfd);
	descriptor_close(&process->gate_fd);
}

/* How it ended, for a person. */

static void note_exit(struct instance *instance, int code, int status)
{
	struct process_failure failure;
	const char *name = sigabbrev_np(status);
	char text[512];

	if (process_read_failure(instance->process.gate_fd, &failure)) {
		instance->never_ran = true;
		process_describe_failure(&failure, &instance->actor->spec, text);
		instance_set_last_exit(instance, "%s", text);
	} else if (instance->is_late)
		instance_set_last_exit(instance,
			"was not ready within %" PRIi64 " s, and was killed",
			instance->actor->spec.start_usec / 1000000);
	else if (instance->has_triggered)
		instance_set_last_exit(instance, "said WATCHDOG=trigger, and was killed");
	else if (instance->is_hung)
		instance_set_last_exit(instance,
			"did not say WATCHDOG=1 within %" PRIi64 " ms, and was killed",
			instance_timer_get_watchdog(instance) / 1000);
	else if (instance->state == LIFECYCLE_KILLING)
		instance_set_last_exit(instance,
			"killed by SIGKILL, as it did not end within %" PRIi64 " ms of %s",
			instance->actor->spec.stop_usec / 1000, instance->actor->spec.stop_signal);
	else if (code == CLD_EXITED)
		instance_set_last_exit(instance, "exited with status %d", status);
	else if (code == CLD_KILLED || code == CLD_DUMPED)
		instance_set_last_exit(instance, "killed by SIG%s", name ? name : "?");
	else if (instance_is_ending(instance))
		instance_set_last_exit(instance, "was stopped; with which status nobody saw");
	else
		instance_set_last_exit(instance, "ended, nobody saw how");
}

/* Its end. */

/* As systemd has it: who ends by one of these was asked to. */
static bool is_clean_end(const struct instance *instance, int code, int status)
{
	if (instance->is_late || instance->is_hung)
		return false;
	if (code == CLD_EXITED)
		return status == 0;
	return code == CLD_KILLED &&
	       (status == SIGHUP || status == SIGINT || status == SIGTERM || status == SIGPIPE);
}

/* Reaped only now: of a supervisor that dies before its end is noted the keeper gets the child, and
 * tells how it ended. */
void instance_process_forget(struct instance *instance)
{
	char key[LIMIT_KEY_CHARS];

	if (instance->process.pidfd >= 0)
		(void)waitid(
			P_PIDFD, (id_t)instance->process.pidfd, &(siginfo_t){0}, WEXITED | WNOHANG);
	instance_process_done(&instance->process);
	instance->process.pid = instance->process.collector = 0;
	holding_drop(instance->actor->supervisor->holding, key_of(instance, key));
}

/* Is this how a process ends whose supervisor died before it opened the gate? */
static bool is_unstarted(const struct instance *instance, int code, int status)
{
	return instance->process.is_gated && instance->process.gate_fd < 0 &&
	       !instance->was_ready && code == CLD_EXITED && status == EXIT_FAILURE;
}

static size_t collect_pids(const struct supervisor *supervisor, pid_t *pids)
{
	const struct actor *actor;
	const struct instance *instance;
	size_t n = 0;

	TAILQ_FOREACH(actor, &supervisor->actors, entries)
		TAILQ_FOREACH(instance, &actor->instances, entries) {
			if (pids)
				pids[n] = (pid_t)instance->process.pid;
			n++;
		}
	return n;
}

/* It says so where it is told how it ended: a daemon that put itself into the background is no
 * actor. */
static void kill_leftovers(struct instance *instance)
{
	const struct supervisor *supervisor = instance->actor->supervisor;
	size_t n = collect_pids(supervisor, NULL);
	_cleanup_free_ pid_t *pids = reallocarray(NULL, n, sizeof(*pids));
	struct leftovers_known known = {.pids = pids, .n = n};
	const struct leftovers_collectors collectors = {
		.keeper = holding_peek_keeper(supervisor->holding)->pid,
		.own = instance->process.collector};
	_cleanup_free_ char *how = NULL;
	unsigned int left;

	if (!pids)
		return;
	(void)collect_pids(supervisor, pids);
	left = leftovers_kill(
		instance->process.mark, (pid_t)instance->process.pid, &collectors, &known);
	if (left == 0)
		return;
	how = strdup(instance->last_exit ? instance->last_exit : "ended");
	instance_set_last_exit(instance,
		"%s, and left %u process%s behind, which %s killed: a program must stay in the "
		"foreground",
		how ? how : "ended", left, left == 1 ? "" : "es", left == 1 ? "was" : "were");
}

static void on_ended(struct instance *instance, int code, int status)
{
	if (is_unstarted(instance, code, status)) {
		instance_process_forget(instance);
		instance_on_unstarted(instance);
		return;
	}
	note_exit(instance, code, status);
	kill_leftovers(instance);
	if (!instance_is_ending(instance))
		log_warning("%s (pid %" PRIi64 ") %s", instance->name, instance->process.pid,
			instance->last_exit ? instance->last_exit : "ended");
	instance_on_ended(instance, is_clean_end(instance, code, status));
}

/* A former supervisor's child: the kernel tells, or the keeper does, which is its parent unless a
 * former keeper was. */
static int on_unknown_end(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct instance *instance = userdata;
	struct instance_process *process = &instance->process;
	int code = 0, status = 0;
	int r = process_info_read_exit(process->pidfd, (pid_t)process->pid, &code, &status);

	(void)source;
	(void)usec;
	if (r < 0 && process->asked_usec < KEEPER_USEC) {
		process->asked_usec += ASK_USEC;
		(void)sd_event_source_set_time_relative(process->on_exit, ASK_USEC);
		(void)sd_event_source_set_enabled(process->on_exit, SD_EVENT_ONESHOT);
		return 0;
	}
	on_ended(instance, code, status);
	return 0;
}

static int on_exit_event(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct instance *instance = userdata;
	siginfo_t info = {0};

	(void)events;
	/* What it started and left behind may hold its lanes. */
	instance_process_kill(instance);
	if (waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG | WNOWAIT) == 0) {
		on_ended(instance, info.si_code, info.si_status);
		return 0;
	}
	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	instance->process.on_exit = sd_event_source_disable_unref(instance->process.on_exit);
	instance->process.asked_usec = 0;
	(void)sd_event_add_time_relative(instance->actor->supervisor->event,
		&instance->process.on_exit, CLOCK_MONOTONIC, 0, 1, on_unknown_end, instance);
	return 0;
}

void instance_process_tell_exited(struct instance *instance, uint32_t status)
{
	struct pollfd ended = {.fd = instance->process.pidfd, .events = POLLIN};

	/* What the keeper says may be of a former process, whose end was known here before. */
	if (instance->process.pidfd >= 0 && poll(&ended, 1, 0) == 1)
		on_ended(instance, (int)(status >> 8 & 0xff), (int)(status & 0xff));
}

/* The group's number is nobody else's as long as its leader can be signalled, be it a zombie. */
void instance_process_kill(struct instance *instance)
{
	const struct instance_process *process = &instance->process;

	if (process->pidfd >= 0 && pidfd_send_signal(process->pidfd, SIGKILL, NULL, 0) == 0)
		(void)kill(-(pid_t)process->pid, SIGKILL);
}

/* Its start. */

static int watch_exit(struct instance *instance)
{
	return sd_event_add_io(instance->actor->supervisor->event, &instance->process.on_exit,
		instance->process.pidfd, EPOLLIN, on_exit_event, instance);
}

void instance_process_put(struct instance *instance)
{
	char key[LIMIT_KEY_CHARS];

	if (instance->process.pidfd >= 0)
		holding_put(instance->actor->supervisor->holding, key_of(instance, key), fields,
			&instance->process, &instance->process.pidfd, 1);
}

/* Behind its closed gate it ends at once, and nobody would be told. */
static void abandon(struct instance *instance)
{
	struct instance_process *process = &instance->process;
	siginfo_t info;

	descriptor_close(&process->gate_fd);
	(void)waitid(P_PIDFD, (id_t)process->pidfd, &info, WEXITED | WNOWAIT);
	instance_process_forget(instance);
}

/* Who it is then, and its socket's owner with it, may have changed since it was spawned. */
static int prepare_confinement(
	struct instance *instance, const char *notify, struct confinement *ret_confinement)
{
	const char *parameter;
	char reason[512];
	int r = confinement_prepare(&instance->actor->spec, ret_confinement, &parameter, reason);

	if (r == -EINVAL)
		log_error("%s: %s", instance->name, reason);
	return r < 0 ? r : notify_give(notify, ret_confinement->credentials.uid);
}

/* What a process is started with, until it is. */
struct launch {
	struct process_plan plan;
	struct confinement confinement;
	struct routing_start start;
	char **command;
	char notify_path[PATH_MAX];
};

static struct launch *launch_free(struct launch *launch)
{
	if (launch) {
		descriptor_close(&launch->plan.output_fd);
		confinement_done(&launch->confinement);
		json_strings_free(launch->command);
	}
	free(launch);
	return NULL;
}

static void launch_freep(struct launch **launch)
{
	*launch = launch_free(*launch);
}
#define _cleanup_launch_ __attribute__((cleanup(launch_freep)))

static struct launch *launch_new(const struct instance *instance)
{
	struct launch *launch = calloc(1, sizeof(*launch));

	if (launch)
		launch->plan = (struct process_plan){.spec = &instance->actor->spec,
			.confinement = &launch->confinement,
			.instance = instance->name,
			.runtime = instance->actor->supervisor->runtime,
			.notify_path = launch->notify_path,
			.output_fd = -1,
			.lifeline_fd = -1,
			.fds = launch->start.fds,
			.fd_names = launch->start.names};
	return launch;
}

/* All that can fail before there is a process. */
static int prepare(struct instance *instance, struct launch *launch)
{
	struct supervisor *supervisor = instance->actor->supervisor;
	struct process_plan *plan = &launch->plan;
	int r = adapter_prepare(instance, &launch->start, &plan->n_listeners);

	if (r == 0)
		r = notify_path(supervisor->runtime, instance->name, launch->notify_path);
	if (r == 0)
		r = prepare_confinement(instance, launch->notify_path, &launch->confinement);
	if (r == 0)
		r = adapter_make_command(&instance->actor->spec, &launch->command);
	if (r == 0)
		r = output_open(supervisor->output, instance->name, &plan->output_fd);
	if (r < 0)
		return r;
	stored_give(instance, &launch->start);
	if (!adapter_has_mailbox(&instance->actor->spec))
		plan->lifeline_fd = supervisor->lifeline_fds[0];
	plan->command = launch->command;
	plan->n_fds = launch->start.n_fds;
	return 0;
}

/* Has it held and watched, and only then executed. */
static int commit(struct instance *instance)
{
	struct instance_process *process = &instance->process;
	char key[LIMIT_KEY_CHARS];
	int r;

	process->is_gated = true;
	instance_process_put(instance);
	r = watch_exit(instance);
	if (r < 0)
		return abandon(instance), r;
	r = process_open_gate(process->gate_fd);
	process->is_gated = r < 0;
	if (r == 0)
		holding_update(instance->actor->supervisor->holding, key_of(instance, key), fields,
			process);
	return r;
}

int instance_process_start(struct instance *instance)
{
	struct instance_process *process = &instance->process;
	_cleanup_launch_ struct launch *launch = launch_new(instance);
	pid_t pid;
	int r = launch ? prepare(instance, launch) : -ENOMEM;

	if (r == 0)
		launch->plan.mark = process->mark = leftovers_new_mark();
	if (r == 0)
		r = process_fork(&launch->plan, &pid, &process->pidfd, &process->gate_fd);
	if (r < 0)
		return r;
	process->pid = pid;
	return commit(instance);
}

/* After a former supervisor. */

int instance_process_adopt(struct instance *instance, struct keep_message *message)
{
	int r = holding_decode(message, fields, 1, &instance->process);

	if (r < 0)
		return r;
	instance->process.pidfd = message->passed.fds[0];
	message->passed.n_fds = 0;
	instance->process.held_exit = message->number;
	instance->process.collector =
		process_info_read_parent(instance->process.pidfd, (pid_t)instance->process.pid);
	return 0;
}

bool instance_process_resume(struct instance *instance)
{
	const struct instance_process *process = &instance->process;

	/* The former supervisor noted its end, and then died itself. */
	if (process->pidfd >= 0 && !lifecycle_is_alive(instance->state)) {
		instance_process_forget(instance);
		return true;
	}
	if (process->held_exit) {
		instance_process_tell_exited(instance, process->held_exit);
		return false;
	}
	if (process->pidfd >= 0 && watch_exit(instance) < 0)
		log_error("%s: cannot watch its process", instance->name);
	return true;
}
