#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/adapter.h"
#include "daemon/supervisor/environment.h"
#include "daemon/supervisor/instance-state.h"
#include "daemon/supervisor/listener.h"
#include "daemon/supervisor/process.h"
#include "daemon/supervisor/routing.h"
#include "daemon/supervisor/signal-name.h"
#include "proto/address.h"
#include "proto/counters.h"
#include "proto/descriptor.h"

#define STDIO "stdio"
#define STDIO_PROGRAM "inko-stdio"

bool adapter_has_mailbox(const struct spec *spec)
{
	return strcmp(spec->adapter, SPEC_ACTIVATION) != 0;
}

bool adapter_takes_messages(const struct spec *spec)
{
	return adapter_has_mailbox(spec) && strcmp(spec->adapter, STDIO) != 0;
}

/* What can be said of a program that is given its listeners, and of no other. */

static bool is_variable(const char *name)
{
	if (isdigit((unsigned char)*name))
		return false;
	for (const char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '_')
			return false;
	return *name;
}

static const char *find_complaint(const struct spec *spec, const char **ret_parameter)
{
	bool is_activation = !adapter_has_mailbox(spec);

	*ret_parameter = "listeners";
	if (spec->listeners && !is_activation)
		return "a program with another adapter than activation has none of its own; they "
		       "are opened by 'inkoctl listen', or stand beside the actors of a "
		       "configuration";
	if (json_strings_count(spec->listeners) > ADAPTER_LISTENERS_MAX)
		return "that are too many; an actor has up to 64";
	*ret_parameter = "fdEnv";
	if (spec->fd_env && !is_activation)
		return "it goes with the adapter activation";
	if (spec->fd_env && !is_variable(spec->fd_env))
		return "it is no name of an environment variable";
	if (spec->fd_env && environment_find_own(spec->fd_env))
		return "that variable is what inkod itself says to an actor; take another one";
	*ret_parameter = "nonBlocking";
	if (spec->non_blocking && !is_activation)
		return "it goes with the adapter activation";
	*ret_parameter = "maxPerSource";
	if (spec->max_per_source > 0 && strcmp(spec->adapter, STDIO) != 0)
		return "it goes with the adapter stdio";
	*ret_parameter = "opens";
	if (spec->opens && (is_activation || strcmp(spec->adapter, STDIO) == 0))
		return "a program without a mailbox sends no messages; leave it out, or use the "
		       "adapter mailbox";
	return NULL;
}

int adapter_check(const struct spec *spec, const char **ret_parameter, char ret_reason[static 512])
{
	const char *complaint = find_complaint(spec, ret_parameter);

	if (complaint)
		(void)snprintf(ret_reason, 512, "%s: %s", *ret_parameter, complaint);
	return complaint ? -EINVAL : 0;
}

/* Listeners. */

const char *adapter_find_obstacle(const struct spec *spec, const struct listener_request *request)
{
	if (request->give && !adapter_takes_listeners(spec))
		return "is run for each connection, by its adapter; hand them to it (to) in place "
		       "of giving it the listener (give)";
	if (request->to && !adapter_has_mailbox(spec))
		return "has no mailbox, by its adapter; give it the listener (give) in place of "
		       "handing it connections (to)";
	return NULL;
}

/* NAME=ADDRESS, or ADDRESS alone, which has no '=' before its scheme. */
int adapter_parse_listener(
	const char *text, const char *actor, struct listener_request *ret_request)
{
	const char *equals = strchr(text, '='), *scheme = strchr(text, ':');
	bool is_named = equals && (!scheme || equals < scheme);
	struct listener_request request;

	listener_request_init(&request);
	request.address = strdup(is_named ? equals + 1 : text);
	request.give = strdup(actor);
	request.name = is_named ? strndup(text, (size_t)(equals - text)) : NULL;
	request.is_owned = true;
	if (!request.address || !request.give || !request.name == is_named) {
		listener_request_done(&request);
		return -ENOMEM;
	}
	*ret_request = request;
	return 0;
}

int adapter_write_listener(char **text, const char *name, const char *address)
{
	char by_address[LIMIT_NAME_CHARS + 1];
	char *written;

	if (listener_request_name_address(address, by_address) == 0 &&
		strcmp(name, by_address) == 0)
		written = strdup(address);
	else if (asprintf(&written, "%s=%s", name, address) < 0)
		written = NULL;
	if (!written)
		return -ENOMEM;
	free(*text);
	*text = written;
	return 0;
}

static int open_listener(struct supervisor *supervisor, const char *actor, char **text,
	struct listener_refusal *ret_refusal)
{
	struct listener_request request;
	struct listener *listener;
	int r = adapter_parse_listener(*text, actor, &request);

	if (r == 0) {
		r = listener_request_check(&request, ret_refusal);
		if (r == 0)
			r = listener_new(supervisor, &request, &listener, ret_refusal);
		if (r == 0)
			r = adapter_write_listener(text, listener->name, listener->address);
		listener_request_done(&request);
	}
	if (r == -ENOMEM)
		(void)listener_request_refuse(r, ret_refusal, "Failed", NULL, "there is no memory");
	return r;
}

