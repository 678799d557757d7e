#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "daemon/supervisor/aside.h"
#include "daemon/supervisor/log.h"
#include "daemon/supervisor/output.h"
#include "proto/descriptor.h"

/* A file keeps at least this much of its end, and at most a quarter more. Between two looks it has
 * what was printed since too, so that one follows soon upon another that found too much. */
#define KEPT_BYTES (4 << 20)
#define BLOCK_BYTES 4096
#define PAUSE_USEC 50000
#define PAUSE_WHILE_FLOODED_USEC 2000

struct output {
	char directory[PATH_MAX];
	bool journal;
	int watch_fd; /* says once that something was printed */
	sd_event_source *on_printed, *look, *on_cut;
};

/* How much of its beginning is to be given up; 0: it is not too large. */
static off_t find_surplus(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
		(off_t)st.st_blocks * 512 <= KEPT_BYTES + KEPT_BYTES / 4)
		return 0;
	return (st.st_size - KEPT_BYTES) / BLOCK_BYTES * BLOCK_BYTES;
}

/* Who prints without end is in the file's way as long as it likes. */
static void do_cut(void *argument)
{
	int *fd = argument;
	off_t surplus = find_surplus(*fd);

	if (surplus > 0 &&
		fallocate(*fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, surplus) < 0)
		/* A file system without holes: the alternative is a full disk. */
		(void)!ftruncate(*fd, 0);
	descriptor_close(fd);
	free(fd);
}

