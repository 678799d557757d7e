#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "daemon/supervisor/aside.h"
#include "daemon/supervisor/discard.h"
#include "proto/descriptor.h"

/* Beginnings of the types of file systems whose files others serve. */
static const char *const served[] = {
	"fuse", "virtiofs", "nfs", "cifs", "smb", "9p", "ceph", "afs", "lustre", "coda"};

/* As far as the kernel knows without asking who serves it. */
static int look(int fd, struct statx *ret_st)
{
	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_MNT_ID, ret_st);
}

static bool is_file(int fd)
{
	struct statx st;

	if (look(fd, &st) < 0)
		return true;
	/* What has no type is an epoll, an eventfd or the like; what can be sealed is memory. */
	return (st.stx_mode & S_IFMT) != 0 && !S_ISSOCK(st.stx_mode) && !S_ISFIFO(st.stx_mode) &&
	       fcntl(fd, F_GET_SEALS) < 0;
}

static bool is_served_type(const char *type)
{
	for (size_t i = 0; i < sizeof(served) / sizeof(*served); i++)
		if (strncmp(type, served[i], strlen(served[i])) == 0)
			return true;
	return false;
}

/* Its type in a line of proc_pid_mountinfo(5), if that is of mount. */
static const char *find_type(const char *line, uint64_t mount)
{
	const char *end = strstr(line, " - ");

	return strtoull(line, NULL, 10) == mount && end ? end + strlen(" - ") : NULL;
}

bool discard_is_served(int fd)
{
	_cleanup_free_ char *line = NULL;
	const char *type = NULL;
	struct statx st;
	size_t size = 0;
	FILE *mounts;

	if (!is_file(fd))
		return false;
	if (look(fd, &st) < 0 || !(st.stx_mask & STATX_MNT_ID))
		return true;
	mounts = fopen("/proc/self/mountinfo", "re");
	while (mounts && !type && getline(&line, &size, mounts) > 0)
		type = find_type(line, st.stx_mnt_id);
	if (mounts)
		(void)fclose(mounts);
	return !type || is_served_type(type);
}

static void do_close(void *argument)
{
	int fd = (int)(intptr_t)argument;

	descriptor_close(&fd);
}

static void do_take_off(void *argument)
{
	int fd = (int)(intptr_t)argument;
	char byte;

	/* Without a control buffer, so that descriptors in it are closed: that is what a sender
	 * waits for who sent one with BARRIER=1 (sd_notify_barrier(3)). */
	(void)recv(fd, &byte, 1, MSG_DONTWAIT);
	descriptor_close(&fd);
}

/* A process that is started meanwhile must not have a copy, which it would close too: as soon as
 * the close has begun this process has none. */
static void close_aside(int fd, int done_fd)
{
	if (aside_do(do_close, (void *)(intptr_t)fd, done_fd) < 0)
		descriptor_close(&fd);
	else
		while (fcntl(fd, F_GETFD) >= 0)
			(void)sched_yield();
}

static void close_copies(struct passed *passed, int done_fd)
{
	for (size_t i = 0; i < passed->n_fds; i++)
		if (passed->fds[i] < 0 || done_fd < 0 || !discard_is_served(passed->fds[i]))
			descriptor_close(&passed->fds[i]);
		else
			close_aside(passed->fds[i], done_fd);
	passed->n_fds = 0;
}

int discard_first(int socket_fd, struct passed *passed, int *ret_done_fd)
{
	_cleanup_close_ int read_fd = -1, done_fd = -1;
	int ends[2], fd, r = 0;

	if (pipe2(ends, O_CLOEXEC) < 0)
		r = -errno;
	if (r == 0) {
		read_fd = ends[0];
		done_fd = ends[1];
	}
	close_copies(passed, done_fd);
	/* Its own, whatever becomes of the instance. */
	fd = fcntl(socket_fd, F_DUPFD_CLOEXEC, 0);
	if (r == 0)
		r = fd < 0 ? -errno : aside_do(do_take_off, (void *)(intptr_t)fd, done_fd);
	if (r < 0) {
		descriptor_close(&fd);
		(void)recv(socket_fd, &(char){0}, 1, MSG_DONTWAIT);
		return r;
	}
	*ret_done_fd = descriptor_take(&read_fd);
	return 0;
}
