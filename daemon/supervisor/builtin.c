#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/adapter.h"
#include "daemon/supervisor/builtin.h"
#include "daemon/supervisor/capability.h"
#include "daemon/supervisor/credentials.h"
#include "daemon/supervisor/files.h"
#include "daemon/supervisor/instance-state.h"
#include "daemon/supervisor/log.h"
#include "daemon/supervisor/news.h"
#include "daemon/supervisor/notify.h"
#include "daemon/supervisor/process.h"
#include "daemon/supervisor/requests.h"
#include "proto/descriptor.h"
#include "proto/runtime.h"

/* Descriptors that inkod can always have on their way. Each is received at once. */
#define KEPT_REFS 256

static const struct builtin {
	const char *name, *program; /* and the system user that it runs as, which has its name */
	const char *directory;	    /* that is its own, or NULL */
} builtins[] = {
	{BUILTIN_ACCEPTOR, "inko-acceptor", NULL},
	{BUILTIN_GATEWAY, "inko-gateway", FILES_ENDPOINTS},
};

bool builtin_is_reserved(const char *name)
{
	for (size_t i = 0; i < sizeof(builtins) / sizeof(*builtins); i++)
		if (strcmp(name, builtins[i].name) == 0)
			return true;
	return false;
}

/* A user of its own, who has no name where sysusers.d/inko.conf was not applied: a number that
 * nobody else has is as far from all others' files and processes. */
static char *choose_user(const struct builtin *builtin)
{
	uid_t uid;
	char *number;

	if (getpwnam(builtin->program))
		return strdup(builtin->program);
	if (credentials_find_free((unsigned int)(builtin - builtins), &uid) < 0 ||
		asprintf(&number, "%u", uid) < 0)
		return NULL;
	log_warning("there is no user %s: %s runs as user %s, which nobody has; "
		    "systemd-sysusers makes it",
		builtin->program, builtin->name, number);
	return number;
}

/* Why the user of spec cannot be who it runs as, or NULL. */
static const char *find_obstacle(
	const struct supervisor *supervisor, const struct spec *spec, struct credentials *user)
{
	const char *member, *name;
	char path[PATH_MAX];

	if (!capability_is_own("CAP_SETUID") || !capability_is_own("CAP_SETGID") ||
		!capability_is_own("CAP_CHOWN"))
		return "inkod may not change to other users";
	if (!spec->user || credentials_find(spec, user, &member, &name) < 0)
		return "there is none for it";
	if (!credentials_is_mapped(user->uid))
		return "this namespace has no such user";
	if (runtime_path(supervisor->runtime, "notify/x", path) < 0 ||
		!credentials_may_reach(user, path))
		return "others may not enter the runtime directory";
	if (!credentials_may_reach(user, spec->command[0]))
		return "others may not enter the directory of its program";
	return NULL;
}

/* Whoever it is, it keeps no capability. */
static void give_user(
	struct supervisor *supervisor, const struct builtin *builtin, struct spec *spec)
{
	struct credentials user = {.uid = geteuid(), .gid = getegid()};
	const char *obstacle;

	if (geteuid() != 0)
		return;
	spec->user = choose_user(builtin);
	obstacle = find_obstacle(supervisor, spec, &user);
	if (obstacle) {
		log_warning("%s runs as inkod's own user, without capabilities, and not as one of "
			    "its own: %s",
			builtin->name, obstacle);
		free(spec->user);
		spec->user = NULL;
		user.uid = geteuid();
		user.gid = getegid();
	}
	if (builtin->directory)
		files_give(supervisor->runtime, builtin->directory, user.uid, user.gid);
	credentials_done(&user);
}

/* What all processes of a user without privileges have on their way at once is bounded by this
 * (unix(7), ETOOMANYREFS), and the two use no select(2). With as much as inkod itself has, what
 * waits in mailboxes could keep inkod from passing anything: not even who would receive it could be
 * started, since the keeper could not be given it. */
static int raise_limit(struct spec *spec)
{
	struct rlimit own;
	rlim_t kept;

	spec->limits = calloc(2, sizeof(*spec->limits));
	if (!spec->limits || getrlimit(RLIMIT_NOFILE, &own) < 0)
		return -ENOMEM;
	kept = own.rlim_max / 4 < KEPT_REFS ? own.rlim_max / 4 : KEPT_REFS;
	if (own.rlim_max == RLIM_INFINITY)
		spec->limits[0] = strdup("nofile=infinity");
	else if (asprintf(&spec->limits[0], "nofile=%llu",
			 (unsigned long long)(own.rlim_max - kept)) < 0)
		spec->limits[0] = NULL;
	return spec->limits[0] ? 0 : -ENOMEM;
}

static int make_spec(
	struct supervisor *supervisor, const struct builtin *builtin, struct spec *ret_spec)
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
	if (r == 0)
		r = spec_complete(ret_spec);
	if (r == 0)
		r = raise_limit(ret_spec);
	if (r == 0)
		give_user(supervisor, builtin, ret_spec);
	if (r < 0)
		spec_done(ret_spec);
	return r;
}

void builtin_renew(struct actor *actor)
{
	for (size_t i = 0; i < sizeof(builtins) / sizeof(*builtins); i++) {
		struct spec spec;

		if (strcmp(actor->spec.name, builtins[i].name) != 0 ||
			make_spec(actor->supervisor, &builtins[i], &spec) < 0)
			continue;
		/* Its name is the key that it is found by. */
		free(spec.name);
		spec.name = actor->spec.name;
		actor->spec.name = NULL;
		spec_done(&actor->spec);
		actor->spec = spec;
		actor_put(actor);
	}
}

static int ensure(
	struct supervisor *supervisor, const struct builtin *builtin, struct actor **ret_actor)
{
	struct actor *actor = actor_find(supervisor, builtin->name);
	struct spec spec;
	int r = 0;

	if (!actor) {
		r = make_spec(supervisor, builtin, &spec);
		if (r == 0) {
			r = actor_new(supervisor, &spec, ACTOR_BUILTIN, &actor);
			spec_done(&spec);
		}
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

static void tell_whether(struct instance *gateway, struct actor *actor, bool is_open)
{
	actor->is_endpoint_told = tell(gateway, actor, !is_open) == 0;
}

void builtin_open_endpoint(struct actor *actor)
{
	struct instance *gateway = find_gateway(actor);

	if (gateway && !actor->is_builtin && adapter_takes_messages(&actor->spec))
		tell_whether(gateway, actor, true);
}

void builtin_close_endpoint(struct actor *actor)
{
	struct instance *gateway = find_gateway(actor);

	if (gateway && !actor->is_builtin)
		tell_whether(gateway, actor, false);
}

bool builtin_is_opening(const struct actor *actor)
{
	return !actor->has_endpoint && adapter_takes_messages(&actor->spec) && find_gateway(actor);
}

static bool is_gateway(const struct instance *instance)
{
	return strcmp(instance->actor->spec.name, BUILTIN_GATEWAY) == 0;
}

/* Of one without a mailbox too: who served before may have changed that, and ended before it said
 * so. What does not fit its mailbox is told later: then it begins where it stopped, or those at the
 * end would never be told. */
void builtin_tell_endpoints(struct instance *gateway)
{
	struct actor *actor;

	if (!is_gateway(gateway))
		return;
	TAILQ_FOREACH(actor, &gateway->actor->supervisor->actors, entries)
		if (!actor->is_builtin && !actor->is_removing && !actor->is_endpoint_told)
			tell_whether(gateway, actor, adapter_takes_messages(&actor->spec));
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
