/*
 * Verbs that show how things are.
 */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "duration.h"
#include "errors.h"
#include "printable.h"
#include "reply.h"
#include "table.h"
#include "verbs.h"

#define DETAIL_BYTES 1024

static const struct column status_columns[] = {
	{"NAME", 0, COLUMN_PLAIN, 7},
	{"STATE", 0, COLUMN_PLAIN, 6},
	{"ORIGIN", 0, COLUMN_PLAIN, 1},
	{"PID", 0, COLUMN_RIGHT, 2},
	{"RESTARTS", 0, COLUMN_RIGHT, 4},
	{"MESSAGES", 0, COLUMN_RIGHT, 5},
	{"DETAIL", 12, COLUMN_PLAIN, 3},
	{},
};

static const struct column actor_columns[] = {
	{"NAME", 0, COLUMN_PLAIN, 7},
	{"STATE", 0, COLUMN_PLAIN, 6},
	{"ORIGIN", 0, COLUMN_PLAIN, 1},
	{"READY", 0, COLUMN_RIGHT, 5},
	{"RESTARTS", 0, COLUMN_RIGHT, 3},
	{"MESSAGES", 0, COLUMN_RIGHT, 4},
	{"COMMAND", 12, COLUMN_PLAIN, 2},
	{},
};

/* What any address of IPv4 has room in. */
#define ADDRESS_WIDTH (sizeof("tcp://255.255.255.255:65535") - 1)

static const struct column listener_columns[] = {
	{"LISTENER", 0, COLUMN_PLAIN, 7},
	{"ADDRESS", ADDRESS_WIDTH, COLUMN_CUT_WITHIN, 4},
	{"STATE", 0, COLUMN_PLAIN, 6},
	{"ORIGIN", 0, COLUMN_PLAIN, 3},
	{"LEADS TO", 0, COLUMN_PLAIN, 5},
	{"BALANCE", 0, COLUMN_SPARE, 1},
	{"HOLD", 0, COLUMN_SPARE | COLUMN_RIGHT, 2},
	{},
};

static const struct column route_columns[] = {
	{"LISTENER", 0, COLUMN_PLAIN, 4},
	{"ADDRESS", ADDRESS_WIDTH, COLUMN_CUT_WITHIN, 2},
	{"ACTOR", 0, COLUMN_PLAIN, 3},
	{"HOW", 0, COLUMN_PLAIN, 1},
	{},
};

/* The enum values of the interface as they are written on the command line. */
static const char *shown_way(const char *way)
{
	return strcmp(way, "roundRobin") == 0 ? "round-robin" : way;
}

/* Who wanted it: what somebody did by hand is gone when inkod begins again. */
static void add_origin(struct table *table, const cJSON *object)
{
	const char *origin = reply_shown(object, "origin");

	if (cJSON_IsTrue(reply_member(object, "builtin")))
		origin = "inkod";
	table_add(table, TONE_PLAIN, "%s", strcmp(origin, "hand") == 0 ? "by hand" : origin);
}

static void add_number(struct table *table, int64_t number)
{
	table_add(table, TONE_PLAIN, "%" PRId64, number);
}

static int64_t sum(const cJSON *actor, const char *member)
{
	const cJSON *instance;
	int64_t total = 0;

	cJSON_ArrayForEach(instance, reply_member(actor, "instances")) {
		total += reply_number(instance, member);
	}
	return total;
}

static bool has_generations(const cJSON *actor)
{
	const cJSON *instance;

	cJSON_ArrayForEach(instance, reply_member(actor, "instances")) {
		if (reply_number(instance, "generation") != reply_number(actor, "generation"))
			return true;
	}
	return false;
}

static void add_command(struct table *table, const cJSON *actor)
{
	const cJSON *word;
	char *line = NULL;
	size_t size;
	FILE *stream;

	if (cJSON_IsTrue(reply_member(actor, "builtin"))) {
		table_add(table, TONE_PLAIN, "part of inkod");
		return;
	}
	if (reply_text(actor, "description")) {
		table_add(table, TONE_PLAIN, "%s", reply_text(actor, "description"));
		return;
	}
	stream = open_memstream(&line, &size);
	if (stream) {
		cJSON_ArrayForEach(word, reply_member(actor, "command")) {
			fprintf(stream, "%s%s", ftell(stream) > 0 ? " " : "",
				cJSON_GetStringValue(word));
		}
		fclose(stream);
	}
	table_add(table, TONE_PLAIN, "%s", line ? line : "-");
	free(line);
}

