#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/client.h"
#include "daemon/supervisor/holding.h"
#include "daemon/supervisor/monitor.h"
#include "proto/json-fields.h"
#include "proto/json.h"
#include "proto/limits.h"

/* What a client may leave unread before it misses events: some hundred. What the kernel holds for
 * it comes on top. */
#define UNREAD_BYTES (64u << 10)
/* Enough for what a supervisor does before a client has come again. */
#define REMEMBERED 256
/* Of those that outlive it. */
#define MILESTONES 16
/* With those before them, of which the position alone is kept: who missed them is told how many. */
#define MILESTONES_COUNTED 256
#define LIST "list"
#define EVENT "event"

struct remembered {
	int64_t position;
	cJSON *event;
};

struct listening {
	LIST_ENTRY(listening) entries;
	struct call *call;
	int64_t missed;
};

struct milestones {
	cJSON *object; /* has a list of what a client is told, the oldest first */
};

struct monitor {
	int64_t first_position; /* before the first event */
	int64_t position;
	LIST_HEAD(, listening) listening;
	struct milestones milestones;
	struct remembered ring[REMEMBERED]; /* by position */
};

static const char *const kinds[MONITOR_KINDS] = {
	[MONITOR_ACTOR] = "actor",
	[MONITOR_INSTANCE] = "instance",
	[MONITOR_KILL] = "kill",
	[MONITOR_STALL] = "stall",
	[MONITOR_LISTENER] = "listener",
	[MONITOR_ROLL] = "roll",
	[MONITOR_ADOPTION] = "adoption",
	[MONITOR_KEEPER] = "keeper",
	[MONITOR_OVERRUN] = "overrun",
};

/* What nobody else would tell of who is gone meanwhile: remembered for the next supervisors too. */
static const bool is_milestone[MONITOR_KINDS] = {
	[MONITOR_ADOPTION] = true,
	[MONITOR_KEEPER] = true,
};

static const struct json_field milestones_fields[] = {
	JSON_FIELD(milestones, "milestones", JSON_OBJECT, object, true),
	JSON_FIELDS_END,
};

