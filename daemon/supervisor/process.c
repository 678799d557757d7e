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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/supervisor/process.h"
#include "proto/descriptor.h"
#include "proto/signals.h"

/* sd_listen_fds(3) */
#define LISTEN_FDS_START 3

static const char *const inherited[] = {"PATH", "HOME", "LANG", "TZ", NULL};

static void give_environment(const struct process_plan *plan)
{
	char *kept[sizeof(inherited) / sizeof(*inherited)];
	char number[16];

	for (size_t i = 0; inherited[i]; i++)
		kept[i] = getenv(inherited[i]);
	(void)clearenv();
	for (size_t i = 0; inherited[i]; i++)
		if (kept[i])
			(void)setenv(inherited[i], kept[i], 1);
	for (char **e = plan->spec->environment; e && *e; e++)
		(void)putenv(*e);
	(void)setenv("INKO_INSTANCE", plan->instance, 1);
	(void)setenv("INKO_RUNTIME_DIR", plan->runtime, 1);
	(void)setenv("NOTIFY_SOCKET", plan->notify_path, 1);
	(void)snprintf(number, sizeof(number), "%d", getpid());
	(void)setenv("LISTEN_PID", number, 1);
	(void)snprintf(number, sizeof(number), "%zu", plan->n_fds);
	(void)setenv("LISTEN_FDS", number, 1);
	(void)setenv("LISTEN_FDNAMES", plan->fd_names, 1);
}

/* Puts the descriptors where they belong and closes all others; the gate closes at exec. */
static int give_descriptors(const struct process_plan *plan, int *gate_fd)
{
	int first_free = LISTEN_FDS_START + (int)plan->n_fds;
	int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int *copies = calloc(plan->n_fds + 1, sizeof(*copies));
	int output_fd = fcntl(plan->output_fd, F_DUPFD_CLOEXEC, first_free + 1);
	int gate = fcntl(*gate_fd, F_DUPFD_CLOEXEC, first_free + 1);

	if (null_fd < 0 || !copies || output_fd < 0 || gate < 0)
		return -errno;
	/* First out of the way, then into place: a source may stand where another belongs. */
	for (size_t i = 0; i < plan->n_fds; i++) {
		copies[i] = fcntl(plan->fds[i], F_DUPFD_CLOEXEC, first_free + 1);
		if (copies[i] < 0)
			return -errno;
	}
	if (dup2(null_fd, STDIN_FILENO) < 0 || dup2(output_fd, STDOUT_FILENO) < 0 ||
		dup2(output_fd, STDERR_FILENO) < 0)
		return -errno;
	for (size_t i = 0; i < plan->n_fds; i++)
		if (dup2(copies[i], LISTEN_FDS_START + (int)i) < 0)
			return -errno;
	free(copies);
	*gate_fd = first_free;
	if (dup3(gate, first_free, O_CLOEXEC) < 0)
		return -errno;
	return close_range((unsigned int)first_free + 1, ~0u, 0) < 0 ? -errno : 0;
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

static _Noreturn void child(const struct process_plan *plan, int gate_fd)
{
	struct process_failure failure = {.step = PROCESS_PREPARE};
	char go;

	if (read(gate_fd, &go, 1) != 1)
		_exit(EXIT_FAILURE);
	(void)setsid();
	signals_reset();
	(void)umask(022);
	failure.error = -give_descriptors(plan, &gate_fd);
	if (!failure.error) {
		restore_limit();
		give_environment(plan);
		failure.step = PROCESS_ENTER;
		if (chdir(plan->spec->directory ? plan->spec->directory : "/") < 0)
			failure.error = errno;
	}
	if (!failure.error) {
		failure.step = PROCESS_EXECUTE;
		(void)execv(plan->spec->command[0], plan->spec->command);
		failure.error = errno;
	}
	(void)!write(gate_fd, &failure, sizeof(failure));
	_exit(127);
}

int process_fork(const struct process_plan *plan, pid_t *ret_pid, int *ret_pidfd, int *ret_gate_fd)
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
		child(plan, theirs);
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

int process_open_gate(int gate_fd)
{
	return send(gate_fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 ? 0 : -errno;
}

int process_read_failure(int gate_fd, struct process_failure *ret_failure)
{
	return gate_fd >= 0 && recv(gate_fd, ret_failure, sizeof(*ret_failure), MSG_DONTWAIT) ==
				       sizeof(*ret_failure);
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
