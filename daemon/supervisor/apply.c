#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "daemon/supervisor/actor-state.h"
#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/adapter.h"
#include "daemon/supervisor/apply.h"
#include "daemon/supervisor/builtin.h"
#include "daemon/supervisor/client.h"
#include "daemon/supervisor/describe.h"
#include "daemon/supervisor/listener-change.h"
#include "daemon/supervisor/listener-route.h"
#include "daemon/supervisor/listener.h"
#include "daemon/supervisor/listening-socket.h"
#include "daemon/supervisor/log.h"
#include "daemon/supervisor/plan.h"
#include "proto/descriptor.h"

struct application {
	TAILQ_ENTRY(application) entries;
	struct supervisor *supervisor;
	struct plan *plan;
	struct call *call; /* NULL when nobody wants to know */
	void (*on_begun)(struct supervisor *supervisor);
	sd_event_source *turn;
	size_t n_begun, n_done; /* from the front on */
	/* All, and that was said: before that nobody who looks finds it over. */
	bool is_begun;
	bool removes_actors; /* nothing leads to them any more */
};

static void fail(struct change *change, const char *reason, ...)
	__attribute__((format(printf, 2, 3)));
static void fail(struct change *change, const char *reason, ...)
{
	va_list arguments;

	change->is_done = true;
	va_start(arguments, reason);
	if (vasprintf(&change->failure, reason, arguments) < 0)
		abort();
	va_end(arguments);
}

/* Beginning: each returns a negative errno when it cannot be begun. */

/* Is it the one that was opened? Somebody may have closed that, and opened another. */
static bool is_opened(const struct change *change, const struct listener *listener)
{
	uint64_t socket;

	return change->socket > 0 && listening_socket_identify(listener->fd, &socket) == 0 &&
	       socket == change->socket;
}

/* Those that were opened for an actor that does not come. One of that name, which somebody else has
 * made, keeps its own. */
static void close_opened(struct application *application, const char *actor)
{
	struct plan *plan = application->plan;

	for (size_t i = 0; i < plan->n_changes; i++) {
		const struct change *change = &plan->changes[i];
		struct listener *listener =
			change->is_listener ? listener_find(application->supervisor, change->name)
					    : NULL;

		if (listener && listener->is_owned && strcmp(listener->give, actor) == 0 &&
			is_opened(change, listener))
			listener_free(listener);
	}
}

static int add_actor(struct application *application, struct change *change)
{
	struct supervisor *supervisor = application->supervisor;
	struct actor *actor, *gateway;
	int r;

	(void)builtin_ensure_gateway(supervisor, &gateway);
	r = actor_new(supervisor, change->spec, ACTOR_CONFIGURED, &actor);
	if (r < 0)
		close_opened(application, change->name);
	if (r == 0)
		r = actor_start(actor);
	if (r == 0)
		builtin_open_endpoint(actor);
	return r;
}

/* Somebody may have removed it since the plan was made. */
static struct actor *find_present_actor(struct supervisor *supervisor, const struct change *change)
{
	struct actor *actor = actor_find(supervisor, change->name);

	return actor && !actor->is_removing ? actor : NULL;
}

static enum actor_renewal find_renewal(enum plan_effect effect)
{
	return effect == PLAN_ROLL	? ACTOR_ROLLS
	       : effect == PLAN_RESTART ? ACTOR_RESTARTS
					: ACTOR_KEEPS;
}

static int change_actor(struct application *application, struct change *change)
{
	struct actor *actor = find_present_actor(application->supervisor, change);
	bool took_messages, takes_messages = adapter_takes_messages(change->spec);
	int r;

	if (!actor)
		return -ENOENT;
	actor->is_configured = true;
	took_messages = adapter_takes_messages(&actor->spec);
	if (!takes_messages)
		actor->has_endpoint = false;
	r = actor_change(actor, change->spec, find_renewal(change->effect));
	if (takes_messages && !took_messages)
		builtin_open_endpoint(actor);
	else if (took_messages && !takes_messages)
		builtin_close_endpoint(actor);
	if (r == 0 && change->effect == PLAN_START)
		r = actor_start(actor);
	change->generation = actor->generation;
	return r;
}

