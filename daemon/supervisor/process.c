#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/supervisor/environment.h"
#include "daemon/supervisor/leftovers.h"
#include "daemon/supervisor/lifeline.h"
#include "daemon/supervisor/process.h"
#include "daemon/supervisor/signal-name.h"
#include "proto/descriptor.h"
#include "proto/signals.h"

/* What is made before the fork. */
struct prepared {
	struct environment *environment;
	int *copies; /* room for one a descriptor */
	int null_fd;
};

/* Puts the descriptors where they belong and closes all others; the gate closes at exec, and the
 * lifeline stays behind it. */
static int give_descriptors(
	const struct process_plan *plan, const struct prepared *prepared, int *gate_fd)
{
	int first_free = PROCESS_LISTEN_FDS_START + (int)plan->n_fds, last = first_free;
	int null_fd = fcntl(prepared->null_fd, F_DUPFD_CLOEXEC, first_free + 2);
	int *copies = prepared->copies;
	int output_fd = fcntl(plan->output_fd, F_DUPFD_CLOEXEC, first_free + 2);
	int gate = fcntl(*gate_fd, F_DUPFD_CLOEXEC, first_free + 2);
	int lifeline = lifeline_open(
		plan->lifeline_fd, signal_name_find(plan->spec->stop_signal), first_free + 2);

	if (null_fd < 0 || output_fd < 0 || gate < 0)
		return -errno;
	/* First out of the way, then into place: a source may stand where another belongs. */
	for (size_t i = 0; i < plan->n_fds; i++) {
		copies[i] = fcntl(plan->fds[i], F_DUPFD_CLOEXEC, first_free + 2);
		if (copies[i] < 0)
			return -errno;
	}
	if (dup2(null_fd, STDIN_FILENO) < 0 || dup2(output_fd, STDOUT_FILENO) < 0 ||
		dup2(output_fd, STDERR_FILENO) < 0)
		return -errno;
	for (size_t i = 0; i < plan->n_fds; i++)
		if (dup2(copies[i], PROCESS_LISTEN_FDS_START + (int)i) < 0)
			return -errno;
	*gate_fd = first_free;
	if (dup3(gate, first_free, O_CLOEXEC) < 0)
		return -errno;
	if (lifeline >= 0 && dup2(lifeline, ++last) < 0)
		return -errno;
	return close_range((unsigned int)last + 1, ~0u, 0) < 0 ? -errno : 0;
}

/* inkod raised its own; programs that use select(2) must not be given descriptors above what they
 * expect. Not before inkod's own are closed: there may be more than that of them. */
static void restore_limit(void)
{
	const char *nofile = getenv("INKO_NOFILE");
	struct rlimit limit;

	if (nofile && getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = strtoul(nofile, NULL, 10);
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* All that is done between the gate and the program; the failure says how far it came. */
static void run(const struct process_plan *plan, const struct prepared *prepared, int *gate_fd,
	struct process_failure *failure)
{
	failure->error = -give_descriptors(plan, prepared, gate_fd);
	if (failure->error)
		return;
	restore_limit();
	leftovers_set_mark(plan->mark);
	failure->step = PROCESS_CONFINE;
	failure->error = -confinement_enter(plan->confinement, &failure->confinement);
	if (failure->error)
		return;
	failure->step = PROCESS_ENTER;
	if (chdir(plan->spec->directory) == 0) {
		failure->step = PROCESS_EXECUTE;
		(void)execve(plan->command[0], plan->command,
			environment_finish(prepared->environment, getpid()));
	}
	failure->error = errno;
}

static _Noreturn void child(
	const struct process_plan *plan, const struct prepared *prepared, int gate_fd)
{
	struct process_failure failure = {.step = PROCESS_PREPARE};
	char go;

	if (read(gate_fd, &go, 1) != 1)
		_exit(EXIT_FAILURE);
	(void)setsid();
	signals_reset();
	run(plan, prepared, &gate_fd, &failure);
	(void)!write(gate_fd, &failure, sizeof(failure));
	_exit(127);
}

static int fork_prepared(const struct process_plan *plan, const struct prepared *prepared,
	pid_t *ret_pid, int *ret_pidfd, int *ret_gate_fd)
{
	_cleanup_close_ int ours = -1, theirs = -1;
	int pair[2], pidfd;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	ours = pair[0];
	theirs = pair[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		descriptor_close(&ours);
		child(plan, prepared, theirs);
	}
	/* Its parent has not waited for it, so that pid cannot be another process. */
	pidfd = pidfd_open(pid, 0);
	if (pidfd < 0) {
		int error = errno;

		/* Behind its closed gate it ends. */
		descriptor_close(&ours);
		(void)waitpid(pid, NULL, 0);
		return -error;
	}
	*ret_pid = pid;
	*ret_pidfd = pidfd;
	*ret_gate_fd = descriptor_take(&ours);
	return 0;
}

int process_fork(const struct process_plan *plan, pid_t *ret_pid, int *ret_pidfd, int *ret_gate_fd)
{
	_cleanup_free_ int *copies = calloc(plan->n_fds + 1, sizeof(*copies));
	_cleanup_close_ int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct prepared prepared = {.copies = copies, .null_fd = null_fd};
	int r = copies ? 0 : -ENOMEM;

	if (null_fd < 0)
		return -errno;
	if (r == 0)
		r = environment_new(plan, &prepared.environment);
	if (r == 0)
		r = fork_prepared(plan, &prepared, ret_pid, ret_pidfd, ret_gate_fd);
	environment_free(prepared.environment);
	return r;
}

int process_open_gate(int gate_fd)
{
	return send(gate_fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 ? 0 : -errno;
}

int process_read_failure(int gate_fd, struct process_failure *ret_failure)
{
	return gate_fd >= 0 && recv(gate_fd, ret_failure, sizeof(*ret_failure), MSG_DONTWAIT) ==
				       sizeof(*ret_failure);
}

void process_describe_failure(
	const struct process_failure *failure, const struct spec *spec, char ret_text[static 512])
{
	const char *why = strerror(failure->error);
	char what[256];

	switch (failure->step) {
	case PROCESS_PREPARE:
		(void)snprintf(ret_text, 512, "could not be given its descriptors: %s", why);
		return;
	case PROCESS_CONFINE:
		confinement_describe(failure->confinement, spec, what);
		(void)snprintf(ret_text, 512, "%s: %s", what, why);
		return;
	case PROCESS_ENTER:
		(void)snprintf(ret_text, 512, "could not enter the directory %.300s: %s",
			spec->directory, why);
		return;
	case PROCESS_EXECUTE:
		/* It was there when it was looked for. */
		(void)snprintf(ret_text, 512, "could not execute %.300s: %s", spec->command[0],
			failure->error == ENOENT
				? "No such file or directory (it, or its interpreter)"
				: why);
		return;
	}
}

int process_find_own(const char *program, char **ret_path)
{
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *directories[] = {NULL, PKGLIBEXECDIR};

	if (length > 0) {
		self[length] = 0;
		directories[0] = dirname(self);
	}
	for (size_t i = 0; i < sizeof(directories) / sizeof(*directories); i++) {
		_cleanup_free_ char *path = NULL;

		if (!directories[i])
			continue;
		if (asprintf(&path, "%s/%s", directories[i], program) < 0)
			return -ENOMEM;
		if (access(path, X_OK) == 0) {
			*ret_path = path;
			path = NULL;
			return 0;
		}
	}
	return -ENOENT;
}
