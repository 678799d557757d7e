#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/adapter.h"
#include "daemon/supervisor/apply.h"
#include "daemon/supervisor/builtin.h"
#include "daemon/supervisor/client.h"
#include "daemon/supervisor/configuration.h"
#include "daemon/supervisor/count.h"
#include "daemon/supervisor/describe.h"
#include "daemon/supervisor/holding.h"
#include "daemon/supervisor/interface.h"
#include "daemon/supervisor/listener.h"
#include "daemon/supervisor/mail.h"
#include "daemon/supervisor/monitor.h"
#include "daemon/supervisor/opens.h"
#include "daemon/supervisor/plan.h"
#include "daemon/supervisor/requests.h"
#include "daemon/supervisor/service.h"
#include "daemon/supervisor/spec-check.h"
#include "daemon/supervisor/upgrade.h"
#include "proto/descriptor.h"
#include "proto/json.h"
#include "proto/lane.h"

/* So that a row of the table is a line. */
#define SERVICE SERVICE_INTERFACE
#define SUPERVISOR SERVICE_SUPERVISOR
/* Of a number whose range is not known before the actor is. */
#define NOT_GIVEN INT64_MIN

struct named {
	char *name;
};

struct monitoring {
	int64_t after;
};

struct scale {
	char *actor;
	int64_t instances;
};

struct restart {
	char *actor;
	bool is_rolling;
	int64_t max_extra;
};

struct application_request {
	cJSON *configuration;
	bool is_dry_run, prune;
};

struct send {
	char *mailbox, *text, *base64;
};

static const struct json_field no_fields[] = {JSON_FIELDS_END};

static const struct json_field actor_fields[] = {
	JSON_FIELD(named, "actor", JSON_STRING, name, true),
	JSON_FIELDS_END,
};

static const struct json_field listener_fields[] = {
	JSON_FIELD(named, "listener", JSON_STRING, name, true),
	JSON_FIELDS_END,
};

static const struct json_field interface_fields[] = {
	JSON_FIELD(service_description, "interface", JSON_STRING, interface, true),
	JSON_FIELDS_END,
};

static const struct json_field counters_fields[] = {
	JSON_FIELD(named, "actor", JSON_STRING, name, false),
	JSON_FIELDS_END,
};

static const struct json_field monitor_fields[] = {
	JSON_FIELD_INTEGER(monitoring, "after", after, false, 0, JSON_INTEGER_MAX),
	JSON_FIELDS_END,
};

static const struct json_field scale_fields[] = {
	JSON_FIELD(scale, "actor", JSON_STRING, actor, true),
	JSON_FIELD_INTEGER(scale, "instances", instances, true, 0, LIMIT_INSTANCES),
	JSON_FIELDS_END,
};

static const struct json_field restart_fields[] = {
	JSON_FIELD(restart, "actor", JSON_STRING, actor, true),
	JSON_FIELD(restart, "rolling", JSON_BOOLEAN, is_rolling, false),
	/* check_extra knows how many there may be. */
	JSON_FIELD_INTEGER(
		restart, "maxExtra", max_extra, false, -JSON_INTEGER_MAX, JSON_INTEGER_MAX),
	JSON_FIELDS_END,
};

static const struct json_field apply_fields[] = {
	JSON_FIELD(application_request, "configuration", JSON_OBJECT, configuration, true),
	JSON_FIELD(application_request, "dryRun", JSON_BOOLEAN, is_dry_run, false),
	JSON_FIELD(application_request, "prune", JSON_BOOLEAN, prune, false),
	JSON_FIELDS_END,
};

static const struct json_field send_fields[] = {
	JSON_FIELD(send, "mailbox", JSON_STRING, mailbox, true),
	JSON_FIELD(send, "text", JSON_STRING, text, false),
	JSON_FIELD(send, "base64", JSON_STRING, base64, false),
	JSON_FIELDS_END,
};

/* Errors that several methods share. */

static void fail_errno(struct call *call, const char *what, int error)
{
	describe_failure(call, "Failed", NULL, "%s: %s", what, strerror(-error));
}

/* An actor that a person may command; else call is answered. */
static struct actor *find_actor(struct supervisor *supervisor, struct call *call, const char *name)
{
	struct actor *actor = actor_find(supervisor, name);

