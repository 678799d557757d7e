#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/supervisor/process-info.h"
#include "proto/descriptor.h"

/* linux/pidfd.h's struct pidfd_info as far as its first version goes, and its numbers: the header
 * of Debian 12 has none of it. */
struct info {
	uint64_t mask, cgroup_id;
	uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	int32_t exit_code;
};

#define GET_INFO _IOWR(0xff, 11, struct info)
#define INFO_PID (UINT64_C(1) << 0)
#define INFO_EXIT (UINT64_C(1) << 3)

_Static_assert(sizeof(struct info) == 64, "the ioctl's number tells the size");

/* Of one that somebody has waited for. */
static int read_reaped(int pidfd, int *ret_wait_status)
{
	struct info info = {.mask = INFO_EXIT};

	if (ioctl(pidfd, GET_INFO, &info) < 0)
		return -errno;
	if (!(info.mask & INFO_EXIT))
		return -ENODATA;
	*ret_wait_status = info.exit_code;
	return 0;
}

/* The last field of /proc/PID/stat is 0 for whom might not trace it, whatever it ended with. With
 * the same right the link to its program can be followed, which it has no more. */
static bool may_be_known(pid_t pid)
{
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	return readlink(path, &(char){0}, 1) < 0 && errno == ENOENT;
}

/* Of one that nobody has waited for. */
static int read_zombie(int pidfd, pid_t pid, int *ret_wait_status)
{
	_cleanup_close_ int fd = -1;
	char path[32], text[2048];
	const char *state, *last;
	bool is_known;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	is_known = may_be_known(pid);
	/* Then the number was nobody else's so far. */
	if (pidfd_send_signal(pidfd, 0, NULL, 0) < 0)
		return -errno;
	/* In a process's name, which ends before its state, anything may stand. */
	state = strrchr(text, ')');
	last = strrchr(text, ' ');
	if (!is_known || !state || !last || strncmp(state, ") Z ", 4) != 0)
		return -ENODATA;
	*ret_wait_status = (int)strtol(last + 1, NULL, 10);
	return 0;
}

int process_info_read_exit(int pidfd, pid_t pid, int *ret_code, int *ret_status)
{
	int status;

	if (read_zombie(pidfd, pid, &status) < 0) {
		int r = read_reaped(pidfd, &status);

		if (r < 0)
			return r;
	}
	if (WIFEXITED(status)) {
		*ret_code = CLD_EXITED;
		*ret_status = WEXITSTATUS(status);
	} else {
		*ret_code = WCOREDUMP(status) ? CLD_DUMPED : CLD_KILLED;
		*ret_status = WTERMSIG(status);
	}
	return 0;
}

/* Before Linux 6.13, and many times as slow. */
static pid_t read_parent_from_proc(pid_t pid)
{
	char path[32], line[256];
	pid_t parent = 0;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "PPid: %d", &parent) == 1)
			break;
	if (file)
		(void)fclose(file);
	return parent;
}

pid_t process_info_read_parent(int pidfd, pid_t pid)
{
	struct info info = {.mask = INFO_PID};
	pid_t parent;

	if (ioctl(pidfd, GET_INFO, &info) == 0 && (info.mask & INFO_PID))
		return info.ppid > 0 ? (pid_t)info.ppid : 1;
	parent = read_parent_from_proc(pid);
	/* Then the number was nobody else's so far. */
	return parent > 0 && pidfd_send_signal(pidfd, 0, NULL, 0) == 0 ? parent : 1;
}
