#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/builtin.h"
#include "daemon/supervisor/client.h"
#include "daemon/supervisor/describe.h"
#include "daemon/supervisor/listener.h"
#include "daemon/supervisor/output.h"
#include "daemon/supervisor/requests.h"

struct request {
	TAILQ_ENTRY(request) entries;
	struct call *call; /* NULL when its client has left */
	enum request_kind kind;
	char *name;
	char *failure; /* of a spawn that is being undone */
};

int requests_add(
	struct supervisor *supervisor, struct call *call, enum request_kind kind, const char *name)
{
	struct request *request = calloc(1, sizeof(*request));

	if (!request)
		return -ENOMEM;
	request->call = call;
	request->kind = kind;
	request->name = strdup(name);
	if (!request->name) {
		free(request);
		return -ENOMEM;
	}
	TAILQ_INSERT_TAIL(&supervisor->requests, request, entries);
	requests_check(supervisor);
	return 0;
}

static void end(struct supervisor *supervisor, struct request *request)
{
	TAILQ_REMOVE(&supervisor->requests, request, entries);
	free(request->name);
	free(request->failure);
	free(request);
}

static char *explain_failure(const struct actor *actor, const struct instance *failure)
{
	const char *ended = failure->last_exit ? failure->last_exit : "ended";
	/* It ran well enough, as far as anybody can see. */
	bool is_silent = failure->is_late || strcmp(ended, "exited with status 0") == 0;
	char line[256], *text;

	output_last_line(actor->supervisor->output, failure->name, line, sizeof(line));
	if (asprintf(&text, "%s %s%s%s%s%s", failure->name, ended,
		    failure->is_late ? "" : " before it was ready",
		    is_silent ? "; a program is ready when it says READY=1 (sd_notify(3))" : "",
		    *line ? "; it said: " : "", line) < 0)
		return NULL;
	return text;
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
	char *reason;

	if (actor_is_ready(actor) && !builtin_is_opening(actor)) {
		reply_actor(request, actor);
		return true;
	}
	if (!actor->is_wanted && !request->failure) {
		fail(request, "it was stopped meanwhile");
		return true;
	}
	if (!failure || request->failure)
		return false;
	reason = explain_failure(actor, failure);
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

static bool check(struct supervisor *supervisor, struct request *request)
{
	struct actor *actor;

	if (request->kind == REQUEST_CLOSED)
		return !listener_find(supervisor, request->name) && check_gone(request);
	actor = actor_find(supervisor, request->name);
	if (!actor)
		return check_gone(request);
	if (request->kind == REQUEST_SPAWN || request->kind == REQUEST_READY)
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
}

void requests_forget(struct supervisor *supervisor, const struct call *call)
{
	struct request *request, *next;

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