/* The file, for do_cut, if there is too much in it; or NULL. */
static int *find_file(int directory_fd, const char *name)
{
	_cleanup_close_ int fd =
		openat(directory_fd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int *found = fd >= 0 && find_surplus(fd) > 0 ? malloc(sizeof(*found)) : NULL;

	if (found)
		*found = descriptor_take(&fd);
	return found;
}

/* Begins to cut all files at once, so that each has its share of the processors as who prints to it
 * has; done_fd as in aside.h. Was there one? */
static bool cut_files(const struct output *output, int done_fd)
{
	DIR *directory = opendir(output->directory);
	const struct dirent *entry;
	bool found = false;

	while (directory && (entry = readdir(directory))) {
		int *fd = find_file(dirfd(directory), entry->d_name);

		found |= fd != NULL;
		if (fd && aside_do(do_cut, fd, done_fd) < 0)
			do_cut(fd);
	}
	if (directory)
		(void)closedir(directory);
	return found;
}

static void look_in(const struct output *output, uint64_t usec)
{
	(void)sd_event_source_set_time_relative(output->look, usec);
	(void)sd_event_source_set_enabled(output->look, SD_EVENT_ONESHOT);
}

/* Once something is printed nothing more is said of it until the next look is over: what flows
 * fast costs no more events than what trickles, and none can be lost. Nothing is done while nothing
 * is printed. */
static void ask(const struct output *output)
{
	(void)inotify_add_watch(output->watch_fd, output->directory, IN_MODIFY | IN_ONESHOT);
}

static int on_printed(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	const struct output *output = userdata;
	/* The event, and that it was the last. */
	char said[2 * (sizeof(struct inotify_event) + NAME_MAX + 1)];

	(void)source;
	(void)events;
	(void)!read(fd, said, sizeof(said));
	look_in(output, PAUSE_USEC);
	return 0;
}

static int on_cut(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct output *output = userdata;

	(void)source;
	(void)fd;
	(void)events;
	output->on_cut = sd_event_source_disable_unref(output->on_cut);
	look_in(output, PAUSE_WHILE_FLOODED_USEC);
	return 0;
}

/* Looks at all files, and again once what there is too much of is cut. Was there something? */
static bool look(struct output *output)
{
	_cleanup_close_ int done_fd = -1;
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	done_fd = ends[1];
	if (!cut_files(output, done_fd)) {
		descriptor_close(&ends[0]);
		return false;
	}
	r = sd_event_add_io(sd_event_source_get_event(output->look), &output->on_cut, ends[0],
		EPOLLHUP, on_cut, output);
	if (r < 0) {
		descriptor_close(&ends[0]);
		look_in(output, PAUSE_USEC);
		return true;
	}
	(void)sd_event_source_set_io_fd_own(output->on_cut, true);
	return true;
}

static int on_look(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct output *output = userdata;

	(void)source;
	(void)usec;
	if (output->on_cut || look(output))
		return 0;
	ask(output);
	/* What was printed before that. */
	(void)look(output);
	return 0;
}

static int watch_files(struct output *output, sd_event *event)
{
	int r;

	output->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (output->watch_fd < 0)
		return -errno;
	r = sd_event_add_io(
		event, &output->on_printed, output->watch_fd, EPOLLIN, on_printed, output);
	/* At once: nobody has looked while there was no supervisor. */
	if (r >= 0)
		r = sd_event_add_time(event, &output->look, CLOCK_MONOTONIC, 0, 1, on_look, output);
	return r;
}

int output_new(sd_event *event, const char *runtime, struct output **ret_output)
{
	struct output *output = calloc(1, sizeof(*output));
	int r;

	if (!output)
		return -ENOMEM;
	output->watch_fd = -1;
	(void)snprintf(output->directory, sizeof(output->directory), "%.4000s/log", runtime);
	output->journal = access("/run/systemd/journal/stdout", W_OK) == 0;
	r = output->journal ? 0 : watch_files(output, event);
	if (r < 0) {
		output_free(output);
		return r;
	}
	*ret_output = output;
	return 0;
}

struct output *output_free(struct output *output)
{
	if (output) {
		sd_event_source_disable_unref(output->on_printed);
		sd_event_source_disable_unref(output->look);
		sd_event_source_disable_unref(output->on_cut);
		descriptor_close(&output->watch_fd);
		free(output);
	}
	return NULL;
}

bool output_is_journal(const struct output *output)
{
	return output->journal;
}

char *output_path(const struct output *output, const char *instance)
{
	char *path, *slash;

	if (asprintf(&path, "%s/%s.log", output->directory, instance) < 0)
		return NULL;
	slash = strchr(path + strlen(output->directory) + 1, '/');
	if (slash)
		*slash = '.';
	return path;
}

int output_open(struct output *output, const char *instance, int *ret_fd)
{
	_cleanup_free_ char *path = NULL;
	int fd;

	if (output->journal)
		fd = sd_journal_stream_fd(instance, LOG_INFO, 1);
	else {
		path = output_path(output, instance);
		if (!path)
			return -ENOMEM;
		fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0)
			fd = -errno;
	}
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}

void output_last_line(const struct output *output, const char *instance, char *text, size_t size)
{
	_cleanup_free_ char *path = output->journal ? NULL : output_path(output, instance);
	_cleanup_close_ int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
	ssize_t n = 0;
	char *line;

	if (end > 0)
		n = pread(fd, text, size - 1, end > (off_t)size - 1 ? end - (off_t)size + 1 : 0);
	text[n > 0 ? n : 0] = 0;
	while (n > 0 && text[n - 1] == '\n')
		text[--n] = 0;
	line = strrchr(text, '\n');
	if (line)
		memmove(text, line + 1, strlen(line + 1) + 1);
}

int64_t output_count_lost(const struct output *output, const char *instance)
{
	_cleanup_free_ char *path = output->journal ? NULL : output_path(output, instance);
	struct stat st;

	if (!path || stat(path, &st) < 0 || st.st_size <= KEPT_BYTES)
		return 0;
	return st.st_size - (int64_t)st.st_blocks * 512;
}

void output_remove(struct output *output, const char *instance)
{
	_cleanup_free_ char *path = output->journal ? NULL : output_path(output, instance);

	if (path)
		(void)unlink(path);
}