	if (!actor && strchr(name, '/'))
		describe_failure(call, "NoSuchActor", name,
			"%.100s is no actor; name the actor, not one of its instances", name);
	else if (!actor)
		describe_failure(call, "NoSuchActor", name,
			"there is no actor %.100s; 'inkoctl list' shows those that are", name);
	else if (actor->is_removing) {
		describe_failure(call, "Failed", NULL, "%s is being removed", name);
		actor = NULL;
	}
	return actor;
}

static struct actor *find_own_actor(
	struct supervisor *supervisor, struct call *call, const char *name)
{
	struct actor *actor = find_actor(supervisor, call, name);

	if (actor && actor->is_builtin) {
		describe_failure(call, "Failed", NULL,
			"%s belongs to inkod, which starts and stops it itself", name);
		actor = NULL;
	}
	return actor;
}

static void answer_later(
	struct supervisor *supervisor, struct call *call, enum request_kind kind, const char *actor)
{
	int r = requests_add(supervisor, call, kind, actor);

	if (r < 0)
		fail_errno(call, actor, r);
}

/* Looking. */

static void reply_one(struct call *call, const char *name, cJSON *value)
{
	cJSON *parameters = cJSON_CreateObject();

	(void)cJSON_AddItemToObject(parameters, name, value);
	call_reply(call, parameters);
}

static void get_status(struct supervisor *supervisor, struct call *call, void *parameters)
{
	const struct holding_keeper *keeper = holding_peek_keeper(supervisor->holding);
	cJSON *object = cJSON_CreateObject();

	(void)parameters;
	(void)cJSON_AddStringToObject(object, "version", PACKAGE_VERSION);
	(void)cJSON_AddStringToObject(object, "runtimeDirectory", supervisor->runtime);
	(void)cJSON_AddNumberToObject(object, "keeperPid", keeper->pid);
	(void)cJSON_AddStringToObject(object, "keeperVersion", keeper->version);
	(void)cJSON_AddNumberToObject(object, "keeperReplaced", keeper->replaced);
	(void)cJSON_AddNumberToObject(object, "supervisorPid", getpid());
	(void)cJSON_AddItemToObject(object, "actors", describe_actors(supervisor));
	(void)cJSON_AddItemToObject(object, "listeners", describe_listeners(supervisor));
	(void)cJSON_AddItemToObject(
		object, "position", json_new_integer(monitor_get_position(supervisor->monitor)));
	call_reply(call, object);
}

static void list_actors(struct supervisor *supervisor, struct call *call, void *parameters)
{
	(void)parameters;
	reply_one(call, "actors", describe_actors(supervisor));
}

static void list_listeners(struct supervisor *supervisor, struct call *call, void *parameters)
{
	(void)parameters;
	reply_one(call, "listeners", describe_listeners(supervisor));
}

static void list_routes(struct supervisor *supervisor, struct call *call, void *parameters)
{
	(void)parameters;
	reply_one(call, "routes", describe_routes(supervisor));
}

static void get_logs(struct supervisor *supervisor, struct call *call, void *parameters)
{
	struct named *named = parameters;
	struct actor *actor = find_actor(supervisor, call, named->name);

	if (actor)
		reply_one(call, "logs", describe_logs(actor));
}

static void get_counters(struct supervisor *supervisor, struct call *call, void *parameters)
{
	struct named *named = parameters;
	struct actor *actor = named->name ? find_actor(supervisor, call, named->name) : NULL;

	if (actor || !named->name)
		call_reply(call, count_describe(supervisor, actor));
}

static void init_monitor(void *parameters)
{
	((struct monitoring *)parameters)->after = -1;
}

static void monitor(struct supervisor *supervisor, struct call *call, void *parameters)
{
	struct monitoring *wanted = parameters;
	int r;

	if (!call_wants_more(call)) {
		service_fail(call, "ExpectedMore", NULL, NULL);
		return;
	}
	r = monitor_add(supervisor->monitor, call, wanted->after);
	if (r == -EUSERS)
		describe_failure(call, "Failed", NULL,
			"%d of your clients monitor already; end one of them first",
			LIMIT_MONITORS_PER_UID);
	else if (r < 0)
		fail_errno(call, "what happens cannot be told", r);
}

