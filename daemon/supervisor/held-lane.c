#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/builtin.h"
#include "daemon/supervisor/held-lane.h"
#include "daemon/supervisor/holding.h"
#include "proto/descriptor.h"
#include "proto/json-fields.h"
#include "proto/lane.h"

static const struct json_field fields[] = {
	JSON_FIELD_INTEGER(held_lane, "number", number, true, 1, JSON_INTEGER_MAX),
	JSON_FIELD(held_lane, "from", JSON_STRING, from, true),
	JSON_FIELD(held_lane, "to", JSON_STRING, to, true),
	JSON_FIELD(held_lane, "answers", JSON_BOOLEAN, answers, false),
	JSON_FIELD(held_lane, "revoked", JSON_BOOLEAN, revoked, false),
	JSON_FIELD(held_lane, "toldFrom", JSON_BOOLEAN, told_from, false),
	JSON_FIELD(held_lane, "toldTo", JSON_BOOLEAN, told_to, false),
	JSON_FIELD(held_lane, "counted", JSON_BOOLEAN, is_counted, false),
	JSON_FIELDS_END,
};

static const char *key_of(const struct held_lane *lane, char key[static LIMIT_KEY_CHARS])
{
	(void)snprintf(key, LIMIT_KEY_CHARS, "lane/%" PRIi64, lane->number);
	return key;
}

static int compare_ends(const void *a, const void *b)
{
	const struct held_lane *one = a, *other = b;
	int r = strcmp(one->to, other->to);

	if (r == 0)
		r = strcmp(one->from, other->from);
	return r ? r : one->answers - other->answers;
}

static int add_to_list(struct held_lane *lane)
{
	struct supervisor *supervisor = lane->supervisor;
	struct held_lane **node =
		lane->revoked ? &lane : tsearch(lane, &supervisor->lane_tree, compare_ends);

	if (!node || *node != lane)
		return node ? -EEXIST : -ENOMEM;
	TAILQ_INSERT_TAIL(&supervisor->lanes, lane, entries);
	return 0;
}

static struct held_lane *allocate(struct supervisor *supervisor)
{
	struct held_lane *lane = calloc(1, sizeof(*lane));

	if (!lane)
		return NULL;
	lane->supervisor = supervisor;
	lane->write_fd = lane->read_fd = -1;
	return lane;
}

static void release(struct held_lane *lane)
{
	sd_event_source_disable_unref(lane->watch);
	descriptor_close(&lane->write_fd);
	descriptor_close(&lane->read_fd);
	json_release(fields, lane);
	free(lane);
}

void held_lane_put(struct held_lane *lane)
{
	char key[LIMIT_KEY_CHARS];

	holding_put(lane->supervisor->holding, key_of(lane, key), fields, lane,
		(int[]){lane->write_fd, lane->read_fd}, 2);
}

static void update(struct held_lane *lane)
{
	char key[LIMIT_KEY_CHARS];

	holding_update(lane->supervisor->holding, key_of(lane, key), fields, lane);
}

int held_lane_new(struct supervisor *supervisor, const char *from, const char *to, bool answers,
	unsigned int queue, struct held_lane **ret_lane)
{
	struct held_lane *lane = allocate(supervisor);
	int r;

	if (!lane)
		return -ENOMEM;
	lane->number = (int64_t)++supervisor->last_lane;
	lane->from = strdup(from);
	lane->to = strdup(to);
	lane->answers = answers;
	r = lane->from && lane->to ? lane_open(queue, &lane->write_fd, &lane->read_fd) : -ENOMEM;
	if (r < 0) {
		release(lane);
		return r;
	}
	r = add_to_list(lane);
	if (r < 0) {
		release(lane);
		return r;
	}
	held_lane_put(lane);
	*ret_lane = lane;
	return 0;
}

struct held_lane *held_lane_free(struct held_lane *lane)
{
	char key[LIMIT_KEY_CHARS];

	if (!lane)
		return NULL;
	holding_drop(lane->supervisor->holding, key_of(lane, key));
	if (!lane->revoked)
		(void)tdelete(lane, &lane->supervisor->lane_tree, compare_ends);
	TAILQ_REMOVE(&lane->supervisor->lanes, lane, entries);
	release(lane);
	return NULL;
}

struct held_lane *held_lane_find(
	struct supervisor *supervisor, const char *from, const char *to, bool answers)
{
	const struct held_lane wanted = {
		.from = (char *)from, .to = (char *)to, .answers = answers};
	void *node = tfind(&wanted, &supervisor->lane_tree, compare_ends);

	return node ? *(struct held_lane **)node : NULL;
}

int held_lane_adopt(struct supervisor *supervisor, struct keep_message *message)
{
	struct held_lane *lane = allocate(supervisor);
	int r;

	if (!lane)
		return -ENOMEM;
	r = holding_decode(message, fields, 2, lane);
	if (r < 0) {
		release(lane);
		return r;
	}
	r = add_to_list(lane);
	if (r < 0) {
		release(lane);
		return r;
	}
	lane->write_fd = message->passed.fds[0];
	lane->read_fd = message->passed.fds[1];
	message->passed.n_fds = 0;
	if ((uint64_t)lane->number > supervisor->last_lane)
		supervisor->last_lane = (uint64_t)lane->number;
	return 0;
}

void held_lane_revoke(struct held_lane *lane)
{
	if (lane->revoked)
		return;
	(void)lane_revoke(lane->read_fd);
	(void)tdelete(lane, &lane->supervisor->lane_tree, compare_ends);
	lane->revoked = true;
	lane->is_waited_on = false;
	lane->told_to = false;
	update(lane);
}

void held_lane_set_told(struct held_lane *lane, bool told_from, bool told_to)
{
	if (lane->told_from == told_from && lane->told_to == told_to)
		return;
	lane->told_from = told_from;
	lane->told_to = told_to;
	update(lane);
}

void held_lane_set_counted(struct held_lane *lane)
{
	lane->is_counted = true;
	update(lane);
}

bool held_lane_is_shared(const struct held_lane *lane)
{
	return lane->revoked || strchr(lane->to, '*');
}

bool held_lane_is_to_actor(const struct held_lane *lane, const char *actor)
{
	size_t length = strlen(actor);

	return strncmp(lane->to, actor, length) == 0 && lane->to[length] == '/';
}

struct actor *held_lane_find_target(const struct held_lane *lane)
{
	char name[LIMIT_NAME_CHARS + 1];
	size_t length = strcspn(lane->to, "/");

	if (length >= sizeof(name))
		return NULL;
	memcpy(name, lane->to, length);
	name[length] = '\0';
	return actor_find(lane->supervisor, name);
}

bool held_lane_is_trusted(const struct held_lane *lane)
{
	size_t length = strcspn(lane->from, "/");

	return strcmp(lane->from, HELD_LANE_CONTROL) == 0 ||
	       (length == strlen(BUILTIN_ACCEPTOR) &&
		       strncmp(lane->from, BUILTIN_ACCEPTOR, length) == 0) ||
	       (length == strlen(BUILTIN_GATEWAY) &&
		       strncmp(lane->from, BUILTIN_GATEWAY, length) == 0);
}