static int retry_actor(struct application *application, struct change *change)
{
	struct actor *actor = find_present_actor(application->supervisor, change);
	int r;

	if (!actor)
		return -ENOENT;
	if (change->effect == PLAN_START)
		r = actor_start(actor);
	else
		r = change->effect == PLAN_ROLL ? actor_roll(actor, 1) : actor_restart(actor);
	change->generation = actor->generation;
	return r;
}

static int keep_actor(struct application *application, struct change *change)
{
	struct actor *actor = find_present_actor(application->supervisor, change);

	if (actor && actor->is_configured) {
		actor->is_configured = false;
		actor_put(actor);
	}
	return 0;
}

/* The same of listeners. */
static struct listener *find_present_listener(
	struct supervisor *supervisor, const struct change *change)
{
	struct listener *listener = listener_find(supervisor, change->name);

	return listener && !listener->is_closing ? listener : NULL;
}

static int add_listener(struct application *application, struct change *change)
{
	struct supervisor *supervisor = application->supervisor;
	const struct listener_request *request = &change->configured->request;
	struct listener_refusal refusal;
	struct listener *listener;
	int r = listener_find(supervisor, change->name) ? -EEXIST : 0;

	/* One that was in the way has gone only now. */
	if (r == 0 && change->fd < 0)
		r = listener_request_bind(
			supervisor, request, &change->address, &change->fd, &refusal);
	if (r == 0)
		r = listener_new_bound(
			supervisor, request, &change->address, &change->fd, &listener);
	if (r < 0)
		return r;
	(void)listening_socket_identify(listener->fd, &change->socket);
	listener->is_configured = true;
	listener_put(listener);
	/* Its actor may not be there yet, and is started with it. */
	r = request->is_owned ? 0 : listener_route_publish(listener);
	if (r < 0)
		listener_free(listener);
	return r;
}

static int replace_listener(struct application *application, struct change *change)
{
	struct listener *listener = find_present_listener(application->supervisor, change);

	if (listener)
		listener_free(listener);
	return add_listener(application, change);
}

/* Where some get the addresses of others, whichever comes first. */
static void make_way(struct supervisor *supervisor, struct plan *plan)
{
	for (size_t i = 0; i < plan->n_changes; i++) {
		struct change *change = &plan->changes[i];

		if (!change->is_in_way || change->effect != PLAN_REPLACE ||
			plan_check(plan, change) < 0)
			continue;
		listener_free(listener_find(supervisor, change->name));
		change->is_freed = true;
	}
}

static int change_listener(struct application *application, struct change *change)
{
	struct listener *listener = find_present_listener(application->supervisor, change);

	if (change->effect == PLAN_REPLACE)
		return replace_listener(application, change);
	if (!listener)
		return -ENOENT;
	listener->is_configured = true;
	listener->is_owned = change->configured->request.is_owned;
	if (!listener->give)
		return listener_change(
			listener, &change->configured->request, &change->address, &change->fd);
	listener_put(listener);
	return 0;
}

static int remove_listener(struct application *application, struct change *change)
{
	struct listener *listener = find_present_listener(application->supervisor, change);

	if (listener)
		listener_close(listener);
	return 0;
}

static int keep_listener(struct application *application, struct change *change)
{
	struct listener *listener = find_present_listener(application->supervisor, change);

	if (listener && listener->is_configured) {
		listener->is_configured = false;
		listener_put(listener);
	}
	return 0;
}

/* Actors are removed when nothing leads to them any more. */
static int (*const beginnings[2][PLAN_ACTIONS])(
	struct application *application, struct change *change) = {
	{
		[PLAN_ADD] = add_actor,
		[PLAN_CHANGE] = change_actor,
		[PLAN_RETRY] = retry_actor,
		[PLAN_KEEP] = keep_actor,
	},
	{
		[PLAN_ADD] = add_listener,
		[PLAN_CHANGE] = change_listener,
		[PLAN_REMOVE] = remove_listener,
		[PLAN_KEEP] = keep_listener,
	},
};

/* Is what is to be changed what the plan saw? What is so already needs nothing more, but for a roll
 * that goes on. */
