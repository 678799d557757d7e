/*
 * The format: a head, then each key of the store in its order, with the numbers of its descriptors.
 * Descriptors are close-on-exec but for the moment in which they shall stay.
 */

#include "daemon/keeper/carry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proto/descriptor.h"

#define ENVIRONMENT_STATE "INKO_KEEPER_STATE"

#define MAGIC "inkokeep"
/* Changes when an older build could not make sense of it any more. */
#define STATE_VERSION 1

struct head {
	char magic[8];
	uint32_t version;
	uint32_t n_entries;
	uint32_t carried_bytes; /* of struct carried, which follows */
};

struct entry_head {
	uint32_t key_bytes, n_bytes;
	uint32_t number, untold;
	uint32_t n_fds;
	int32_t fds[LIMIT_KEY_FDS];
};

/* Writing. */

static int write_all(int fd, const void *data, size_t size)
{
	const char *at = data;

	while (size > 0) {
		ssize_t n = write(fd, at, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

static int write_entry(int fd, const struct store_entry *entry)
{
	struct entry_head head = {
		.key_bytes = (uint32_t)strlen(entry->key),
		.n_bytes = (uint32_t)entry->n_bytes,
		.number = entry->number,
		.untold = entry->untold,
		.n_fds = entry->n_fds,
	};
	int r;

	memcpy(head.fds, entry->fds, entry->n_fds * sizeof(int));
	r = write_all(fd, &head, sizeof(head));
	if (r == 0)
		r = write_all(fd, entry->key, head.key_bytes);
	return r < 0 ? r : write_all(fd, entry->bytes, head.n_bytes);
}

int carry_write(const struct carried *carried, const struct store *store, int *ret_fd)
{
	struct head head = {
		.magic = MAGIC,
		.version = STATE_VERSION,
		.n_entries = (uint32_t)store->n_keys,
		.carried_bytes = sizeof(*carried),
	};
	_cleanup_close_ int fd = memfd_create("inkod", MFD_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = write_all(fd, &head, sizeof(head));
	if (r == 0)
		r = write_all(fd, carried, sizeof(*carried));
	for (struct store_entry *entry = store->first; entry && r == 0; entry = entry->next)
		r = write_entry(fd, entry);
	if (r < 0)
		return r;
	*ret_fd = descriptor_take(&fd);
	return 0;
}

/* Reading. */

static int read_all(int fd, void *data, size_t size)
{
	char *at = data;

	while (size > 0) {
		ssize_t n = read(fd, at, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG;
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

static int keep_closed_on_exec(int fd, bool closed)
{
	return fcntl(fd, F_SETFD, closed ? FD_CLOEXEC : 0) < 0 ? -errno : 0;
}

static int put(struct store *store, const struct entry_head *head, struct keep_message *message)
{
	int r = store_put(store, message);

	if (r < 0)
		return r;
	store->last->number = head->number;
	store->last->untold = head->untold;
	store->has_untold |= head->untold != 0;
	return 0;
}

static int read_entry(int fd, struct store *store)
{
	struct keep_message message = {.verb = KEEP_PUT};
	struct entry_head head;
	int r = read_all(fd, &head, sizeof(head));

	if (r < 0)
		return r;
	if (head.key_bytes > LIMIT_KEY_CHARS || head.n_bytes > LIMIT_STATE_BYTES ||
		head.n_fds > LIMIT_KEY_FDS)
		return -EBADMSG;
	message.bytes = calloc(1, head.n_bytes + 1);
	if (!message.bytes)
		return -ENOMEM;
	message.n_bytes = head.n_bytes;
	r = read_all(fd, message.key, head.key_bytes);
	if (r == 0)
		r = read_all(fd, message.bytes, head.n_bytes);
	if (r == 0) {
		memcpy(message.passed.fds, head.fds, head.n_fds * sizeof(int));
		message.passed.n_fds = head.n_fds;
		r = put(store, &head, &message);
	}
	/* Not its descriptors: what cannot be read as a whole is not touched. */
	free(message.bytes);
	return r;
}

static int read_carried(int fd, size_t size, struct carried *ret_carried)
{
	struct carried carried = {0};
	size_t known = size < sizeof(carried) ? size : sizeof(carried);
	int r = read_all(fd, &carried, known);

	if (r < 0)
		return r;
	if (lseek(fd, (off_t)(size - known), SEEK_CUR) < 0)
		return -errno;
	*ret_carried = carried;
	return 0;
}

static int read_entries(int fd, uint32_t n, struct store *store)
{
	int r = 0;

	for (uint32_t i = 0; i < n && r == 0; i++)
		r = read_entry(fd, store);
	for (struct store_entry *entry = store->first; entry && r == 0; entry = entry->next)
		for (size_t i = 0; i < entry->n_fds && r == 0; i++)
			r = keep_closed_on_exec(entry->fds[i], true);
	if (r == 0)
		return 0;
	for (struct store_entry *entry = store->first; entry; entry = entry->next) {
		store->n_fds -= entry->n_fds;
		entry->n_fds = 0;
	}
	store_done(store);
	return r;
}

static int protect(const struct carried *carried, bool closed)
{
	int r = keep_closed_on_exec(carried->lock_fd, closed);

	if (r == 0)
		r = keep_closed_on_exec(carried->link_fd, closed);
	return r < 0 ? r : keep_closed_on_exec(carried->supervisor_fd, closed);
}

int carry_read(int fd, struct carried *ret_carried, struct store *store)
{
	struct carried carried;
	struct head head;
	int r = lseek(fd, 0, SEEK_SET) < 0 ? -errno : read_all(fd, &head, sizeof(head));

	if (r == 0 && memcmp(head.magic, MAGIC, sizeof(head.magic)) != 0)
		r = -EBADMSG;
	if (r == 0 && head.version != STATE_VERSION)
		r = -EPROTO;
	if (r == 0)
		r = read_carried(fd, head.carried_bytes, &carried);
	if (r == 0)
		r = protect(&carried, true);
	if (r == 0)
		r = read_entries(fd, head.n_entries, store);
	if (r == 0)
		*ret_carried = carried;
	return r;
}

/* The moment between. */

static int protect_all(
	const struct carried *carried, const struct store *store, int carry_fd, bool closed)
{
	int r = protect(carried, closed);

	if (r == 0)
		r = keep_closed_on_exec(carry_fd, closed);
	for (struct store_entry *entry = store->first; entry && r == 0; entry = entry->next)
		for (size_t i = 0; i < entry->n_fds && r == 0; i++)
			r = keep_closed_on_exec(entry->fds[i], closed);
	return r;
}

int carry_execute(const char *path, char *const *argv, const struct carried *carried,
	const struct store *store, int carry_fd, unsigned int replaced)
{
	char number[3 * sizeof(carry_fd) + 3 * sizeof(replaced)];
	int r = protect_all(carried, store, carry_fd, false);

	(void)snprintf(number, sizeof(number), "%d %u", carry_fd, replaced);
	if (r == 0 && setenv(ENVIRONMENT_STATE, number, 1) < 0)
		r = -errno;
	if (r == 0) {
		(void)execv(path, argv);
		r = -errno;
	}
	(void)unsetenv(ENVIRONMENT_STATE);
	(void)protect_all(carried, store, carry_fd, true);
	return r;
}

int carry_find(unsigned int *ret_replaced)
{
	const char *text = getenv(ENVIRONMENT_STATE);
	unsigned int replaced = 0;
	int fd = -1;

	if (text && sscanf(text, "%d %u", &fd, &replaced) != 2)
		fd = -1;
	(void)unsetenv(ENVIRONMENT_STATE);
	if (fd <= STDERR_FILENO || keep_closed_on_exec(fd, true) < 0)
		return -1;
	*ret_replaced = replaced;
	return fd;
}
