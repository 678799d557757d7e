#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "daemon/supervisor/actor-state.h"
#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/apply.h"
#include "daemon/supervisor/builtin.h"
#include "daemon/supervisor/client.h"
#include "daemon/supervisor/describe.h"
#include "daemon/supervisor/listener.h"
#include "daemon/supervisor/requests.h"

struct request {
	TAILQ_ENTRY(request) entries;
	struct supervisor *supervisor;
	struct call *call; /* NULL when its client has left */
	enum request_kind kind;
	char *name;
	char *failure;	    /* of a spawn that is being undone */
	int64_t generation; /* that a roll is to lead to */
	sd_event_source *timer;
	bool is_late; /* the acceptor had its time */
};

/* An acceptor that runs answers in a fraction of that, and one that has died is started again and
 * told again. One of a build that knew no pause never answers. */
#define PAUSE_SECONDS 5

static int on_late(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct request *request = userdata;

	(void)source;
	(void)usec;
	request->is_late = true;
	requests_check(request->supervisor);
	return 0;
}

static void arm(struct request *request)
{
	(void)sd_event_add_time_relative(request->supervisor->event, &request->timer,
		CLOCK_MONOTONIC, PAUSE_SECONDS * UINT64_C(1000000), 0, on_late, request);
}

int requests_add(
	struct supervisor *supervisor, struct call *call, enum request_kind kind, const char *name)
{
	struct request *request = calloc(1, sizeof(*request));
	const struct actor *actor = actor_find(supervisor, name);

	if (!request)
		return -ENOMEM;
	request->generation = actor ? actor->generation : 0;
	request->supervisor = supervisor;
	request->call = call;
	request->kind = kind;
	request->name = strdup(name);
	if (!request->name) {
		free(request);
		return -ENOMEM;
	}
	TAILQ_INSERT_TAIL(&supervisor->requests, request, entries);
	if (kind == REQUEST_PAUSED)
		arm(request);
	requests_check(supervisor);
	return 0;
}

static void end(struct supervisor *supervisor, struct request *request)
{
	TAILQ_REMOVE(&supervisor->requests, request, entries);
	sd_event_source_disable_unref(request->timer);
	free(request->name);
	free(request->failure);
	free(request);
}

static void reply_actor(struct request *request, const struct actor *actor)
{
	cJSON *parameters;

	if (!request->call)
		return;
	parameters = cJSON_CreateObject();
	(void)cJSON_AddItemToObject(parameters, "actor", describe_actor(actor));
	call_reply(request->call, parameters);
}

static void fail(struct request *request, const char *reason)
{
	if (request->call)
		describe_failure(request->call, "StartFailed", request->name, "%s",
			reason ? reason : "it did not start");
}

/* Each returns whether the request is answered. */

static bool check_gone(struct request *request)
{
	if (request->failure)
		fail(request, request->failure);
	else if (request->kind == REQUEST_ROLLED)
		describe_roll_failure(
			request->call, request->name, NULL, "it was removed meanwhile");
	else if (request->kind == REQUEST_REMOVED || request->kind == REQUEST_CLOSED) {
		if (request->call)
			call_reply(request->call, NULL);
	} else
		fail(request, "it was removed meanwhile");
	return true;
}

static bool check_ready(struct request *request, struct actor *actor)
{
	const struct instance *failure = actor_find_failure(actor);
	bool is_there =
		request->kind == REQUEST_SCALED ? actor_is_settled(actor) : actor_is_ready(actor);
	char *reason;

	if (is_there && !builtin_is_opening(actor)) {
		reply_actor(request, actor);
		return true;
	}
	if (!actor->is_wanted && !request->failure) {
		fail(request, "it was stopped meanwhile");
		return true;
	}
	if (!failure || request->failure)
		return false;
	reason = describe_end(failure);
	if (request->kind == REQUEST_SPAWN) {
		request->failure = reason;
		listener_close_all(actor);
		actor_remove(actor, true);
		return false;
	}
	fail(request, reason);
	free(reason);
	return true;
}

static bool check_rolled(struct request *request, const struct actor *actor)
{
	const char *name = request->name;

	if (actor->generation != request->generation)
		describe_roll_failure(request->call, name, NULL,
			"another restart of %s has begun meanwhile, and goes on in place of this one",
			name);
	else if (!actor->is_wanted)
		describe_roll_failure(request->call, name, NULL, "%s was stopped meanwhile", name);
	else if (actor->roll.failure)
		describe_roll_failure(request->call, name, actor->roll.failed_instance, "%s",
			actor->roll.failure);
	else if (!roll_is_under_way(actor))
		reply_actor(request, actor);
	else
		return false;
	return true;
}