/* The one of actor that was opened for one of spec.listeners, or NULL. */
static struct listener *find_own(struct supervisor *supervisor, const char *actor, const char *text)
{
	char name[LIMIT_NAME_CHARS + 1] = "";
	struct listener *listener = NULL;
	struct listener_request request;

	if (adapter_parse_listener(text, actor, &request) < 0)
		return NULL;
	if (request.name || listener_request_name_address(request.address, name) == 0)
		listener = listener_find(supervisor, request.name ? request.name : name);
	listener_request_done(&request);
	return listener && listener->is_owned ? listener : NULL;
}

/* The first n; the actor to come may have others by somebody else's will. */
static void close_first(struct supervisor *supervisor, const struct spec *spec, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct listener *listener = find_own(supervisor, spec->name, spec->listeners[i]);

		if (listener)
			listener_free(listener);
	}
}

int adapter_open_listeners(
	struct supervisor *supervisor, struct spec *spec, struct listener_refusal *ret_refusal)
{
	size_t n = json_strings_count(spec->listeners);

	for (size_t i = 0; i < n; i++) {
		int r = open_listener(supervisor, spec->name, &spec->listeners[i], ret_refusal);

		if (r < 0) {
			close_first(supervisor, spec, i);
			return r;
		}
	}
	return 0;
}

void adapter_close_listeners(struct supervisor *supervisor, const struct spec *spec)
{
	close_first(supervisor, spec, json_strings_count(spec->listeners));
}

/* A start. */

bool adapter_takes_listeners(const struct spec *spec)
{
	return strcmp(spec->adapter, STDIO) != 0;
}

/* inko-stdio MAX_PER_SOURCE STOP_SIGNAL before the program's own words. */
#define STDIO_HEAD 3

static int make_number(int64_t number, char **ret_text)
{
	char *text;

	if (asprintf(&text, "%" PRIi64, number) < 0)
		return -ENOMEM;
	*ret_text = text;
	return 0;
}

static int make_head(const struct spec *spec, char **command)
{
	int r = make_number(signal_name_find(spec->stop_signal), &command[2]);

	if (r == 0)
		r = make_number(spec->max_per_source, &command[1]);
	if (r == 0)
		r = process_find_own(STDIO_PROGRAM, &command[0]);
	return r;
}

int adapter_make_command(const struct spec *spec, char ***ret_command)
{
	size_t n_head = adapter_takes_listeners(spec) ? 0 : STDIO_HEAD,
	       n = json_strings_count(spec->command);
	char **command = calloc(n_head + n + 1, sizeof(*command));
	int r = command ? 0 : -ENOMEM;

	if (r == 0 && n_head > 0)
		r = make_head(spec, command);
	for (size_t i = 0; r == 0 && i < n; i++) {
		command[n_head + i] = strdup(spec->command[i]);
		r = command[n_head + i] ? 0 : -ENOMEM;
	}
	if (r < 0) {
		for (size_t i = 0; command && i < n_head + n; i++)
			free(command[i]);
		free(command);
		return r;
	}
	*ret_command = command;
	return 0;
}

/* One that runs was given the same as its siblings. */
static bool is_running(const struct instance *instance)
{
	return instance->process.pid > 0;
}

/* A program that takes its sockets out of a variable takes them for those that it left there
 * itself, non-blocking: a worker of nginx that loses a client to another one would wait in accept
 * for good. */
static bool waits_in_accept(const struct spec *spec)
{
	return !spec->non_blocking && !spec->fd_env;
}

static int give_listener(
	struct instance *instance, struct routing_start *start, struct listener *listener)
{
	int r;

	if (start->n_fds == ADAPTER_LISTENERS_MAX)
		return -ENOBUFS;
	r = listener_set_blocking(listener, waits_in_accept(&instance->actor->spec),
		instance_has_sibling(instance, is_running));
	if (r < 0)
		return r;
	routing_add_other(start, listener->fd, listener->name);
	return 0;
}

/* Its own in the order of the spec, which is all that some programs know them by, then those that
 * it was given. */
static int prepare_listeners(struct instance *instance, struct routing_start *start)
{
	const struct actor *actor = instance->actor;
	struct listener *listener;
	int r = 0;

	start->n_fds = 0;
	start->names[0] = 0;
	for (char **text = actor->spec.listeners; r == 0 && text && *text; text++) {
		listener = find_own(actor->supervisor, actor->spec.name, *text);
		if (listener)
			r = give_listener(instance, start, listener);
	}
	TAILQ_FOREACH(listener, &actor->supervisor->listeners, entries)
		if (r == 0 && listener->give && !listener->is_owned &&
			strcmp(listener->give, actor->spec.name) == 0)
			r = give_listener(instance, start, listener);
	return r;
}

int adapter_prepare(
	struct instance *instance, struct routing_start *ret_start, size_t *ret_n_listeners)
{
	int r;

	*ret_n_listeners = 0;
	if (adapter_has_mailbox(&instance->actor->spec)) {
		r = routing_prepare(instance, ret_start);
		if (r == 0)
			routing_add_other(ret_start, instance->counters_fd, COUNTERS_FD_NAME);
		return r;
	}
	r = prepare_listeners(instance, ret_start);
	*ret_n_listeners = ret_start->n_fds;
	return r;
}