/* How a roll goes is more than what it rolls. */
static void add_actor_detail(struct table *table, const cJSON *actor)
{
	const char *failure = reply_text(actor, "rollFailure");

	/* What it said last, and what to do about it, stand below the table. */
	if (failure)
		table_add(
			table, TONE_BAD, "roll failed: %.*s", (int)strcspn(failure, ";"), failure);
	else if (cJSON_IsTrue(reply_member(actor, "rolling")))
		table_add(table, TONE_BUSY, "rolling over to generation %" PRId64,
			reply_number(actor, "generation"));
	else
		add_command(table, actor);
}

/* One part of a detail, behind those before. */
static void add_part(char *detail, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add_part(char *detail, const char *format, ...)
{
	size_t used = strlen(detail);
	va_list arguments;

	if (used > 0)
		used += (size_t)snprintf(detail + used, DETAIL_BYTES - used, "; ");
	if (used >= DETAIL_BYTES)
		return;
	va_start(arguments, format);
	vsnprintf(detail + used, DETAIL_BYTES - used, format, arguments);
	va_end(arguments);
}

/* Which generation is said where there are several. */
static void add_detail(struct table *table, const cJSON *instance, bool with_generation)
{
	const char *status = reply_text(instance, "status");
	const char *last_exit = reply_text(instance, "lastExit");
	int64_t lost = reply_number(instance, "lostOutputBytes");
	char detail[DETAIL_BYTES] = "";

	if (with_generation)
		add_part(detail, "generation %" PRId64, reply_number(instance, "generation"));
	if (cJSON_IsTrue(reply_member(instance, "reloading")))
		add_part(detail, "is reloading");
	if (status && *status)
		add_part(detail, "%s", status);
	else if (last_exit && *last_exit)
		add_part(detail, "last: %s", last_exit);
	if (reply_text(instance, "refused"))
		add_part(detail, "%s", reply_text(instance, "refused"));
	if (lost > 0)
		add_part(detail, "%" PRId64 " MiB of its output given up", (lost >> 20) + 1);
	table_add(table, TONE_PLAIN, "%s", *detail ? detail : "-");
}

static void add_instance(struct table *table, const cJSON *instance, bool with_generation)
{
	int64_t pid = reply_number(instance, "pid");

	table_add(table, TONE_PLAIN, "  %s", reply_shown(instance, "name"));
	table_add_state(table, reply_shown(instance, "state"));
	table_add(table, TONE_PLAIN, "-");
	if (pid > 0)
		add_number(table, pid);
	else
		table_add(table, TONE_PLAIN, "-");
	add_number(table, reply_number(instance, "restarts"));
	add_number(table, reply_number(instance, "messages"));
	add_detail(table, instance, with_generation);
}

static void add_actor_with_instances(struct table *table, const cJSON *actor)
{
	bool with_generation = has_generations(actor);
	const cJSON *instance;

	table_add(table, TONE_PLAIN, "%s", reply_shown(actor, "name"));
	table_add_state(table, reply_shown(actor, "state"));
	add_origin(table, actor);
	table_add(table, TONE_PLAIN, "-");
	add_number(table, reply_number(actor, "restarts"));
	add_number(table, sum(actor, "messages"));
	add_actor_detail(table, actor);
	cJSON_ArrayForEach(instance, reply_member(actor, "instances")) {
		add_instance(table, instance, with_generation);
	}
}

static void add_actor(struct table *table, const cJSON *actor)
{
	table_add(table, TONE_PLAIN, "%s", reply_shown(actor, "name"));
	table_add_state(table, reply_shown(actor, "state"));
	add_origin(table, actor);
	table_add(table, TONE_PLAIN, "%d/%d", reply_count_ready(actor),
		cJSON_GetArraySize(reply_member(actor, "instances")) - reply_count_retiring(actor));
	add_number(table, reply_number(actor, "restarts"));
	add_number(table, sum(actor, "messages"));
	add_command(table, actor);
}

static void add_listener(struct table *table, const cJSON *listener)
{
	const char *given = reply_text(listener, "give");
	char hold[DURATION_TEXT_BYTES], address[REPLY_ADDRESS_BYTES];

	duration_format(reply_number(listener, "holdUSec"), hold);
	reply_format_address(listener, address);
	table_add(table, TONE_PLAIN, "%s", reply_shown(listener, "name"));
	table_add(table, TONE_PLAIN, "%s", address);
	table_add_state(table, reply_shown(listener, "state"));
	add_origin(table, listener);
	table_add(table, TONE_PLAIN, "%s%s", given ? given : reply_shown(listener, "to"),
		given ? " (given)" : "");
	/* Who holds the listener itself accepts as it likes. */
	table_add(
		table, TONE_PLAIN, "%s", given ? "-" : shown_way(reply_shown(listener, "balance")));
	table_add(table, TONE_PLAIN, "%s", given ? "-" : hold);
}

static void add_route(struct table *table, const cJSON *route)
{
	table_add(table, TONE_PLAIN, "%s", reply_shown(route, "listener"));
	table_add(table, TONE_PLAIN, "%s", reply_shown(route, "address"));
	table_add(table, TONE_PLAIN, "%s", reply_shown(route, "actor"));
	table_add(table, TONE_PLAIN, "%s", shown_way(reply_shown(route, "how")));
}

static int print_rows(const struct session *session, const cJSON *array,
	const struct column *columns, void (*add)(struct table *table, const cJSON *object))
{
	struct table *table = table_new(columns);
	const cJSON *object;
	int status;

	if (!table)
		return complain(STATUS_REFUSED, "there is not enough memory");
	cJSON_ArrayForEach(object, array) {
		add(table, object);
	}
	status = table_print(table, &session->look, stdout);
	table_free(table);
	return status;
}

static const struct list {
	const char *what;
	const char *method;
	const char *member;
	const struct column *columns;
	void (*add)(struct table *table, const cJSON *object);
} lists[] = {
	{"actors", "ListActors", "actors", actor_columns, add_actor},
	{"listeners", "ListListeners", "listeners", listener_columns, add_listener},
	{"routes", "ListRoutes", "routes", route_columns, add_route},
};

static const struct list *find_list(const char *what)
{
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		if (strcmp(lists[i].what, what) == 0)
			return &lists[i];
	}
	return NULL;
}