static int64_t now_usec(clockid_t clock)
{
	struct timespec now = {0};

	(void)clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int monitor_new(struct monitor **ret_monitor)
{
	struct monitor *monitor = calloc(1, sizeof(*monitor));

	if (!monitor)
		return -ENOMEM;
	/* Behind every position of every supervisor before: none says an event a microsecond. */
	monitor->first_position = monitor->position = now_usec(CLOCK_BOOTTIME);
	monitor->milestones.object = cJSON_CreateObject();
	(void)cJSON_AddArrayToObject(monitor->milestones.object, LIST);
	*ret_monitor = monitor;
	return 0;
}

int64_t monitor_get_position(const struct monitor *monitor)
{
	return monitor->position;
}

/* Events as JSON */

static void add_text(cJSON *object, const char *name, const char *text)
{
	if (text)
		(void)cJSON_AddStringToObject(object, name, text);
}

static cJSON *describe(const struct monitor_event *event)
{
	cJSON *object = cJSON_CreateObject();

	(void)cJSON_AddItemToObject(object, "timeUSec", json_new_integer(now_usec(CLOCK_REALTIME)));
	add_text(object, "kind", kinds[event->kind]);
	add_text(object, "name", event->name);
	add_text(object, "from", event->from);
	add_text(object, "to", event->to);
	add_text(object, "why", event->why);
	if (event->pid > 0)
		(void)cJSON_AddItemToObject(object, "pid", json_new_integer(event->pid));
	if (event->count > 0)
		(void)cJSON_AddItemToObject(object, "count", json_new_integer(event->count));
	return object;
}

static cJSON *describe_at(int64_t position, cJSON *take_event)
{
	cJSON *object = cJSON_CreateObject();

	(void)cJSON_AddItemToObject(object, "position", json_new_integer(position));
	if (take_event)
		(void)cJSON_AddItemToObject(object, EVENT, take_event);
	return object;
}

static void tell(struct call *call, int64_t position, cJSON *take_event)
{
	call_continue(call, describe_at(position, take_event));
}

/* How many it missed, up to that position, as an event that only this client is told; 0 when that
 * is not known. */
static void tell_overrun(struct call *call, int64_t position, int64_t missed)
{
	const struct monitor_event overrun = {
		.kind = MONITOR_OVERRUN, .name = "monitor", .count = missed};

	tell(call, position, describe(&overrun));
}

static struct remembered *find_place(struct monitor *monitor, int64_t position)
{
	return &monitor->ring[position % REMEMBERED];
}

static void remember(struct monitor *monitor, cJSON *take_event)
{
	struct remembered *place = find_place(monitor, monitor->position);

	cJSON_Delete(place->event);
	*place = (struct remembered){.position = monitor->position, .event = take_event};
}

/* Milestones */

static cJSON *peek_list(const struct monitor *monitor)
{
	return cJSON_GetObjectItemCaseSensitive(monitor->milestones.object, LIST);
}

static int64_t get_position(const cJSON *milestone)
{
	const cJSON *position = cJSON_GetObjectItemCaseSensitive(milestone, "position");

	return cJSON_IsNumber(position) ? (int64_t)position->valuedouble : 0;
}

void monitor_put(struct supervisor *supervisor)
{
	struct monitor *monitor = supervisor->monitor;

	if (cJSON_GetArraySize(peek_list(monitor)) > 0)
		holding_put(supervisor->holding, MONITOR_KEY, milestones_fields,
			&monitor->milestones, NULL, 0);
}

static void note_milestone(struct supervisor *supervisor, cJSON *take_event)
{
	struct monitor *monitor = supervisor->monitor;
	cJSON *list = peek_list(monitor);
	int forgotten;

	(void)cJSON_AddItemToArray(list, describe_at(monitor->position, take_event));
	if (cJSON_GetArraySize(list) > MILESTONES_COUNTED)
		cJSON_DeleteItemFromArray(list, 0);
	forgotten = cJSON_GetArraySize(list) - MILESTONES - 1;
	if (forgotten >= 0)
		cJSON_DeleteItemFromObjectCaseSensitive(cJSON_GetArrayItem(list, forgotten), EVENT);
	monitor_put(supervisor);
}

int monitor_adopt(struct supervisor *supervisor, struct keep_message *message)
{
	struct monitor *monitor = supervisor->monitor;
	struct milestones held = {0};
	int r = holding_decode(message, milestones_fields, 0, &held);

	if (r == 0 && !cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(held.object, LIST)))
		r = -EBADMSG;
	if (r < 0) {
		json_release(milestones_fields, &held);
		return r;
	}
	json_release(milestones_fields, &monitor->milestones);
	monitor->milestones = held;
	return 0;
}

void monitor_say(struct supervisor *supervisor, const struct monitor_event *event)
{
	struct monitor *monitor = supervisor->monitor;
	struct listening *listening;
	cJSON *object;

	if (!monitor)
		return;
	object = describe(event);
	monitor->position++;
	LIST_FOREACH(listening, &monitor->listening, entries) {
		if (listening->missed > 0 || call_count_unread(listening->call) > UNREAD_BYTES)
			listening->missed++;
		else
			tell(listening->call, monitor->position, cJSON_Duplicate(object, true));
	}
	if (is_milestone[event->kind])
		note_milestone(supervisor, cJSON_Duplicate(object, true));
	remember(monitor, object);
}

void monitor_say_kill(const struct instance *instance, const char *why)
{
	const struct monitor_event event = {.kind = MONITOR_KILL,
		.name = instance->name,
		.pid = instance->process.pid,
		.why = why};

	monitor_say(instance->actor->supervisor, &event);
}

/* In these states it has no process: if it ended, last_exit says how. */
static bool has_ended(enum lifecycle_state state)
{
	return state == LIFECYCLE_WAITING || state == LIFECYCLE_FAILED ||
	       state == LIFECYCLE_STOPPED || state == LIFECYCLE_ENDED;
}

