#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/holding.h"
#include "daemon/supervisor/inherited.h"
#include "daemon/supervisor/supervisor.h"
#include "proto/descriptor.h"
#include "proto/name.h"

static struct inherited *find(struct supervisor *supervisor, const char *name)
{
	struct inherited *inherited;

	TAILQ_FOREACH(inherited, &supervisor->inherited, entries)
		if (strcmp(inherited->name, name) == 0)
			return inherited;
	return NULL;
}

static struct inherited *add(struct supervisor *supervisor, const char *name)
{
	struct inherited *inherited = calloc(1, sizeof(*inherited) + strlen(name) + 1);

	if (!inherited)
		return NULL;
	inherited->fd = -1;
	(void)strcpy(inherited->name, name);
	TAILQ_INSERT_TAIL(&supervisor->inherited, inherited, entries);
	return inherited;
}

int inherited_adopt(struct supervisor *supervisor, struct keep_message *message)
{
	const char *name = message->key + strlen(KEEP_SOCKET);
	struct inherited *inherited;

	if (message->passed.n_fds != 1 || !name_is_valid(name))
		return -EBADMSG;
	inherited = find(supervisor, name);
	if (!inherited)
		inherited = add(supervisor, name);
	if (!inherited)
		return -ENOMEM;
	descriptor_close(&inherited->fd);
	inherited->fd = message->passed.fds[0];
	message->passed.n_fds = 0;
	return 0;
}

void inherited_put_all(struct supervisor *supervisor)
{
	static const struct json_field no_fields[] = {JSON_FIELDS_END};
	struct inherited *inherited;
	char key[LIMIT_KEY_CHARS];

	TAILQ_FOREACH(inherited, &supervisor->inherited, entries) {
		(void)snprintf(key, sizeof(key), KEEP_SOCKET "%s", inherited->name);
		holding_put(supervisor->holding, key, no_fields, NULL, &inherited->fd, 1);
	}
}

bool inherited_has(struct supervisor *supervisor, const char *name)
{
	return find(supervisor, name);
}

int inherited_open(struct supervisor *supervisor, const char *name, int *ret_fd)
{
	const struct inherited *inherited = find(supervisor, name);
	int fd = inherited ? fcntl(inherited->fd, F_DUPFD_CLOEXEC, 0) : -1;

	if (fd < 0)
		return inherited ? -errno : -ENOENT;
	*ret_fd = fd;
	return 0;
}

void inherited_format_names(const struct supervisor *supervisor, char *text, size_t size)
{
	const struct inherited *inherited;
	size_t length = 0;

	text[0] = '\0';
	TAILQ_FOREACH(inherited, &supervisor->inherited, entries) {
		if (strcmp(inherited->name, INHERITED_CONTROL) == 0 || length >= size)
			continue;
		length += (size_t)snprintf(text + length, size - length, "%s%s",
			length > 0 ? ", " : "", inherited->name);
	}
}