int run_list(struct session *session, const struct verb *verb, cJSON *parameters)
{
	const char *what = reply_text(parameters, "what");
	const struct list *list = find_list(what ? what : "actors");
	cJSON *reply;
	int status;

	if (!list)
		return complain_usage(
			verb->name, "there are no '%s': list actors, listeners or routes", what);
	cJSON_DeleteItemFromObjectCaseSensitive(parameters, "what");
	status = session_call(session, list->method, parameters, &reply);
	if (reply)
		status = print_rows(
			session, reply_member(reply, list->member), list->columns, list->add);
	cJSON_Delete(reply);
	return status;
}

/* A sentence that no table has room for. */
static void print_roll_failures(const cJSON *actors)
{
	const cJSON *actor;

	cJSON_ArrayForEach(actor, actors) {
		const char *failure = reply_text(actor, "rollFailure");
		char *clean = failure ? printable_line(failure) : NULL;

		if (clean)
			printf("\n%s: %s\n", reply_shown(actor, "name"), clean);
		free(clean);
	}
}

static void print_processes(const cJSON *reply)
{
	const char *version = reply_text(reply, "keeperVersion");
	int64_t keeper = reply_number(reply, "keeperPid");

	printf("inkod %s in %s (pids: keeper ", reply_shown(reply, "version"),
		reply_shown(reply, "runtimeDirectory"));
	if (keeper == 0)
		printf("none");
	else
		printf("%" PRId64, keeper);
	printf(", supervisor %" PRId64 ")\n\n", reply_number(reply, "supervisorPid"));
	if (version && *version && strcmp(version, reply_shown(reply, "version")) != 0)
		printf("The keeper is of inkod %s; 'inkoctl upgrade' replaces both.\n\n", version);
	if (keeper == 0)
		printf("There is no keeper: what runs goes on, and the next one is given all.\n\n");
}

static int print_status(const struct session *session, const cJSON *reply)
{
	const cJSON *listeners = reply_member(reply, "listeners");
	int status;

	print_processes(reply);
	status = print_rows(
		session, reply_member(reply, "actors"), status_columns, add_actor_with_instances);
	if (status == STATUS_DONE && cJSON_GetArraySize(listeners) > 0) {
		putchar('\n');
		status = print_rows(session, listeners, listener_columns, add_listener);
	}
	if (status == STATUS_DONE)
		print_roll_failures(reply_member(reply, "actors"));
	return status;
}

int run_status(struct session *session, const struct verb *verb, cJSON *parameters)
{
	cJSON *reply;
	int status;

	(void)verb;
	status = session_call(session, "GetStatus", parameters, &reply);
	if (reply)
		status = print_status(session, reply);
	cJSON_Delete(reply);
	return status;
}