void monitor_say_state(struct instance *instance)
{
	int64_t pid = instance->process.pid ? instance->process.pid : instance->said_pid;
	const struct monitor_event event = {.kind = MONITOR_INSTANCE,
		.name = instance->name,
		.from = lifecycle_name(instance->said_state),
		.to = lifecycle_name(instance->state),
		.pid = pid,
		.why = pid && has_ended(instance->state) ? instance->last_exit : NULL};

	if (instance->said_state == instance->state)
		return;
	monitor_say(instance->actor->supervisor, &event);
	instance->said_state = instance->state;
	instance->said_pid = instance->process.pid;
}

/* Who listens */

/* What this supervisor has said itself stands in the ring. */
static bool is_former(const struct monitor *monitor, const cJSON *milestone, int64_t after)
{
	int64_t position = get_position(milestone);

	return position > after && position <= monitor->first_position;
}

/* Those that are known by their position alone. Before the first of a full list there may have been
 * more. */
static void tell_forgotten(const struct monitor *monitor, struct call *call, int64_t after)
{
	const cJSON *list = peek_list(monitor), *milestone;
	bool is_counted = cJSON_GetArraySize(list) < MILESTONES_COUNTED ||
			  after >= get_position(cJSON_GetArrayItem(list, 0));
	int64_t missed = 0, last = after;

	cJSON_ArrayForEach(milestone, list) {
		if (cJSON_HasObjectItem(milestone, EVENT) || !is_former(monitor, milestone, after))
			continue;
		missed++;
		last = get_position(milestone);
	}
	if (missed > 0)
		tell_overrun(call, last, is_counted ? missed : 0);
}

/* Those of former supervisors. */
static void replay_milestones(const struct monitor *monitor, struct call *call, int64_t after)
{
	const cJSON *milestone;

	tell_forgotten(monitor, call, after);
	cJSON_ArrayForEach(milestone, peek_list(monitor))
		if (cJSON_HasObjectItem(milestone, EVENT) && is_former(monitor, milestone, after))
			call_continue(call, cJSON_Duplicate(milestone, true));
}

static void replay(struct monitor *monitor, struct call *call, int64_t after)
{
	int64_t oldest = monitor->position - REMEMBERED + 1;

	if (oldest <= monitor->first_position)
		oldest = monitor->first_position + 1;
	if (after < monitor->first_position)
		after = monitor->first_position;
	if (after + 1 < oldest) {
		tell_overrun(call, oldest - 1, oldest - after - 1);
		after = oldest - 1;
	}
	for (int64_t position = after + 1; position <= monitor->position; position++)
		tell(call, position, cJSON_Duplicate(find_place(monitor, position)->event, true));
}

static unsigned int count_of(const struct monitor *monitor, uid_t uid)
{
	const struct listening *listening;
	unsigned int n = 0;

	LIST_FOREACH(listening, &monitor->listening, entries)
		n += call_get_uid(listening->call) == uid;
	return n;
}

int monitor_add(struct monitor *monitor, struct call *call, int64_t after)
{
	struct listening *listening;

	if (count_of(monitor, call_get_uid(call)) >= LIMIT_MONITORS_PER_UID)
		return -EUSERS;
	listening = calloc(1, sizeof(*listening));
	if (!listening)
		return -ENOMEM;
	listening->call = call;
	LIST_INSERT_HEAD(&monitor->listening, listening, entries);
	tell(call, after >= 0 && after < monitor->position ? after : monitor->position, NULL);
	if (after >= 0) {
		replay_milestones(monitor, call, after);
		replay(monitor, call, after);
	}
	return 0;
}

static struct listening *find(struct monitor *monitor, const struct call *call)
{
	struct listening *listening;

	LIST_FOREACH(listening, &monitor->listening, entries)
		if (listening->call == call)
			return listening;
	return NULL;
}

void monitor_forget(struct monitor *monitor, const struct call *call)
{
	struct listening *listening = find(monitor, call);

	if (!listening)
		return;
	LIST_REMOVE(listening, entries);
	free(listening);
}

void monitor_on_drained(struct monitor *monitor, struct call *call)
{
	struct listening *listening = find(monitor, call);
	int64_t missed = listening ? listening->missed : 0;

	if (missed == 0)
		return;
	listening->missed = 0;
	tell_overrun(call, monitor->position, missed);
}
