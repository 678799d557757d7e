#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/counters.h"
#include "daemon/supervisor/holding.h"
#include "daemon/supervisor/instance-notice.h"
#include "daemon/supervisor/notify.h"
#include "daemon/supervisor/output.h"
#include "daemon/supervisor/routing.h"
#include "proto/descriptor.h"

static const struct json_field fields[] = {
	JSON_FIELD(instance, "name", JSON_STRING, name, true),
	JSON_FIELD_INTEGER(instance, "index", index, true, 0, INSTANCE_INDEX_MAX),
	JSON_FIELD(instance, "state", JSON_STRING, state_name, true),
	JSON_FIELD_INTEGER(instance, "restarts", restarts, true, 0, JSON_INTEGER_MAX),
	JSON_FIELD(instance, "status", JSON_STRING, status, false),
	JSON_FIELD(instance, "refused", JSON_STRING, refused, false),
	JSON_FIELD(instance, "reloading", JSON_BOOLEAN, is_reloading, false),
	JSON_FIELD_INTEGER(
		instance, "extendedUntilUSec", extended_until_usec, false, 0, JSON_INTEGER_MAX),
	JSON_FIELD_INTEGER(instance, "watchdogUSec", watchdog_usec, false, -1, JSON_INTEGER_MAX),
	JSON_FIELD(instance, "lastExit", JSON_STRING, last_exit, false),
	JSON_FIELD(instance, "wasReady", JSON_BOOLEAN, was_ready, false),
	JSON_FIELD(instance, "signalled", JSON_BOOLEAN, is_signalled, false),
	JSON_FIELD(instance, "wasBrief", JSON_BOOLEAN, was_brief, false),
	JSON_FIELD_INTEGER(instance, "generation", generation, false, 1, JSON_INTEGER_MAX),
	JSON_FIELD(instance, "retiring", JSON_BOOLEAN, is_retiring, false),
	JSON_FIELD_INTEGER(instance, "moved", moved, false, 0, JSON_INTEGER_MAX),
	JSON_FIELD_INTEGER(instance, "movedLane", moved_lane, false, 0, JSON_INTEGER_MAX),
	JSON_FIELDS_END,
};

static struct supervisor *supervisor_of(const struct instance *instance)
{
	return instance->actor->supervisor;
}

static const char *key_of(const struct instance *instance, char key[static LIMIT_KEY_CHARS])
{
	(void)snprintf(key, LIMIT_KEY_CHARS, KEEP_INSTANCE "%s", instance->name);
	return key;
}

static void name_state(struct instance *instance)
{
	free(instance->state_name);
	instance->state_name = strdup(lifecycle_name(instance->state));
}

void instance_put(struct instance *instance)
{
	char key[LIMIT_KEY_CHARS];

	name_state(instance);
	holding_put(supervisor_of(instance)->holding, key_of(instance, key), fields, instance,
		(int[]){instance->notify_fd, instance->counters_fd}, 2);
}

void instance_update(struct instance *instance)
{
	char key[LIMIT_KEY_CHARS];

	name_state(instance);
	holding_update(supervisor_of(instance)->holding, key_of(instance, key), fields, instance);
}

void instance_set_last_exit(struct instance *instance, const char *format, ...)
{
	va_list arguments;

	free(instance->last_exit);
	va_start(arguments, format);
	if (vasprintf(&instance->last_exit, format, arguments) < 0)
		instance->last_exit = NULL;
	va_end(arguments);
}

/* Its life in memory. */

static struct instance *allocate(struct actor *actor)
{
	struct instance *instance = calloc(1, sizeof(*instance));

	if (!instance)
		return NULL;
	instance->actor = actor;
	instance_process_init(&instance->process);
	readiness_init(&instance->readiness);
	reload_init(&instance->reload);
	instance->notify_fd = instance->counters_fd = -1;
	instance->watchdog_usec = -1;
	TAILQ_INIT(&instance->stored);
	return instance;
}