/* Actors. */

static void init_spec(void *parameters)
{
	spec_init(parameters);
}

static bool is_full(const struct supervisor *supervisor)
{
	const struct actor *actor;
	size_t n = 0;

	TAILQ_FOREACH(actor, &supervisor->actors, entries)
		n += !actor->is_builtin;
	return n >= LIMIT_ACTORS;
}

static void spawn(struct supervisor *supervisor, struct call *call, void *parameters)
{
	struct spec *spec = parameters;
	struct listener_refusal refusal;
	struct actor *actor, *gateway;
	const char *parameter;
	char reason[512];
	const struct spec_asker asker = {.uid = call_get_uid(call), .runtime = supervisor->runtime};
	int r = spec_check(spec, &asker, &parameter, reason);

	if (r == -ENOENT) {
		describe_failure(call, "NoSuchProgram", spec->command[0], "%s", reason);
		return;
	}
	if (r == -EINVAL) {
		describe_failure(call, "InvalidValue", parameter, "%s", reason);
		return;
	}
	if (r < 0) {
		fail_errno(call, "the spec cannot be checked", r);
		return;
	}
	if (builtin_is_reserved(spec->name) || actor_find(supervisor, spec->name)) {
		describe_failure(call, "NameInUse", spec->name,
			"there is an actor %s already; choose another name%s", spec->name,
			builtin_is_reserved(spec->name) ? "" : ", or remove it first");
		return;
	}
	if (opens_check(supervisor, spec, reason) < 0) {
		describe_failure(call, "InvalidValue", "opens", "%s", reason);
		return;
	}
	if (is_full(supervisor)) {
		describe_failure(call, "Failed", NULL,
			"there are %d actors already, and may be no more; remove one first",
			LIMIT_ACTORS);
		return;
	}
	(void)builtin_ensure_gateway(supervisor, &gateway);
	r = adapter_open_listeners(supervisor, spec, &refusal);
	if (r < 0) {
		describe_failure(call, refusal.error, refusal.subject, "%s", refusal.reason);
		return;
	}
	r = actor_new(supervisor, spec, ACTOR_BY_HAND, &actor);
	if (r < 0) {
		adapter_close_listeners(supervisor, spec);
		fail_errno(call, "the actor cannot be made", r);
		return;
	}
	r = actor_start(actor);
	if (r < 0) {
		fail_errno(call, actor->spec.name, r);
		actor_remove(actor, true);
		return;
	}
	builtin_open_endpoint(actor);
	answer_later(supervisor, call, REQUEST_SPAWN, actor->spec.name);
}

static void start(struct supervisor *supervisor, struct call *call, void *parameters)
{
	struct named *named = parameters;
	struct actor *actor = find_own_actor(supervisor, call, named->name);
	int r = actor ? actor_start(actor) : 0;

	if (actor && actor->spec.instances == 0)
		describe_failure(call, "Failed", NULL,
			"%s is to have no instances; 'inkoctl scale %s 1'", named->name,
			named->name);
	else if (r < 0)
		fail_errno(call, named->name, r);
	else if (actor)
		answer_later(supervisor, call, REQUEST_READY, named->name);
}

static void init_restart(void *parameters)
{
	((struct restart *)parameters)->max_extra = NOT_GIVEN;
}

static bool check_extra(struct call *call, const struct actor *actor, const struct restart *wanted)
{
	/* An actor may be scaled to nothing. */
	int64_t max = actor->spec.instances > 0 ? actor->spec.instances : 1;

	if (wanted->max_extra == NOT_GIVEN)
		return true;
	if (wanted->is_rolling && wanted->max_extra >= 1 && wanted->max_extra <= max)
		return true;
	if (wanted->is_rolling)
		describe_out_of_range(call, "maxExtra", 1, max);
	else
		describe_failure(call, "InvalidValue", "maxExtra",
			"maxExtra goes with rolling: without it there are no extra instances");
	return false;
}

static bool check_rolling(
	struct call *call, const struct actor *actor, const struct restart *wanted)
{
	if (!wanted->is_rolling || !readiness_is_shared(&actor->spec))
		return true;
	describe_failure(call, "InvalidValue", "readyCheck",
		"%s is ready when somebody listens at %s (readyCheck): beside the old instance a new "
		"one would be taken for ready, and could not listen there; 'inkoctl restart %s' "
		"without --rolling, or let the program say READY=1",
		actor->spec.name, actor->spec.ready_check, actor->spec.name);
	return false;
}