static int look_again(struct application *application, struct change *change)
{
	const struct actor *actor;
	int r;

	if (change->action == PLAN_ADD || change->action == PLAN_KEEP || change->is_freed)
		return 0;
	r = plan_check(application->plan, change);
	if (r == -ENOENT && change->action == PLAN_REMOVE)
		return -EALREADY;
	actor = r == -EALREADY && !change->is_listener
			? find_present_actor(application->supervisor, change)
			: NULL;
	if (actor)
		change->generation = actor->generation;
	return r;
}

static void begin(struct application *application, struct change *change)
{
	int (*beginning)(struct application * application, struct change * change) =
		beginnings[change->is_listener][change->action];
	int r = look_again(application, change);

	if (application->supervisor->stopping)
		fail(change, "inkod is stopping");
	else if (r == 0 && beginning)
		r = beginning(application, change);
	if (r == -ENOENT)
		fail(change, "it was removed meanwhile");
	else if (r == -ESTALE)
		fail(change, "somebody has changed it meanwhile; apply again");
	else if (r == -EEXIST)
		fail(change, "somebody else has made one of that name meanwhile");
	else if (r < 0 && r != -EALREADY)
		fail(change, "%s", strerror(-r));
}

/* How far each has come. */

static void check_removed(struct supervisor *supervisor, struct change *change)
{
	change->is_done = change->is_listener ? !listener_find(supervisor, change->name)
					      : !actor_find(supervisor, change->name);
}

/* A restart would roll what is wrong again. */
static void fail_rolled(struct change *change, const struct actor *actor)
{
	int advice = snprintf(NULL, 0, ROLL_ADVICE, actor->spec.name);

	fail(change, "%.*s: put it right, and apply again",
		(int)strlen(actor->roll.failure) - advice, actor->roll.failure);
}

static void check_rolled(struct change *change, const struct actor *actor)
{
	if (actor->generation != change->generation)
		fail(change, "another restart has begun meanwhile, and goes on in place of this "
			     "one");
	else if (actor->roll.failure)
		fail_rolled(change, actor);
	else
		change->is_done = !roll_is_under_way(actor);
}

static void check_started(struct change *change, const struct actor *actor)
{
	const struct instance *failure = actor_find_failure(actor);
	_cleanup_free_ char *reason = failure ? describe_end(failure) : NULL;

	if (failure)
		fail(change,
			"%s; it stays, and is started again as often as it may be: put it "
			"right, and apply again",
			reason ? reason : "it did not start");
	else
		change->is_done = actor_is_ready(actor) && !builtin_is_opening(actor);
}

static void check_actor(struct supervisor *supervisor, struct change *change)
{
	const struct actor *actor = actor_find(supervisor, change->name);

	if (!actor || actor->is_removing)
		fail(change, "it was removed meanwhile");
	else if (!actor->is_wanted && change->effect != PLAN_AT_ONCE &&
		 change->effect != PLAN_NEXT_START)
		fail(change, "it was stopped meanwhile");
	else if (!actor->is_wanted)
		change->is_done = true;
	else if (change->effect == PLAN_ROLL)
		check_rolled(change, actor);
	else
		check_started(change, actor);
}

static void check_change(struct supervisor *supervisor, struct change *change)
{
	if (change->is_done)
		return;
	if (change->action == PLAN_REMOVE)
		check_removed(supervisor, change);
	else if (change->is_listener || change->action == PLAN_KEEP)
		change->is_done = true;
	else
		check_actor(supervisor, change);
}

/* How many are not done? Those at the front that are, are not looked at again. */
static size_t check_changes(struct application *application)
{
	const struct plan *plan = application->plan;
	size_t n = 0;

	for (size_t i = application->n_done; i < plan->n_changes; i++) {
		check_change(application->supervisor, &plan->changes[i]);
		n += !plan->changes[i].is_done;
		if (n == 0)
			application->n_done = i + 1;
	}
	return n;
}

static bool is_closing_some(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_changes; i++)
		if (plan->changes[i].effect == PLAN_CLOSE && !plan->changes[i].is_done)
			return true;
	return false;
}

/* Whoever made a listener meanwhile wants it to lead somewhere. */
static void remove_actor(struct supervisor *supervisor, struct change *change)
{
	struct actor *actor = find_present_actor(supervisor, change);
	const struct listener *listener = listener_find_to(supervisor, change->name);

	if (actor && listener)
		fail(change,
			"the listener %s leads to it since; 'inkoctl close %s', and apply again",
			listener->name, listener->name);
	else if (actor)
		actor_remove(actor, false);
}

