/*
 * Starting the supervisor. What it inherits is what is said here: the environment, the standard
 * descriptors, and its end of the pair.
 */

#include "daemon/keeper/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/keeper/log.h"
#include "proto/descriptor.h"
#include "proto/keep.h"
#include "proto/signals.h"

#define SUPERVISOR "inko-supervisor"

/* For this program's later lives, and for a supervisor that has to start another keeper. */
#define ENVIRONMENT_PATH "INKO_KEEPER_PATH"

/* What a shell says of a command that it cannot execute. */
#define EXIT_CANNOT_EXECUTE 126

static int join(const char *directory, size_t length, char ret_path[static PATH_MAX])
{
	int n = snprintf(ret_path, PATH_MAX, "%.*s/" SUPERVISOR, (int)length, directory);

	if (n < 0 || n >= PATH_MAX)
		return -ENAMETOOLONG;
	return access(ret_path, X_OK) < 0 ? -errno : 0;
}

int launch_note_own(void)
{
	static const char deleted[] = " (deleted)";
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	size_t tail = strlen(deleted);

	if (length < 0)
		return -errno;
	path[length] = '\0';
	/* The file was replaced: its successor stands there. See proc(5). */
	if ((size_t)length > tail && strcmp(path + length - tail, deleted) == 0)
		path[(size_t)length - tail] = '\0';
	return setenv(ENVIRONMENT_PATH, path, 1) < 0 ? -errno : 0;
}

int launch_find_own(char ret_path[static PATH_MAX])
{
	const char *path = getenv(ENVIRONMENT_PATH);

	if (!path || strlen(path) >= PATH_MAX)
		return -ENOENT;
	(void)strcpy(ret_path, path);
	return 0;
}

int launch_find(char ret_path[static PATH_MAX])
{
	char self[PATH_MAX];
	const char *slash = launch_find_own(self) == 0 ? strrchr(self, '/') : NULL;

	if (slash && join(self, (size_t)(slash - self), ret_path) == 0)
		return 0;
	return join(PKGLIBEXECDIR, strlen(PKGLIBEXECDIR), ret_path) < 0 ? -ENOENT : 0;
}

/* Out of the way first: either may stand where the other belongs. */
static int place(int link_fd, int lock_fd)
{
	int link = fcntl(link_fd, F_DUPFD_CLOEXEC, KEEP_LOCK_FD + 1);
	int lock = fcntl(lock_fd, F_DUPFD_CLOEXEC, KEEP_LOCK_FD + 1);

	if (link < 0 || lock < 0 || dup2(link, KEEP_FD) < 0 || dup2(lock, KEEP_LOCK_FD) < 0)
		return -1;
	return close_range(KEEP_LOCK_FD + 1, ~0U, 0);
}

static _Noreturn void execute(const char *path, int link_fd, int lock_fd)
{
	signals_reset();
	/* Who started the keeper listens to the keeper alone. */
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
	/* What a terminal sends to this job is for the keeper alone. */
	(void)setsid();
	if (place(link_fd, lock_fd) == 0)
		(void)execl(path, SUPERVISOR, (char *)NULL);
	log_line("cannot execute %s: %s", path, strerror(errno));
	_exit(EXIT_CANNOT_EXECUTE);
}

int launch_start(const char *path, int lock_fd, pid_t *ret_pid, int *ret_pidfd, int *ret_link_fd)
{
	_cleanup_close_ int mine = -1, other = -1;
	int fds[2], pidfd;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	mine = fds[0];
	other = fds[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		execute(path, other, lock_fd);
	/* Nobody has waited for it, so that the number is its own. */
	pidfd = pidfd_open(pid, 0);
	if (pidfd < 0) {
		int error = errno;

		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		return -error;
	}
	*ret_pid = pid;
	*ret_pidfd = pidfd;
	*ret_link_fd = descriptor_take(&mine);
	return 0;
}