static void restart(struct supervisor *supervisor, struct call *call, void *parameters)
{
	struct restart *wanted = parameters;
	struct actor *actor = find_own_actor(supervisor, call, wanted->actor);
	int r;

	if (!actor || !check_extra(call, actor, wanted) || !check_rolling(call, actor, wanted))
		return;
	if (wanted->is_rolling)
		r = actor_roll(actor, wanted->max_extra == NOT_GIVEN ? 1 : wanted->max_extra);
	else
		r = actor_restart(actor);
	if (r < 0)
		fail_errno(call, wanted->actor, r);
	else
		answer_later(supervisor, call, wanted->is_rolling ? REQUEST_ROLLED : REQUEST_READY,
			wanted->actor);
}

static void reload(struct supervisor *supervisor, struct call *call, void *parameters)
{
	struct named *named = parameters;
	struct actor *actor = find_own_actor(supervisor, call, named->name);
	const struct instance *pending;

	if (!actor)
		return;
	pending = reload_find_pending(actor);
	/* Not joined: what is changed now it may have read before. */
	if (pending)
		describe_failure(call, "Failed", NULL,
			"%s is being reloaded already, and %s is not done; try again when it is",
			named->name, pending->name);
	else if (reload_begin(actor))
		answer_later(supervisor, call, REQUEST_RELOADED, named->name);
	else
		describe_failure(call, "Failed", NULL, "no instance of %s is ready", named->name);
}

static void stop(struct supervisor *supervisor, struct call *call, void *parameters)
{
	struct named *named = parameters;
	struct actor *actor = find_own_actor(supervisor, call, named->name);

	if (!actor)
		return;
	actor_stop(actor);
	answer_later(supervisor, call, REQUEST_STOPPED, named->name);
}

static void scale(struct supervisor *supervisor, struct call *call, void *parameters)
{
	struct scale *wanted = parameters;
	struct actor *actor = find_own_actor(supervisor, call, wanted->actor);
	bool grows = actor && wanted->instances > actor->spec.instances;
	int r;

	if (actor && wanted->instances > 1 && readiness_is_shared(&actor->spec)) {
		describe_failure(call, "InvalidValue", "readyCheck",
			"%s is ready when somebody listens at %s (readyCheck), where two programs "
			"cannot listen; leave it at one instance, or let the program say READY=1",
			actor->spec.name, actor->spec.ready_check);
		return;
	}
	r = actor ? actor_scale(actor, wanted->instances) : 0;
	if (r < 0)
		fail_errno(call, wanted->actor, r);
	else if (actor && !actor->is_wanted)
		answer_later(supervisor, call, REQUEST_STOPPED, wanted->actor);
	else if (actor)
		answer_later(
			supervisor, call, grows ? REQUEST_READY : REQUEST_SCALED, wanted->actor);
}

static void remove_actor(struct supervisor *supervisor, struct call *call, void *parameters)
{
	struct named *named = parameters;
	struct actor *actor = find_own_actor(supervisor, call, named->name);
	struct listener *listener = actor ? listener_find_to(supervisor, named->name) : NULL;

	if (listener)
		describe_failure(call, "StillRouted", named->name,
			"the listener %s leads to %s; 'inkoctl close %s' first", listener->name,
			named->name, listener->name);
	if (!actor || listener)
		return;
	actor_remove(actor, false);
	answer_later(supervisor, call, REQUEST_REMOVED, named->name);
}

static bool check_takes_messages(struct call *call, const struct actor *actor)
{
	if (adapter_takes_messages(&actor->spec))
		return true;
	if (!adapter_has_mailbox(&actor->spec))
		describe_failure(call, "Failed", NULL,
			"%s has no mailbox, by its adapter; it takes no messages",
			actor->spec.name);
	else
		describe_failure(call, "Failed", NULL,
			"%s takes no messages, by its adapter, but connections alone; 'inkoctl "
			"listen ADDRESS --to %s' hands it some",
			actor->spec.name, actor->spec.name);
	return false;
}