static void remove_actors(struct application *application)
{
	application->removes_actors = true;
	for (size_t i = 0; i < application->plan->n_changes; i++) {
		struct change *change = &application->plan->changes[i];

		if (change->effect == PLAN_STOP && !change->is_done)
			remove_actor(application->supervisor, change);
	}
}

/* Answering. */

/* One failure in its own words; of several that there are. */
static void answer(struct application *application)
{
	const struct plan *plan = application->plan;
	const struct change *failed = NULL;
	size_t n_failed = 0;
	char others[64] = "";
	cJSON *parameters;

	for (size_t i = 0; i < plan->n_changes; i++) {
		if (!plan->changes[i].failure)
			continue;
		log_error("%s: %s", plan->changes[i].name, plan->changes[i].failure);
		failed = failed ? failed : &plan->changes[i];
		n_failed++;
	}
	if (!application->call)
		return;
	if (n_failed > 1)
		(void)snprintf(others, sizeof(others), " (and %zu more; see 'inkoctl status')",
			n_failed - 1);
	if (failed) {
		describe_failure(application->call, "ApplyFailed", failed->name, "%s: %s%s",
			failed->name, failed->failure, others);
		return;
	}
	parameters = cJSON_CreateObject();
	(void)cJSON_AddItemToObject(parameters, "changes", plan_describe(plan));
	call_reply(application->call, parameters);
}

static bool is_over(struct application *application)
{
	size_t n_open;

	if (!application->is_begun)
		return false;
	n_open = check_changes(application);
	if (application->removes_actors || is_closing_some(application->plan))
		return n_open == 0;
	remove_actors(application);
	return check_changes(application) == 0;
}

static void release(struct application *application)
{
	sd_event_source_disable_unref(application->turn);
	plan_free(application->plan);
	free(application);
}

static void end(struct application *application)
{
	TAILQ_REMOVE(&application->supervisor->applications, application, entries);
	answer(application);
	release(application);
}

static int next_turn(struct application *application)
{
	int r = sd_event_source_set_time_relative(application->turn, 0);

	return r < 0 ? r : sd_event_source_set_enabled(application->turn, SD_EVENT_ONESHOT);
}

static int on_turn(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct application *application = userdata;
	struct supervisor *supervisor = application->supervisor;
	struct plan *plan = application->plan;

	(void)source;
	(void)usec;
	if (application->n_begun == 0 && !supervisor->stopping)
		make_way(supervisor, plan);
	if (application->n_begun < plan->n_changes)
		begin(application, &plan->changes[application->n_begun++]);
	if (application->n_begun < plan->n_changes)
		return next_turn(application);
	application->is_begun = true;
	if (application->on_begun)
		application->on_begun(supervisor);
	apply_check(supervisor);
	return 0;
}

int apply_begin(struct supervisor *supervisor, struct plan *take_plan, struct call *call,
	void (*on_begun)(struct supervisor *supervisor))
{
	struct application *application = calloc(1, sizeof(*application));
	int r;

	if (!application) {
		plan_free(take_plan);
		return -ENOMEM;
	}
	application->supervisor = supervisor;
	application->plan = take_plan;
	application->call = call;
	application->on_begun = on_begun;
	/* One that is deferred would go before all others each time. */
	r = sd_event_add_time_relative(
		supervisor->event, &application->turn, CLOCK_MONOTONIC, 0, 1, on_turn, application);
	if (r < 0) {
		release(application);
		return r;
	}
	TAILQ_INSERT_TAIL(&supervisor->applications, application, entries);
	return 0;
}

void apply_check(struct supervisor *supervisor)
{
	struct application *application, *next;

	for (application = TAILQ_FIRST(&supervisor->applications); application;
		application = next) {
		next = TAILQ_NEXT(application, entries);
		if (is_over(application))
			end(application);
	}
}

void apply_forget(struct supervisor *supervisor, const struct call *call)
{
	struct application *application;

	TAILQ_FOREACH(application, &supervisor->applications, entries)
		if (application->call == call)
			application->call = NULL;
}