static void release(struct instance *instance)
{
	instance_process_done(&instance->process);
	readiness_end(&instance->readiness);
	reload_done(&instance->reload);
	sd_event_source_disable_unref(instance->on_notify);
	sd_event_source_disable_unref(instance->on_discarded);
	sd_event_source_disable_unref(instance->timer);
	sd_event_source_disable_unref(instance->on_room);
	descriptor_close(&instance->notify_fd);
	descriptor_close(&instance->counters_fd);
	restart_policy_done(&instance->policy);
	json_release(fields, instance);
	free(instance);
}

int instance_new(struct actor *actor, int64_t index, struct instance **ret_instance)
{
	struct instance *instance = allocate(actor);
	char path[PATH_MAX];
	int r;

	if (!instance)
		return -ENOMEM;
	instance->index = index;
	instance->generation = actor->generation;
	if (asprintf(&instance->name, "%s/%" PRIi64, actor->spec.name, index) < 0) {
		instance->name = NULL;
		r = -ENOMEM;
	} else {
		r = notify_path(actor->supervisor->runtime, instance->name, path);
	}
	if (r == 0)
		r = notify_open(path, &instance->notify_fd);
	if (r == 0)
		r = counters_new_page(&instance->counters_fd);
	if (r == 0)
		r = instance_notice_watch(instance);
	if (r >= 0)
		r = actor_link_instance(actor, instance);
	if (r < 0) {
		release(instance);
		return r;
	}
	instance_put(instance);
	*ret_instance = instance;
	return 0;
}

struct instance *instance_free(struct instance *instance)
{
	struct supervisor *supervisor = supervisor_of(instance);
	char path[PATH_MAX], key[LIMIT_KEY_CHARS];

	routing_forget(instance);
	stored_remove_all(instance);
	if (notify_path(supervisor->runtime, instance->name, path) == 0)
		(void)unlink(path);
	output_remove(supervisor->output, instance->name);
	holding_drop(supervisor->holding, key_of(instance, key));
	actor_unlink_instance(instance);
	release(instance);
	return NULL;
}

void instance_note_moved(struct instance *instance, int64_t lane, unsigned int messages)
{
	if (instance->moved_lane == lane)
		return;
	instance->moved += messages;
	instance->moved_lane = lane;
	instance_update(instance);
}

/* After a former supervisor. */

/* One that knew no counters held no page: its processes count in none, the next one does. */
static int adopt_descriptors(struct instance *instance, struct keep_message *message)
{
	bool has_page = message->passed.n_fds == 2;
	int r = has_page ? 0 : counters_new_page(&instance->counters_fd);

	if (r < 0)
		return r;
	instance->notify_fd = message->passed.fds[0];
	if (has_page)
		instance->counters_fd = message->passed.fds[1];
	message->passed.n_fds = 0;
	if (!has_page)
		instance_put(instance);
	return 0;
}

int instance_adopt(struct actor *actor, struct keep_message *message)
{
	struct instance *instance = allocate(actor);
	int r;

	if (!instance)
		return -ENOMEM;
	r = holding_decode(message, fields, message->passed.n_fds == 2 ? 2 : 1, instance);
	if (r == 0)
		r = lifecycle_find(instance->state_name);
	if (r >= 0) {
		instance->state = instance->said_state = (enum lifecycle_state)r;
		r = adopt_descriptors(instance, message);
	}
	if (r >= 0)
		r = instance_notice_watch(instance);
	if (r >= 0 && instance->generation == 0) {
		/* Of a supervisor that knew only one, and no others than those it still wanted. */
		instance->generation = 1;
		instance->is_retiring = instance->index >= actor->spec.instances;
	}
	if (r >= 0)
		r = actor_link_instance(actor, instance);
	if (r < 0)
		release(instance);
	return r < 0 ? r : 0;
}