/* Listeners. */

static void init_listen(void *parameters)
{
	listener_request_init(parameters);
}

static void open_listener(struct supervisor *supervisor, struct call *call, void *parameters)
{
	struct listener_request *request = parameters;
	struct listener_refusal refusal;
	struct listener *listener;
	const char *complaint;
	struct actor *actor;
	int r = listener_request_check(request, &refusal);

	if (r == -ENOMEM) {
		fail_errno(call, "the listener cannot be made", r);
		return;
	}
	actor = r == 0 ? find_own_actor(supervisor, call, request->to ? request->to : request->give)
		       : NULL;
	if (r == 0 && !actor)
		return;
	complaint = actor ? adapter_find_obstacle(&actor->spec, request) : NULL;
	if (complaint) {
		describe_failure(call, "Failed", NULL, "%s %s", actor->spec.name, complaint);
		return;
	}
	if (r == 0)
		r = listener_new(supervisor, request, &listener, &refusal);
	if (r < 0) {
		describe_failure(call, refusal.error, refusal.subject, "%s", refusal.reason);
		return;
	}
	r = listener_publish(listener);
	if (r < 0) {
		listener_free(listener);
		fail_errno(call, "the acceptor cannot be started", r);
		return;
	}
	reply_one(call, "listener", listener_describe(listener));
}

/* Else call is answered. */
static struct listener *find_listener(
	struct supervisor *supervisor, struct call *call, const char *name)
{
	struct listener *listener = listener_find(supervisor, name);

	if (!listener)
		describe_failure(call, "NoSuchListener", name,
			"there is no listener %.100s; 'inkoctl list listeners' shows those that "
			"are",
			name);
	return listener;
}

/* One that the acceptor has, and keeps. */
static struct listener *find_accepted(
	struct supervisor *supervisor, struct call *call, const char *name)
{
	struct listener *listener = find_listener(supervisor, call, name);

	if (listener && listener->give) {
		describe_failure(call, "ListenerGiven", name,
			"%s was given to the instances of %s, which accept from it themselves, so "
			"that it cannot be paused; 'inkoctl stop %s' lets its clients wait",
			name, listener->give, listener->give);
		return NULL;
	}
	if (listener && listener->is_closing) {
		describe_failure(call, "Failed", NULL, "%s is being closed", name);
		return NULL;
	}
	return listener;
}

static void pause_listener(struct supervisor *supervisor, struct call *call, void *parameters)
{
	struct named *named = parameters;
	struct listener *listener = find_accepted(supervisor, call, named->name);

	if (!listener)
		return;
	listener_pause(listener);
	answer_later(supervisor, call, REQUEST_PAUSED, named->name);
}

static void resume_listener(struct supervisor *supervisor, struct call *call, void *parameters)
{
	struct named *named = parameters;
	struct listener *listener = find_accepted(supervisor, call, named->name);

	if (!listener)
		return;
	listener_resume(listener);
	reply_one(call, "listener", listener_describe(listener));
}

static void close_listener(struct supervisor *supervisor, struct call *call, void *parameters)
{
	struct named *named = parameters;
	struct listener *listener = find_listener(supervisor, call, named->name);

	if (listener && listener->is_owned)
		describe_failure(call, "Failed", NULL,
			"%s belongs to %s, and is closed by 'inkoctl remove %s'", named->name,
			listener->give, listener->give);
	if (!listener || listener->is_owned)
		return;
	if (!listener->is_closing)
		listener_close(listener);
	answer_later(supervisor, call, REQUEST_CLOSED, named->name);
}

/* Configurations. */

static void apply(struct supervisor *supervisor, struct call *call, void *parameters)
{
	struct application_request *wanted = parameters;
	const struct spec_asker asker = {.uid = call_get_uid(call), .runtime = supervisor->runtime};
	struct configuration_fault fault;
	struct plan *plan;
	cJSON *changes;
	int r;

	if (plan_make(supervisor, &asker, wanted->configuration, wanted->prune, wanted->is_dry_run,
		    &plan, &fault) < 0) {
		describe_failure(call, "InvalidConfiguration", fault.path, "%s%s%s", fault.path,
			fault.path[0] ? ": " : "", fault.reason);
	} else if (wanted->is_dry_run) {
		changes = plan_describe(plan);
		plan_free(plan);
		reply_one(call, "changes", changes);
	} else {
		r = apply_begin(supervisor, plan, call, NULL);
		if (r < 0)
			fail_errno(call, "the configuration cannot be applied", r);
	}
}

