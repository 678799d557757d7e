#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/kcmp.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/discard.h"
#include "daemon/supervisor/holding.h"
#include "daemon/supervisor/routing.h"
#include "daemon/supervisor/stored.h"
#include "proto/descriptor.h"

/* What all instances together may have of the descriptors that inkod may open. */
#define SHARE 4

static const struct json_field fields[] = {
	JSON_FIELD(stored, "name", JSON_STRING, name, true),
	JSON_FIELD_INTEGER(stored, "number", number, true, 1, JSON_INTEGER_MAX),
	JSON_FIELD(stored, "kept", JSON_BOOLEAN, is_kept, true),
	JSON_FIELDS_END,
};

static struct supervisor *supervisor_of(const struct stored *stored)
{
	return stored->instance->actor->supervisor;
}

static const char *key_of(const struct stored *stored, char key[static LIMIT_KEY_CHARS])
{
	(void)snprintf(key, LIMIT_KEY_CHARS, STORED_KEY "%s/%" PRIi64, stored->instance->name,
		stored->number);
	return key;
}

static void put(struct stored *stored)
{
	char key[LIMIT_KEY_CHARS];

	holding_put(supervisor_of(stored)->holding, key_of(stored, key), fields, stored,
		&stored->fd, 1);
}

static void release(struct stored *stored)
{
	sd_event_source_disable_unref(stored->on_end);
	descriptor_close(&stored->fd);
	json_release(fields, stored);
	free(stored);
}

/* The kernel has an order of all that is open (kcmp(2)), so that a few of them are compared and not
 * all. Where it does not tell, two descriptors are two. */
static int compare(const void *a, const void *b)
{
	int first = ((const struct stored *)a)->fd, second = ((const struct stored *)b)->fd;
	long order = syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, first, second);

	if (order < 0 || order > 2)
		return (first > second) - (first < second);
	return order == 1 ? -1 : order == 2;
}

static void forget(struct stored *stored)
{
	char key[LIMIT_KEY_CHARS];

	holding_drop(supervisor_of(stored)->holding, key_of(stored, key));
	supervisor_of(stored)->n_stored--;
	TAILQ_REMOVE(&stored->instance->stored, stored, entries);
	(void)tdelete(stored, &stored->instance->stored_tree, compare);
	release(stored);
}

/* Its end. */

static int on_end(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	(void)source;
	(void)fd;
	(void)events;
	forget(userdata);
	return 0;
}

/* What cannot be watched, as a file, has no other end. */
static void watch(struct stored *stored)
{
	if (!stored->is_kept)
		(void)sd_event_add_io(supervisor_of(stored)->event, &stored->on_end, stored->fd, 0,
			on_end, stored);
}

/* A socket that was told to wait until all is sent, or for a time, would have inkod wait when it
 * closes it last. One that was told to reset the connection has nobody wait. */
static void forbid_lingering(int fd)
{
	struct linger linger;
	socklen_t size = sizeof(linger);

	if (getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size) < 0 || !linger.l_onoff ||
		linger.l_linger == 0)
		return;
	linger = (struct linger){0};
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

/* Adding. */

static bool has(const struct instance *instance, int fd)
{
	const struct stored wanted = {.fd = fd};

	return tfind(&wanted, &instance->stored_tree, compare);
}

/* In LISTEN_FDNAMES a name ends with ':'. */
static bool is_name(const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < length; i++)
		if (name[i] == ':' || !isprint((unsigned char)name[i]))
			return false;
	return length > 0 && length <= STORED_NAME_CHARS;
}

static bool is_full(const struct instance *instance)
{
	struct rlimit limit;

	return stored_count(instance) >= STORED_MAX || getrlimit(RLIMIT_NOFILE, &limit) < 0 ||
	       instance->actor->supervisor->n_stored >= limit.rlim_cur / SHARE;
}

static int check(const struct instance *instance, int fd, const char *name)
{
	if (!is_name(name))
		return -EINVAL;
	if (has(instance, fd))
		return -EEXIST;
	if (is_full(instance))
		return -ENOSPC;
	return discard_is_served(fd) ? -EREMOTE : 0;
}

static void add(struct instance *instance, struct stored *stored)
{
	stored->instance = instance;
	/* Without memory it may be stored twice. */
	(void)tsearch(stored, &instance->stored_tree, compare);
	TAILQ_INSERT_TAIL(&instance->stored, stored, entries);
	supervisor_of(stored)->n_stored++;
	watch(stored);
}

static int64_t next_number(const struct instance *instance)
{
	const struct stored *last = TAILQ_LAST(&instance->stored, stored_list);

	return last ? last->number + 1 : 1;
}

int stored_add(struct instance *instance, int *take_fd, const char *name, bool is_kept)
{
	int r = check(instance, *take_fd, name);
	struct stored *stored = r == 0 ? calloc(1, sizeof(*stored)) : NULL;

	if (r < 0)
		return r;
	if (!stored)
		return -ENOMEM;
	stored->name = strdup(name);
	if (!stored->name) {
		free(stored);
		return -ENOMEM;
	}
	stored->number = next_number(instance);
	stored->is_kept = is_kept;
	stored->fd = descriptor_take(take_fd);
	forbid_lingering(stored->fd);
	add(instance, stored);
	put(stored);
	return 0;
}

void stored_remove(struct instance *instance, const char *name)
{
	struct stored *stored, *next;

	for (stored = TAILQ_FIRST(&instance->stored); stored; stored = next) {
		next = TAILQ_NEXT(stored, entries);
		if (strcmp(stored->name, name) == 0)
			forget(stored);
	}
}

void stored_remove_all(struct instance *instance)
{
	while (!TAILQ_EMPTY(&instance->stored))
		forget(TAILQ_FIRST(&instance->stored));
}

unsigned int stored_count(const struct instance *instance)
{
	const struct stored *stored;
	unsigned int n = 0;

	TAILQ_FOREACH(stored, &instance->stored, entries)
		n++;
	return n;
}

void stored_give(const struct instance *instance, struct routing_start *start)
{
	const struct stored *stored;

	TAILQ_FOREACH(stored, &instance->stored, entries)
		routing_add_other(start, stored->fd, stored->name);
}

/* After a former supervisor, and for another keeper. */

void stored_put_all(struct instance *instance)
{
	struct stored *stored;

	TAILQ_FOREACH(stored, &instance->stored, entries)
		put(stored);
}

static struct instance *find_owner(struct supervisor *supervisor, const char *key)
{
	char name[LIMIT_KEY_CHARS + 1];
	char *slash;

	(void)strcpy(name, key + strlen(STORED_KEY));
	slash = strrchr(name, '/');
	if (slash)
		*slash = 0;
	return actor_find_instance(supervisor, name);
}

int stored_adopt(struct supervisor *supervisor, struct keep_message *message)
{
	struct instance *instance = find_owner(supervisor, message->key);
	struct stored *stored = instance ? calloc(1, sizeof(*stored)) : NULL;
	int r;

	if (!stored)
		return instance ? -ENOMEM : -ENOENT;
	stored->fd = -1;
	r = holding_decode(message, fields, 1, stored);
	if (r < 0) {
		release(stored);
		return r;
	}
	stored->fd = message->passed.fds[0];
	message->passed.n_fds = 0;
	add(instance, stored);
	return 0;
}