static bool check_reloaded(struct request *request, const struct actor *actor)
{
	const struct instance *instance, *failed = NULL;

	TAILQ_FOREACH(instance, &actor->instances, entries) {
		if (reload_is_pending(instance))
			return false;
		if (!failed && instance->reload.failure)
			failed = instance;
	}
	if (failed)
		describe_failure(request->call, "Failed", NULL, "%s was not reloaded: %s",
			failed->name, failed->reload.failure);
	else
		reply_actor(request, actor);
	return true;
}

static void fail_pause(struct request *request)
{
	const struct actor *acceptor = actor_find(request->supervisor, BUILTIN_ACCEPTOR);
	const struct instance *instance = acceptor ? TAILQ_FIRST(&acceptor->instances) : NULL;

	describe_failure(request->call, "Failed", NULL,
		"the acceptor (pid %d) has not said within %d s that it accepts no more from %s; it "
		"may be stopped, or of a build before the last upgrade: 'kill -KILL %d' has it replaced, and "
		"the next one obeys; or 'inkoctl resume %s'",
		instance ? (int)instance->process.pid : 0, PAUSE_SECONDS, request->name,
		instance ? (int)instance->process.pid : 0, request->name);
}

static bool check_paused(struct request *request, const struct listener *listener)
{
	cJSON *parameters;

	if (!listener || !listener->is_paused) {
		describe_failure(request->call, "Failed", NULL, "%s was %s meanwhile",
			request->name, listener ? "resumed" : "closed");
		return true;
	}
	if (!listener->has_confirmed && !request->is_late)
		return false;
	if (!listener->has_confirmed) {
		fail_pause(request);
		return true;
	}
	parameters = cJSON_CreateObject();
	(void)cJSON_AddItemToObject(parameters, "listener", listener_describe(listener));
	call_reply(request->call, parameters);
	return true;
}

static bool check(struct supervisor *supervisor, struct request *request)
{
	struct actor *actor;

	if (request->kind == REQUEST_CLOSED)
		return !listener_find(supervisor, request->name) && check_gone(request);
	if (request->kind == REQUEST_UPGRADED)
		return false;
	if (request->kind == REQUEST_PAUSED)
		return check_paused(request, listener_find(supervisor, request->name));
	actor = actor_find(supervisor, request->name);
	if (!actor)
		return check_gone(request);
	if (request->kind == REQUEST_ROLLED)
		return check_rolled(request, actor);
	if (request->kind == REQUEST_RELOADED)
		return check_reloaded(request, actor);
	if (request->kind == REQUEST_SPAWN || request->kind == REQUEST_READY ||
		request->kind == REQUEST_SCALED)
		return check_ready(request, actor);
	if (request->kind == REQUEST_STOPPED && actor_is_stopped(actor)) {
		reply_actor(request, actor);
		return true;
	}
	return false;
}

void requests_check(struct supervisor *supervisor)
{
	struct request *request, *next;

	for (request = TAILQ_FIRST(&supervisor->requests); request; request = next) {
		next = TAILQ_NEXT(request, entries);
		if (check(supervisor, request))
			end(supervisor, request);
	}
	apply_check(supervisor);
}

void requests_answer_upgrade(struct supervisor *supervisor, const char *refusal)
{
	struct request *request, *next;

	for (request = TAILQ_FIRST(&supervisor->requests); request; request = next) {
		next = TAILQ_NEXT(request, entries);
		if (request->kind != REQUEST_UPGRADED)
			continue;
		if (refusal)
			describe_failure(request->call, "UpgradeRefused", NULL, "%s", refusal);
		else
			call_reply(request->call, NULL);
		end(supervisor, request);
	}
}

void requests_forget(struct supervisor *supervisor, const struct call *call)
{
	struct request *request, *next;

	apply_forget(supervisor, call);
	for (request = TAILQ_FIRST(&supervisor->requests); request; request = next) {
		next = TAILQ_NEXT(request, entries);
		if (request->call != call)
			continue;
		/* A spawn that fails is undone, whoever still wants to know. */
		if (request->kind == REQUEST_SPAWN)
			request->call = NULL;
		else
			end(supervisor, request);
	}
}