static void export_configuration(struct supervisor *supervisor, struct call *call, void *parameters)
{
	(void)parameters;
	reply_one(call, "configuration", configuration_describe(supervisor));
}

/* Messages. */

static void send_message(struct supervisor *supervisor, struct call *call, void *parameters)
{
	struct send *wanted = parameters;
	struct actor *actor = find_own_actor(supervisor, call, wanted->mailbox);
	_cleanup_free_ void *decoded = NULL;
	const char *instance;
	size_t size = wanted->text ? strlen(wanted->text) : 0;
	int r = 0;

	if (!actor || !check_takes_messages(call, actor))
		return;
	if (!wanted->text == !wanted->base64 ||
		(wanted->base64 && mail_decode_base64(wanted->base64, &decoded, &size) < 0)) {
		describe_failure(call, "InvalidValue", "text",
			"give the message as text, or as base64: one of the two, and valid");
		return;
	}
	r = mail_send(actor, wanted->text ? wanted->text : decoded, size, &instance);
	if (r == -EHOSTDOWN)
		describe_failure(call, "NobodyReady", wanted->mailbox,
			"no instance of %s is ready; 'inkoctl start %s', or send over nng, where "
			"messages wait",
			wanted->mailbox, wanted->mailbox);
	else if (r == -EAGAIN)
		describe_failure(call, "MailboxFull", wanted->mailbox,
			"every mailbox of %s is full; send again when it has read some",
			wanted->mailbox);
	else if (r < 0)
		fail_errno(call, "the message cannot be sent", r);
	else
		reply_one(call, "instance", cJSON_CreateString(instance));
}

static void upgrade(struct supervisor *supervisor, struct call *call, void *parameters)
{
	int r = upgrade_begin(supervisor, call);

	(void)parameters;
	if (r == -ENOTCONN)
		describe_failure(call, "Failed", NULL,
			"the keeper has died, and another is to take over: try again in a second");
	else if (r < 0)
		fail_errno(call, "the upgrade cannot be begun", r);
}

/* clang-format off */
const struct interface_method interface_methods[] = {
	/* method				parameters	    of				may		  defaults	handler */
	{SUPERVISOR ".GetStatus",		no_fields,	    0,				INTERFACE_LOOK,	  NULL,		get_status},
	{SUPERVISOR ".ListActors",		no_fields,	    0,				INTERFACE_LOOK,	  NULL,		list_actors},
	{SUPERVISOR ".ListListeners",		no_fields,	    0,				INTERFACE_LOOK,	  NULL,		list_listeners},
	{SUPERVISOR ".ListRoutes",		no_fields,	    0,				INTERFACE_LOOK,	  NULL,		list_routes},
	{SUPERVISOR ".GetLogs",			actor_fields,	    sizeof(struct named),	INTERFACE_LOOK,	  NULL,		get_logs},
	{SUPERVISOR ".GetCounters",		counters_fields,    sizeof(struct named),	INTERFACE_LOOK,	  NULL,		get_counters},
	{SUPERVISOR ".Monitor",			monitor_fields,	    sizeof(struct monitoring),	INTERFACE_LOOK,	  init_monitor,	monitor},
	{SUPERVISOR ".Spawn",			spec_fields,	    sizeof(struct spec),	INTERFACE_CHANGE, init_spec,	spawn},
	{SUPERVISOR ".Start",			actor_fields,	    sizeof(struct named),	INTERFACE_CHANGE, NULL,		start},
	{SUPERVISOR ".Reload",			actor_fields,	    sizeof(struct named),	INTERFACE_CHANGE, NULL,		reload},
	{SUPERVISOR ".Stop",			actor_fields,	    sizeof(struct named),	INTERFACE_CHANGE, NULL,		stop},
	{SUPERVISOR ".Restart",			restart_fields,	    sizeof(struct restart),	INTERFACE_CHANGE, init_restart,	restart},
	{SUPERVISOR ".Scale",			scale_fields,	    sizeof(struct scale),	INTERFACE_CHANGE, NULL,		scale},
	{SUPERVISOR ".Remove",			actor_fields,	    sizeof(struct named),	INTERFACE_CHANGE, NULL,		remove_actor},
	{SUPERVISOR ".Listen",			listener_request_fields, sizeof(struct listener_request), INTERFACE_CHANGE, init_listen,	open_listener},
	{SUPERVISOR ".Pause",			listener_fields,    sizeof(struct named),	INTERFACE_CHANGE, NULL,		pause_listener},
	{SUPERVISOR ".Resume",			listener_fields,    sizeof(struct named),	INTERFACE_CHANGE, NULL,		resume_listener},
	{SUPERVISOR ".Close",			listener_fields,    sizeof(struct named),	INTERFACE_CHANGE, NULL,		close_listener},
	{SUPERVISOR ".Apply",			apply_fields,	    sizeof(struct application_request), INTERFACE_CHANGE, NULL,	apply},
	{SUPERVISOR ".Export",			no_fields,	    0,				INTERFACE_LOOK,	  NULL,		export_configuration},
	{SUPERVISOR ".Send",			send_fields,	    sizeof(struct send),	INTERFACE_CHANGE, NULL,		send_message},
	{SUPERVISOR ".Upgrade",			no_fields,	    0,				INTERFACE_CHANGE, NULL,		upgrade},
	{SERVICE ".GetInfo",			no_fields,	    0,				INTERFACE_LOOK,	  NULL,		service_get_info},
	{SERVICE ".GetInterfaceDescription",	interface_fields,   sizeof(struct service_description), INTERFACE_LOOK, NULL,	service_get_description},
	{NULL,					NULL,		    0,				INTERFACE_LOOK,	  NULL,		NULL},
};
/* clang-format on */

