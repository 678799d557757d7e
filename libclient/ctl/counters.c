/*
 * What inkod's processes have counted.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "errors.h"
#include "reply.h"
#include "table.h"
#include "verbs.h"

static const struct column work_columns[] = {
	{"NAME", 0, COLUMN_PLAIN, 8},
	{"RECEIVED", 0, COLUMN_RIGHT, 6},
	{"CONNECTIONS", 0, COLUMN_RIGHT, 7},
	{"LATE", 0, COLUMN_RIGHT, 2},
	{"MOVED", 0, COLUMN_RIGHT, 1},
	{"RESTARTS", 0, COLUMN_RIGHT, 3},
	{"P50", 0, COLUMN_RIGHT, 4},
	{"P99", 0, COLUMN_RIGHT, 5},
	{},
};

static const struct column listener_columns[] = {
	{"LISTENER", 0, COLUMN_PLAIN, 4},
	{"ACCEPTED", 0, COLUMN_RIGHT, 3},
	{"HANDED OVER", 0, COLUMN_RIGHT, 1},
	{"REFUSED", 0, COLUMN_RIGHT, 2},
	{},
};

static const struct column endpoint_columns[] = {
	{"ENDPOINT", 0, COLUMN_PLAIN, 4},
	{"ACCEPTED", 0, COLUMN_RIGHT, 3},
	{"HANDED OVER", 0, COLUMN_RIGHT, 1},
	{"REFUSED", 0, COLUMN_RIGHT, 2},
	{},
};

static void add_number(struct table *table, const cJSON *object, const char *member)
{
	table_add(table, TONE_PLAIN, "%" PRId64, reply_number(object, member));
}

static void add_time(struct table *table, const cJSON *object, const char *member)
{
	table_add_time(table, reply_member(object, member) ? reply_number(object, member) : -1);
}

static void add_work(struct table *table, const char *name, const cJSON *object)
{
	table_add(table, TONE_PLAIN, "%s", name);
	add_number(table, object, "received");
	add_number(table, object, "connections");
	add_number(table, object, "late");
	add_number(table, object, "moved");
	add_number(table, object, "restarts");
	add_time(table, object, "p50USec");
	add_time(table, object, "p99USec");
}

static void add_instance(struct table *table, const cJSON *instance)
{
	char name[128];

	(void)snprintf(name, sizeof(name), "  %s", reply_shown(instance, "name"));
	add_work(table, name, instance);
}

static bool is_instance_of(const cJSON *instance, const cJSON *actor)
{
	const char *name = reply_shown(actor, "name"), *whole = reply_shown(instance, "name");
	size_t length = strlen(name);

	return strncmp(whole, name, length) == 0 && whole[length] == '/';
}

/* Prints table, which is freed. */
static int finish(const struct session *session, struct table *table)
{
	int status = table ? table_print(table, &session->look, stdout)
			   : complain(STATUS_REFUSED, "there is not enough memory");

	table_free(table);
	return status;
}

/* Of instances that are gone: without them the actor's numbers were those of nobody. */
static void add_former(struct table *table, const cJSON *reply, const cJSON *actor)
{
	const cJSON *former;

	cJSON_ArrayForEach(former, reply_member(reply, "former")) {
		if (strcmp(reply_shown(former, "name"), reply_shown(actor, "name")) == 0)
			add_work(table, "  (gone)", former);
	}
}

static int print_work(const struct session *session, const cJSON *reply)
{
	struct table *table = table_new(work_columns);
	const cJSON *actor, *instance;

	if (table)
		cJSON_ArrayForEach(actor, reply_member(reply, "actors")) {
			add_work(table, reply_shown(actor, "name"), actor);
			cJSON_ArrayForEach(instance, reply_member(reply, "instances")) {
				if (is_instance_of(instance, actor))
					add_instance(table, instance);
			}
			add_former(table, reply, actor);
		}
	return finish(session, table);
}

static void add_source(struct table *table, const char *name, const cJSON *source)
{
	table_add(table, TONE_PLAIN, "%s", name);
	add_number(table, source, "accepted");
	add_number(table, source, "handedOver");
	add_number(table, source, "refused");
}

static int print_sources(const struct session *session, const struct column *columns,
	const cJSON *sources, const cJSON *others)
{
	struct table *table;
	const cJSON *source;

	if (cJSON_GetArraySize(sources) == 0)
		return STATUS_DONE;
	putchar('\n');
	table = table_new(columns);
	if (table)
		cJSON_ArrayForEach(source, sources) {
			add_source(table, reply_shown(source, "name"), source);
		}
	if (table && others)
		add_source(table, "(others)", others);
	return finish(session, table);
}

static int print(const struct session *session, const cJSON *reply)
{
	int status = print_work(session, reply);

	if (status == STATUS_DONE)
		status = print_sources(session, listener_columns, reply_member(reply, "listeners"),
			reply_member(reply, "otherListeners"));
	if (status == STATUS_DONE)
		status = print_sources(session, endpoint_columns, reply_member(reply, "endpoints"),
			reply_member(reply, "otherEndpoints"));
	return status;
}

int run_counters(struct session *session, const struct verb *verb, cJSON *parameters)
{
	cJSON *reply;
	int status;

	(void)verb;
	status = session_call(session, "GetCounters", parameters, &reply);
	if (reply)
		status = print(session, reply);
	cJSON_Delete(reply);
	return status;
}
