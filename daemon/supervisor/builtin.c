#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/builtin.h"
#include "daemon/supervisor/log.h"
#include "daemon/supervisor/news.h"
#include "daemon/supervisor/notify.h"
#include "daemon/supervisor/process.h"
#include "daemon/supervisor/requests.h"
#include "daemon/supervisor/routing.h"
#include "proto/descriptor.h"

static const struct builtin {
	const char *name, *program;
} builtins[] = {
	{BUILTIN_ACCEPTOR, "inko-acceptor"},
	{BUILTIN_GATEWAY, "inko-gateway"},
};

bool builtin_is_reserved(const char *name)
{
	for (size_t i = 0; i < sizeof(builtins) / sizeof(*builtins); i++)
		if (strcmp(name, builtins[i].name) == 0)
			return true;
	return false;
}

static int make_spec(const struct builtin *builtin, struct spec *ret_spec)
{
	int r;

	spec_init(ret_spec);
	/* Everything depends on it: it is started again for ever, and at once. */
	ret_spec->intensity = 0;
	ret_spec->backoff_usec = 10000;
	ret_spec->name = strdup(builtin->name);
	ret_spec->command = calloc(2, sizeof(*ret_spec->command));
	r = ret_spec->name && ret_spec->command
		    ? process_find_own(builtin->program, &ret_spec->command[0])
		    : -ENOMEM;
	if (r < 0)
		spec_done(ret_spec);
	return r;
}

static int ensure(
	struct supervisor *supervisor, const struct builtin *builtin, struct actor **ret_actor)
{
	struct actor *actor = actor_find(supervisor, builtin->name);
	struct spec spec;
	int r = 0;

	if (!actor) {
		r = make_spec(builtin, &spec);
		if (r == 0)
			r = actor_new(supervisor, &spec, ACTOR_BUILTIN, &actor);
		if (r == 0)
			r = actor_start(actor);
		if (r < 0)
			log_error("%s cannot be started: %s", builtin->program, strerror(-r));
	}
	if (r == 0)
		*ret_actor = actor;
	return r;
}

int builtin_ensure_acceptor(struct supervisor *supervisor, struct actor **ret_actor)
{
	return ensure(supervisor, &builtins[0], ret_actor);
}

int builtin_ensure_gateway(struct supervisor *supervisor, struct actor **ret_actor)
{
	return ensure(supervisor, &builtins[1], ret_actor);
}

char *builtin_endpoint(const struct supervisor *supervisor, const struct actor *actor)
{
	char *url;

	if (asprintf(&url, "ipc://%s/nng/%s", supervisor->runtime, actor->spec.name) < 0)
		return NULL;
	return url;
}

/* The gateway's instance, while it can be told something. */
static struct instance *find_gateway(const struct actor *actor)
{
	struct actor *gateway = actor_find(actor->supervisor, BUILTIN_GATEWAY);
	struct instance *instance = gateway ? TAILQ_FIRST(&gateway->instances) : NULL;

	return instance && instance_is_serving(instance) ? instance : NULL;
}

static int tell(struct instance *gateway, const struct actor *actor, bool close)
{
	struct envelope envelope = {.kind = ENVELOPE_MESSAGE};
	_cleanup_free_ char *url = builtin_endpoint(actor->supervisor, actor);
	_cleanup_free_ char *text = NULL;
	cJSON *object = cJSON_CreateObject();

	(void)cJSON_AddStringToObject(object, "endpoint", url);
	if (close)
		(void)cJSON_AddTrueToObject(object, "close");
	else
		(void)cJSON_AddStringToObject(object, "to", actor->spec.name);
	text = cJSON_PrintUnformatted(object);
	cJSON_Delete(object);
	return text ? news_tell(gateway, &envelope, text, NULL, 0) : -ENOMEM;
}

static void tell_open(struct instance *gateway, struct actor *actor)
{
	actor->is_endpoint_told = tell(gateway, actor, false) == 0;
}

void builtin_open_endpoint(struct actor *actor)
{
	struct instance *gateway = find_gateway(actor);

	if (gateway && !actor->is_builtin)
		tell_open(gateway, actor);
}

void builtin_close_endpoint(struct actor *actor)
{
	struct instance *gateway = find_gateway(actor);

	if (gateway && !actor->is_builtin)
		(void)tell(gateway, actor, true);
}

bool builtin_is_opening(const struct actor *actor)
{
	return !actor->has_endpoint && find_gateway(actor);
}

static bool is_gateway(const struct instance *instance)
{
	return strcmp(instance->actor->spec.name, BUILTIN_GATEWAY) == 0;
}

/* What does not fit its mailbox is told later: then it begins where it stopped, or those at the end
 * would never be told. */
void builtin_tell_endpoints(struct instance *gateway)
{
	struct actor *actor;

	if (!is_gateway(gateway))
		return;
	TAILQ_FOREACH(actor, &gateway->actor->supervisor->actors, entries)
		if (!actor->is_builtin && !actor->is_removing && !actor->is_endpoint_told)
			tell_open(gateway, actor);
}

void builtin_on_started(struct instance *instance)
{
	struct actor *actor;

	if (!is_gateway(instance))
		return;
	TAILQ_FOREACH(actor, &instance->actor->supervisor->actors, entries)
		actor->is_endpoint_told = false;
}

static void note_endpoint(struct actor *actor)
{
	if (actor->has_endpoint)
		return;
	actor->has_endpoint = true;
	actor_put(actor);
}

void builtin_on_notified(struct instance *instance, const char *line)
{
	struct supervisor *supervisor = instance->actor->supervisor;
	const char *failed = notify_find_value(line, "X_INKO_NO_ENDPOINT");
	const char *url = failed ? failed : notify_find_value(line, "X_INKO_ENDPOINT");
	_cleanup_free_ char *own = NULL;
	struct actor *actor;

	if (!url)
		return;
	/* An endpoint ends with its actor's name. */
	actor = strrchr(url, '/') ? actor_find(supervisor, strrchr(url, '/') + 1) : NULL;
	own = actor ? builtin_endpoint(supervisor, actor) : NULL;
	if (own && strcmp(own, url) == 0) {
		if (failed)
			log_error("%s has no endpoint: the gateway cannot listen on %s",
				actor->spec.name, own);
		note_endpoint(actor);
	}
	requests_check(supervisor);
}