static const struct interface_method *find_method(const char *name)
{
	for (const struct interface_method *method = interface_methods; method->name; method++)
		if (strcmp(method->name, name) == 0)
			return method;
	return NULL;
}

static void fail_decoding(struct call *call, const struct json_field *fields, const char *name,
	enum json_problem problem)
{
	if (problem != JSON_OUT_OF_RANGE) {
		service_fail(call, "InvalidParameter", "parameter", name);
		return;
	}
	while (strcmp(fields->name, name) != 0)
		fields++;
	describe_out_of_range(call, name, fields->min, fields->max);
}

static bool may(const struct call *call, enum interface_access access)
{
	uid_t uid = call_get_uid(call);

	return access == INTERFACE_LOOK || uid == 0 || uid == geteuid();
}

static void handle(void *context, struct call *call)
{
	struct supervisor *supervisor = context;
	const struct interface_method *method = find_method(call_peek_method(call));
	_cleanup_free_ void *parameters = NULL;
	cJSON *empty = NULL;
	const cJSON *given = call_peek_parameters(call);
	const char *field;
	enum json_problem problem;

	if (!method) {
		service_fail(call, "MethodNotFound", "method", call_peek_method(call));
		return;
	}
	if (!may(call, method->access)) {
		service_fail(call, "PermissionDenied", NULL, NULL);
		return;
	}
	if (supervisor->stopping && method->access == INTERFACE_CHANGE) {
		describe_failure(call, "Failed", NULL, "inkod is stopping");
		return;
	}
	parameters = calloc(1, method->size + 1);
	if (!parameters)
		abort();
	if (method->init)
		method->init(parameters);
	if (!given || cJSON_IsNull(given))
		given = empty = cJSON_CreateObject();
	if (json_decode(given, method->parameters, parameters, &field, &problem) < 0)
		fail_decoding(call, method->parameters, field, problem);
	else
		method->handle(supervisor, call, parameters);
	json_release(method->parameters, parameters);
	cJSON_Delete(empty);
}

static void on_left(void *context, struct call *call)
{
	struct supervisor *supervisor = context;

	requests_forget(supervisor, call);
	monitor_forget(supervisor->monitor, call);
}

static void on_drained(void *context, struct call *call)
{
	monitor_on_drained(((struct supervisor *)context)->monitor, call);
}

const struct client_events interface_events = {
	.handle = handle,
	.on_left = on_left,
	.on_drained = on_drained,
};
