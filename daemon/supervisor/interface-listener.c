/* Methods that change listeners. */

#include <errno.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/adapter.h"
#include "daemon/supervisor/describe.h"
#include "daemon/supervisor/interface.h"
#include "daemon/supervisor/interface-answer.h"
#include "daemon/supervisor/service.h"
#include "daemon/supervisor/listener-pause.h"
#include "daemon/supervisor/listener-route.h"
#include "daemon/supervisor/listener.h"
#include "proto/json-fields.h"

static const struct json_field listener_fields[] = {
	JSON_FIELD(named, "listener", JSON_STRING, name, true),
	JSON_FIELDS_END,
};

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
		interface_fail_errno(call, "the listener cannot be made", r);
		return;
	}
	actor = r == 0 ? interface_find_own_actor(
				 supervisor, call, request->to ? request->to : request->give)
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
	r = listener_route_publish(listener);
	if (r < 0) {
		listener_free(listener);
		interface_fail_errno(call, "the acceptor cannot be started", r);
		return;
	}
	interface_reply(call, "listener", listener_describe(listener));
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
			"that it is never paused; 'inkoctl stop %s' lets its clients wait",
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
	interface_answer_later(supervisor, call, REQUEST_PAUSED, named->name);
}

static void resume_listener(struct supervisor *supervisor, struct call *call, void *parameters)
{
	struct named *named = parameters;
	struct listener *listener = find_accepted(supervisor, call, named->name);

	if (!listener)
		return;
	listener_resume(listener);
	interface_reply(call, "listener", listener_describe(listener));
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
	interface_answer_later(supervisor, call, REQUEST_CLOSED, named->name);
}

/* clang-format off */
const struct interface_method interface_listener_methods[] = {
	{SERVICE_SUPERVISOR ".Listen", listener_request_fields, sizeof(struct listener_request), INTERFACE_CHANGE, init_listen, open_listener},
	{SERVICE_SUPERVISOR ".Pause", listener_fields, sizeof(struct named), INTERFACE_CHANGE, NULL, pause_listener},
	{SERVICE_SUPERVISOR ".Resume", listener_fields, sizeof(struct named), INTERFACE_CHANGE, NULL, resume_listener},
	{SERVICE_SUPERVISOR ".Close", listener_fields, sizeof(struct named), INTERFACE_CHANGE, NULL, close_listener},
	{0},
};
/* clang-format on */
