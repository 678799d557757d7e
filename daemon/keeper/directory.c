/*
 * The runtime directory and its lock. The lock is flock(2)'s, so that it ends with its holder
 * whatever happens to it; the number in the file is only for the message.
 */

#include "daemon/keeper/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/keeper/log.h"
#include "proto/descriptor.h"
#include "proto/runtime.h"

/* Where root's inkod runs everybody may look for its socket, which has a mode of its own. */
#define SYSTEM_DIRECTORY "/run/inko"
#define SYSTEM_MODE 0755
#define PRIVATE_MODE 0700
/* Of root's elsewhere: actors of other users pass through to their sockets, and list nothing. */
#define PASSING_MODE 0711

static int choose(struct directory *directory, const char *option)
{
	int r = runtime_directory(option, directory->path);

	if (r == -ENXIO && option)
		log_line("--runtime-dir is empty; give the path of a directory");
	else if (r == -ENXIO)
		log_line(
			"XDG_RUNTIME_DIR is not set; give a directory to run in with --runtime-dir");
	else if (r == -ENAMETOOLONG)
		log_line("the path of the runtime directory is too long for the sockets in it; "
			 "choose a shorter one with --runtime-dir");
	else if (r < 0)
		log_line("cannot tell where to run: %s", strerror(-r));
	return r;
}

static int make(const char *path)
{
	mode_t mode = geteuid() == 0 ? PASSING_MODE : PRIVATE_MODE;

	if (strcmp(path, SYSTEM_DIRECTORY) == 0)
		mode = SYSTEM_MODE;
	if (mkdir(path, mode) < 0) {
		if (errno == EEXIST)
			return 0;
		log_line("cannot make the runtime directory %s: %s%s", path, strerror(errno),
			errno == ENOENT ? "; make its parent first" : "");
		return -1;
	}
	/* mkdir(2) took the umask off. */
	if (chmod(path, mode) < 0) {
		log_line("cannot set the mode of %s: %s", path, strerror(errno));
		return -1;
	}
	return 0;
}

/* Sockets under somebody else's hands would hand over control of all actors. */
static int check(const char *path)
{
	struct stat status;

	if (stat(path, &status) < 0) {
		log_line("cannot use the runtime directory %s: %s", path, strerror(errno));
		return -1;
	}
	if (!S_ISDIR(status.st_mode)) {
		log_line("%s is no directory; choose another --runtime-dir", path);
		return -1;
	}
	if (status.st_uid != geteuid()) {
		log_line("%s belongs to another user; choose another --runtime-dir", path);
		return -1;
	}
	return 0;
}

/* Its file's, or 0. */
static uint32_t read_pid(const char *directory)
{
	char path[PATH_MAX], pid[16] = "";
	_cleanup_close_ int fd = -1;

	if (runtime_path(directory, RUNTIME_LOCK, path) < 0)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || read(fd, pid, sizeof(pid) - 1) <= 0)
		return 0;
	return (uint32_t)strtoul(pid, NULL, 10);
}

void directory_complain_taken(const struct directory *directory, uint32_t pid)
{
	if (pid == 0)
		pid = read_pid(directory->path);
	if (pid == 0)
		log_line("another inkod runs in %s; stop it, or choose another --runtime-dir",
			directory->path);
	else
		log_line("another inkod (pid %u) runs in %s; stop it, or choose another "
			 "--runtime-dir",
			pid, directory->path);
}

/* 1, or 0 when who had the lock removed its file meanwhile. */
static int try_lock(const char *lock_path, int *ret_fd)
{
	_cleanup_close_ int fd = -1;
	struct stat status;

	fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		log_line("cannot open %s: %s", lock_path, strerror(errno));
		return -EIO;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return -EWOULDBLOCK;
		log_line("cannot lock %s: %s", lock_path, strerror(errno));
		return -EIO;
	}
	if (fstat(fd, &status) < 0 || status.st_nlink == 0)
		return 0;
	*ret_fd = descriptor_take(&fd);
	return 1;
}

int directory_lock(struct directory *directory)
{
	char path[PATH_MAX];
	int r;

	if (runtime_path(directory->path, RUNTIME_LOCK, path) < 0)
		return -ENAMETOOLONG;
	do
		r = try_lock(path, &directory->lock_fd);
	while (r == 0);
	return r < 0 ? r : directory_write_pid(directory);
}

int directory_write_pid(const struct directory *directory)
{
	char pid[16];

	(void)snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (ftruncate(directory->lock_fd, 0) == 0 &&
		pwrite(directory->lock_fd, pid, strlen(pid), 0) > 0)
		return 0;
	log_line("cannot write the lock of %s: %s", directory->path, strerror(errno));
	return -EIO;
}

int directory_open(struct directory *directory, const char *option)
{
	directory->lock_fd = -1;
	if (choose(directory, option) < 0 || make(directory->path) < 0)
		return -1;
	return check(directory->path);
}

void directory_remove(struct directory *directory)
{
	char path[PATH_MAX];

	if (runtime_path(directory->path, RUNTIME_LOCK, path) == 0)
		(void)unlink(path);
	/* Something may be left in it, or it may be systemd's: then it stays. */
	(void)rmdir(directory->path);
	descriptor_close(&directory->lock_fd);
}
