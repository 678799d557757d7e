#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "daemon/supervisor/log.h"
#include "daemon/supervisor/output.h"
#include "proto/descriptor.h"

/* A file keeps at least this much of its end, and at most a quarter more for longer than the pause
 * that is made between two looks: with what can be printed in that time it may have more. */
#define KEPT_BYTES (4 << 20)
#define BLOCK_BYTES 4096
#define PAUSE_USEC 50000
#define LOOKS_A_PAUSE 4

struct output {
	char directory[PATH_MAX];
	bool journal;
	sd_event_source *source;
};

static void bound_file(int fd, const struct stat *st)
{
	off_t cut = (st->st_size - KEPT_BYTES) / BLOCK_BYTES * BLOCK_BYTES;

	if ((off_t)st->st_blocks * 512 <= KEPT_BYTES + KEPT_BYTES / 4 || cut <= 0)
		return;
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, cut) < 0)
		/* A file system without holes: the alternative is a full disk. */
		(void)!ftruncate(fd, 0);
}

/* Runs a few times a pause however much is printed (its rate limit), and not at all while nothing
 * is. */
static int on_printed(sd_event_source *source, const struct inotify_event *event, void *userdata)
{
	struct output *output = userdata;
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	struct stat st;

	(void)source;
	if (event->len == 0 || asprintf(&path, "%s/%s", output->directory, event->name) < 0) {
		path = NULL;
		return 0;
	}
	fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		bound_file(fd, &st);
	return 0;
}

static int watch_files(struct output *output, sd_event *event)
{
	int r;

	r = sd_event_add_inotify(
		event, &output->source, output->directory, IN_MODIFY, on_printed, output);
	if (r < 0)
		return r;
	(void)sd_event_source_set_priority(output->source, SD_EVENT_PRIORITY_IDLE);
	return sd_event_source_set_ratelimit(output->source, PAUSE_USEC, LOOKS_A_PAUSE);
}

int output_new(sd_event *event, const char *runtime, struct output **ret_output)
{
	struct output *output = calloc(1, sizeof(*output));
	int r;

	if (!output)
		return -ENOMEM;
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
		sd_event_source_disable_unref(output->source);
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
