#include "daemon/keeper/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/descriptor.h"
#include "proto/signals.h"

/* A program that says its version has been loaded, which takes some milliseconds. */
#define TRIAL_MSEC 4000

/* What a shell says of a command that it cannot execute. */
#define EXIT_CANNOT_EXECUTE 126

static _Noreturn void execute(char *const *argv, int output_fd)
{
	signals_reset();
	(void)setsid();
	/* It speaks to nobody's service manager. */
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
	if (dup2(output_fd, STDOUT_FILENO) >= 0 && dup2(output_fd, STDERR_FILENO) >= 0 &&
		close_range(STDERR_FILENO + 1, ~0U, 0) == 0)
		(void)execv(argv[0], argv);
	(void)dprintf(STDERR_FILENO, "%s\n", strerror(errno));
	_exit(EXIT_CANNOT_EXECUTE);
}

void trial_init(struct trial *trial)
{
	*trial = (struct trial){.pidfd = -1, .output_fd = -1};
}

int trial_start(struct trial *trial, char *const *argv, uint64_t now_msec)
{
	_cleanup_close_ int read_fd = -1, write_fd = -1;
	int fds[2], pidfd;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	read_fd = fds[0];
	write_fd = fds[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		execute(argv, write_fd);
	/* Nobody has waited for it, so that the number is its own. */
	pidfd = pidfd_open(pid, 0);
	if (pidfd < 0) {
		int error = errno;

		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		return -error;
	}
	trial->pid = pid;
	trial->pidfd = pidfd;
	trial->output_fd = descriptor_take(&read_fd);
	trial->end_msec = now_msec + TRIAL_MSEC;
	(void)snprintf(trial->path, sizeof(trial->path), "%s", argv[0]);
	return 0;
}

bool trial_is_under_way(const struct trial *trial)
{
	return trial->pid > 0;
}

uint64_t trial_due_msec(const struct trial *trial)
{
	return trial_is_under_way(trial) ? trial->end_msec : UINT64_MAX;
}

/* With what it started, which is in its session. It is not reaped: its number is its own. */
static void end_all(const struct trial *trial)
{
	(void)pidfd_send_signal(trial->pidfd, SIGKILL, NULL, 0);
	(void)kill(-trial->pid, SIGKILL);
}

void trial_check(struct trial *trial, uint64_t now_msec)
{
	if (now_msec < trial_due_msec(trial))
		return;
	/* Killed, it is reaped like any other. */
	end_all(trial);
	trial->end_msec = UINT64_MAX;
}

/* The first line of what it printed, or "". */
static void read_line(const struct trial *trial, char *line, size_t size)
{
	ssize_t n = read(trial->output_fd, line, size - 1);

	line[n > 0 ? n : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
}

static void close_all(struct trial *trial)
{
	descriptor_close(&trial->pidfd);
	descriptor_close(&trial->output_fd);
	trial_init(trial);
}

static void describe(const struct trial *trial, const siginfo_t *info, char *reason)
{
	const char *signal_name = sigabbrev_np(info->si_status);
	char line[TRIAL_REASON_BYTES / 2];

	read_line(trial, line, sizeof(line));
	if (trial->end_msec == UINT64_MAX)
		(void)snprintf(reason, TRIAL_REASON_BYTES,
			"%.200s, when it was tried, did not end within %d s", trial->path,
			TRIAL_MSEC / 1000);
	else if (info->si_code != CLD_EXITED)
		(void)snprintf(reason, TRIAL_REASON_BYTES,
			"%.200s, when it was tried, was killed by SIG%s", trial->path,
			signal_name ? signal_name : "RT");
	else if (info->si_status == EXIT_CANNOT_EXECUTE)
		(void)snprintf(reason, TRIAL_REASON_BYTES, "%.200s cannot be executed: %s",
			trial->path, line);
	else
		(void)snprintf(reason, TRIAL_REASON_BYTES,
			"%.200s, when it was tried, exited with status %d%s%s", trial->path,
			info->si_status, *line ? ": " : "", line);
}

int trial_end(struct trial *trial, char ret_reason[static TRIAL_REASON_BYTES])
{
	siginfo_t info = {0};
	int r = waitid(P_PIDFD, (id_t)trial->pidfd, &info, WEXITED) < 0 ? -errno : 0;
	bool is_well = r == 0 && info.si_code == CLD_EXITED && info.si_status == EXIT_SUCCESS;

	if (!is_well)
		describe(trial, &info, ret_reason);
	close_all(trial);
	return is_well ? 0 : -ENOEXEC;
}

void trial_done(struct trial *trial)
{
	if (!trial_is_under_way(trial))
		return;
	end_all(trial);
	(void)waitid(P_PIDFD, (id_t)trial->pidfd, &(siginfo_t){0}, WEXITED);
	close_all(trial);
}
