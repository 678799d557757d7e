#include <errno.h>
#include <limits.h>
#include <signal.h>
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
#include "daemon/supervisor/reload-command.h"
#include "proto/descriptor.h"

#define SHELL "/bin/sh"

struct reload_command {
	struct instance *instance; /* NULL: nobody wants to know how it ends */
	pid_t pid;
	int pidfd, gate_fd;
	sd_event_source *on_exit;
};

static void release(struct reload_command *command)
{
	sd_event_source_disable_unref(command->on_exit);
	descriptor_close(&command->pidfd);
	descriptor_close(&command->gate_fd);
	free(command);
}

/* As the actor itself, but for what only its own process is told. */
static struct spec make_spec(const struct instance *instance, char **words)
{
	struct spec spec = instance->actor->spec;

	spec.command = words;
	spec.fd_env = NULL;
	spec.watchdog_usec = 0;
	return spec;
}

/* Its end. */

/* What was wrong with it, for a person; "" when nothing was. */
static void describe_end(
	const struct reload_command *command, const siginfo_t *info, char text[static 512])
{
	char shell[] = SHELL, *words[] = {shell, NULL};
	struct spec spec = make_spec(command->instance, words);
	struct process_failure failure;
	char what[512];

	text[0] = 0;
	if (process_read_failure(command->gate_fd, &failure)) {
		process_describe_failure(&failure, &spec, what);
		(void)snprintf(text, 512, "its reload command %.480s", what);
	} else if (info->si_code == 0)
		(void)snprintf(text, 512, "nobody saw how its reload command ended");
	else if (info->si_code != CLD_EXITED)
		(void)snprintf(text, 512, "its reload command was killed by SIG%s",
			sigabbrev_np(info->si_status));
	else if (info->si_status != 0)
		(void)snprintf(
			text, 512, "its reload command exited with status %d", info->si_status);
}

static int on_exit_event(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct reload_command *command = userdata;
	siginfo_t info = {0};
	char text[512];

	(void)source;
	(void)events;
	(void)waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG);
	if (command->instance) {
		describe_end(command, &info, text);
		reload_on_command_ended(command->instance, text[0] ? text : NULL);
	}
	release(command);
	return 0;
}

/* As long as it has not been waited for its number, and its group's, is nobody else's. */
void reload_command_kill(struct reload_command *command)
{
	(void)pidfd_send_signal(command->pidfd, SIGKILL, NULL, 0);
	(void)kill(-command->pid, SIGKILL);
}

struct reload_command *reload_command_abandon(struct reload_command *command)
{
	if (command) {
		command->instance = NULL;
		reload_command_kill(command);
	}
	return NULL;
}

/* Its start. */

static int prepare(struct instance *instance, struct process_plan *plan,
	struct confinement *confinement, char path[static PATH_MAX], char reason[static 512])
{
	struct supervisor *supervisor = instance->actor->supervisor;
	const char *parameter;
	int r = confinement_prepare(plan->spec, confinement, &parameter, reason);

	if (r == -EINVAL)
		return r;
	if (r == 0)
		r = notify_path(supervisor->runtime, instance->name, path);
	if (r == 0)
		r = output_open(supervisor->output, instance->name, &plan->output_fd);
	if (r < 0)
		(void)snprintf(reason, 512, "%s", strerror(-r));
	return r;
}

static int fork_command(struct reload_command *command, char reason[static 512])
{
	struct instance *instance = command->instance;
	char shell[] = SHELL, option[] = "-c";
	char *words[] = {shell, option, instance->actor->spec.reload_command, NULL};
	_cleanup_confinement_ struct confinement confinement = {0};
	struct spec spec = make_spec(instance, words);
	char path[PATH_MAX];
	struct process_plan plan = {.spec = &spec,
		.lifeline_fd = -1,
		.command = words,
		.confinement = &confinement,
		.instance = instance->name,
		.runtime = instance->actor->supervisor->runtime,
		.notify_path = path,
		.output_fd = -1,
		.main_pid = instance->process.pid,
		.fd_names = ""};
	int r = prepare(instance, &plan, &confinement, path, reason);

	if (r == 0) {
		r = process_fork(&plan, &command->pid, &command->pidfd, &command->gate_fd);
		if (r < 0)
			(void)snprintf(reason, 512, "%s", strerror(-r));
	}
	descriptor_close(&plan.output_fd);
	return r;
}

/* Behind its gate it has done nothing yet. Where the gate does not open it ends by itself, and is
 * waited for as any other. */
static int watch(struct reload_command *command, char reason[static 512])
{
	int r = sd_event_add_io(command->instance->actor->supervisor->event, &command->on_exit,
		command->pidfd, EPOLLIN, on_exit_event, command);

	if (r < 0) {
		(void)snprintf(reason, 512, "%s", strerror(-r));
		descriptor_close(&command->gate_fd);
		(void)waitid(P_PIDFD, (id_t)command->pidfd, &(siginfo_t){0}, WEXITED);
		return r;
	}
	if (process_open_gate(command->gate_fd) < 0)
		descriptor_close(&command->gate_fd);
	return 0;
}

int reload_command_start(
	struct instance *instance, char ret_reason[static 512], struct reload_command **ret_command)
{
	struct reload_command *command = calloc(1, sizeof(*command));
	int r;

	if (!command) {
		(void)snprintf(ret_reason, 512, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	command->instance = instance;
	command->pidfd = command->gate_fd = -1;
	r = fork_command(command, ret_reason);
	if (r == 0)
		r = watch(command, ret_reason);
	if (r < 0) {
		release(command);
		return r;
	}
	*ret_command = command;
	return 0;
}
