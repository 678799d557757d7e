/*
 * Log files.
 *
 * Actors append to them and inkod bounds them by punching holes into their fronts, so a file starts
 * at its first data, in the middle of a line. It may also be truncated, or be replaced by another
 * when an actor was removed and spawned again.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "errors.h"
#include "printable.h"
#include "tail.h"
#include "terminal.h"

/* A line that is longer is printed as several. */
#define LINE_MAX_BYTES (64u << 10)

struct tail {
	char *instance;
	char *path;
	int fd; /* -1: not open */
	struct stat opened;
	off_t offset;
	bool cut; /* the beginning of this line is lost: it is left out */
	char *line;
	size_t length;
};

struct tails {
	struct tail *list;
	size_t count;
};

struct tails *tails_new(void)
{
	return calloc(1, sizeof(struct tails));
}

static void tail_done(struct tail *tail)
{
	if (tail->fd >= 0)
		(void)close(tail->fd);
	free(tail->instance);
	free(tail->path);
	free(tail->line);
}

struct tails *tails_free(struct tails *tails)
{
	if (!tails)
		return NULL;
	for (size_t i = 0; i < tails->count; i++)
		tail_done(&tails->list[i]);
	free(tails->list);
	free(tails);
	return NULL;
}

static bool tail_is_known(const struct tails *tails, const char *instance)
{
	for (size_t i = 0; i < tails->count; i++) {
		if (strcmp(tails->list[i].instance, instance) == 0)
			return true;
	}
	return false;
}

int tails_add(struct tails *tails, const char *instance, const char *path)
{
	struct tail tail = {.fd = -1};
	struct tail *list;

	if (tail_is_known(tails, instance))
		return 0;
	list = reallocarray(tails->list, tails->count + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	tails->list = list;
	tail.instance = strdup(instance);
	tail.path = strdup(path);
	tail.line = malloc(LINE_MAX_BYTES);
	if (!tail.instance || !tail.path || !tail.line) {
		tail_done(&tail);
		return -ENOMEM;
	}
	list[tails->count++] = tail;
	return 0;
}

static void restart_line(struct tail *tail, off_t offset, bool cut)
{
	tail->offset = offset;
	tail->cut = cut;
	tail->length = 0;
}

/* A file or a pipe gets what the program printed, byte by byte. */
static void emit_line(struct tail *tail, bool named)
{
	bool shown = terminal_is_there();
	char *clean = shown ? printable_bytes(tail->line, tail->length) : NULL;

	if (named)
		printf("%s | ", tail->instance);
	if (shown)
		fputs(clean ? clean : "?", stdout);
	else
		fwrite(tail->line, 1, tail->length, stdout);
	putchar('\n');
	free(clean);
	tail->length = 0;
}

static void take_bytes(struct tail *tail, const char *bytes, size_t size, bool named)
{
	for (const char *end = bytes + size; bytes < end;) {
		const char *line_end = memchr(bytes, '\n', end - bytes);
		size_t length = (line_end ? line_end : end) - bytes;
		size_t room = LINE_MAX_BYTES - tail->length;
		size_t taken = length < room ? length : room;

		if (tail->cut) {
			bytes += length + (line_end != NULL);
			tail->cut = !line_end;
			continue;
		}
		memcpy(tail->line + tail->length, bytes, taken);
		tail->length += taken;
		bytes += taken + (line_end && taken == length);
		if (taken < length || line_end)
			emit_line(tail, named);
	}
}

/* Opens the file that path is now. 0 or a negative errno. */
static int reopen(struct tail *tail)
{
	int fd = open(tail->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat opened;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &opened) < 0 || !S_ISREG(opened.st_mode)) {
		(void)close(fd);
		return -EINVAL;
	}
	if (tail->fd >= 0)
		(void)close(tail->fd);
	tail->fd = fd;
	tail->opened = opened;
	restart_line(tail, 0, false);
	return 0;
}

static bool is_replaced(const struct tail *tail)
{
	struct stat now;

	if (stat(tail->path, &now) < 0)
		return false;
	return now.st_ino != tail->opened.st_ino || now.st_dev != tail->opened.st_dev;
}

/* Goes over what was truncated or punched away. *ret_end is where the file ends now. */
static int skip_lost(struct tail *tail, off_t *ret_end)
{
	struct stat now;
	off_t data;

	if (fstat(tail->fd, &now) < 0)
		return -errno;
	if (now.st_size < tail->offset)
		restart_line(tail, 0, false);
	*ret_end = now.st_size;
	if (now.st_size == tail->offset)
		return 0;
	data = lseek(tail->fd, tail->offset, SEEK_DATA);
	if (data < 0 && errno == ENXIO)
		data = now.st_size;
	if (data > tail->offset)
		restart_line(tail, data, true);
	/* Where the file system knows no holes, data < 0, they read as zeros. */
	return 0;
}

/* Prints what the open file has now; who writes faster than this reads must not hold up the
 * others. 0 or a negative errno. */
static int print_open(struct tail *tail, bool named)
{
	char bytes[64 * 1024];
	off_t end = 0;
	ssize_t n;
	int r;

	for (r = skip_lost(tail, &end); r == 0 && tail->offset < end && !ferror(stdout);) {
		n = pread(tail->fd, bytes, sizeof(bytes), tail->offset);
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		/* A hole that ends within a block leaves zeros in it. */
		if (tail->offset == 0 && bytes[0] == '\0')
			tail->cut = true;
		take_bytes(tail, bytes, n, named);
		tail->offset += n;
	}
	return r;
}

static int print_tail(struct tail *tail, bool named)
{
	int r = 0;

	if (tail->fd < 0)
		r = reopen(tail);
	if (r == 0)
		r = print_open(tail, named);
	if (r == 0 && is_replaced(tail)) {
		r = reopen(tail);
		if (r == 0)
			r = print_open(tail, named);
	}
	return r == -ENOENT ? 0 : r;
}

int tails_print(struct tails *tails)
{
	int r;

	for (size_t i = 0; i < tails->count; i++) {
		r = print_tail(&tails->list[i], tails->count > 1);
		if (r < 0)
			return complain(STATUS_REFUSED, "cannot read %s: %s", tails->list[i].path,
				strerror(-r));
	}
	return STATUS_DONE;
}

void tails_finish(struct tails *tails)
{
	for (size_t i = 0; i < tails->count; i++) {
		if (tails->list[i].length > 0)
			emit_line(&tails->list[i], tails->count > 1);
	}
}
