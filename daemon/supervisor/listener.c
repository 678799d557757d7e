#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/announce.h"
#include "daemon/supervisor/builtin.h"
#include "daemon/supervisor/describe.h"
#include "daemon/supervisor/former-socket.h"
#include "daemon/supervisor/holding.h"
#include "daemon/supervisor/listener-change.h"
#include "daemon/supervisor/listener-news.h"
#include "daemon/supervisor/listener-request.h"
#include "daemon/supervisor/listener-route.h"
#include "daemon/supervisor/listener-state.h"
#include "daemon/supervisor/listener.h"
#include "daemon/supervisor/listening-socket.h"
#include "proto/address.h"
#include "proto/descriptor.h"

static const struct json_field fields[] = {
	JSON_FIELD(listener, "name", JSON_STRING, name, true),
	JSON_FIELD(listener, "address", JSON_STRING, address, true),
	JSON_FIELD(listener, "listensOn", JSON_STRING, listens_on, false),
	JSON_FIELD(listener, "to", JSON_STRING, to, false),
	JSON_FIELD(listener, "give", JSON_STRING, give, false),
	JSON_FIELD(listener, "balance", JSON_STRING, balance, true),
	JSON_FIELD_INTEGER(listener, "holdUSec", hold_usec, true, 0, JSON_INTEGER_MAX),
	JSON_FIELD(listener, "refusing", JSON_BOOLEAN, is_refusing, true),
	JSON_FIELD(listener, "closing", JSON_BOOLEAN, is_closing, true),
	JSON_FIELD(listener, "published", JSON_BOOLEAN, is_published, true),
	JSON_FIELD(listener, "owned", JSON_BOOLEAN, is_owned, false),
	JSON_FIELD(listener, "blocking", JSON_BOOLEAN, is_blocking, false),
	JSON_FIELD(listener, "paused", JSON_BOOLEAN, is_paused, false),
	JSON_FIELD_INTEGER(listener, "turn", turn, false, 0, JSON_INTEGER_MAX),
	JSON_FIELD(listener, "configured", JSON_BOOLEAN, is_configured, false),
	JSON_FIELDS_END,
};

static const char *key_of(const struct listener *listener, char key[static LIMIT_KEY_CHARS])
{
	(void)snprintf(key, LIMIT_KEY_CHARS, "listener/%s", listener->name);
	return key;
}

void listener_put(struct listener *listener)
{
	char key[LIMIT_KEY_CHARS];

	holding_put(listener->supervisor->holding, key_of(listener, key), fields, listener,
		&listener->fd, 1);
}

void listener_update(struct listener *listener)
{
	char key[LIMIT_KEY_CHARS];

	holding_update(listener->supervisor->holding, key_of(listener, key), fields, listener);
}

static struct listener *allocate(struct supervisor *supervisor)
{
	struct listener *listener = calloc(1, sizeof(*listener));

	if (!listener)
		return NULL;
	listener->supervisor = supervisor;
	listener->fd = -1;
	return listener;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct listener *)a)->name, ((const struct listener *)b)->name);
}

static int add_to_list(struct listener *listener)
{
	struct listener **node =
		tsearch(listener, &listener->supervisor->listener_tree, compare_names);

	if (!node || *node != listener)
		return node ? -EEXIST : -ENOMEM;
	TAILQ_INSERT_TAIL(&listener->supervisor->listeners, listener, entries);
	return 0;
}

static void remove_from_list(struct listener *listener)
{
	(void)tdelete(listener, &listener->supervisor->listener_tree, compare_names);
	TAILQ_REMOVE(&listener->supervisor->listeners, listener, entries);
}

void listener_free_unlisted(struct listener *listener)
{
	if (!listener)
		return;
	sd_event_source_disable_unref(listener->hold);
	descriptor_close(&listener->fd);
	json_release(fields, listener);
	free(listener);
}

/* Opening. */

static int replace_text(char **text, const char *by)
{
	char *copy = by ? strdup(by) : NULL;

	if (by && !copy)
		return -ENOMEM;
	free(*text);
	*text = copy;
	return 0;
}

static int set_address(struct listener *listener, const struct listener_request *request,
	const struct address *address)
{
	bool is_systemds = listener_request_systemd_name(request->address);
	char text[ADDRESS_TEXT_BYTES];
	int r;

	address_format(address, text);
	r = replace_text(&listener->address, is_systemds ? request->address : text);
	return r < 0 ? r : replace_text(&listener->listens_on, is_systemds ? text : NULL);
}

static int set_route(struct listener *listener, const struct listener_request *request)
{
	int r = replace_text(&listener->balance, request->balance);

	if (r == 0)
		r = replace_text(&listener->to, request->to);
	if (r == 0)
		r = replace_text(&listener->give, request->give);
	listener->hold_usec = request->hold_usec;
	return r;
}

int listener_new_unlisted(struct supervisor *supervisor, const struct listener_request *request,
	const struct address *address, struct listener **ret_listener)
{
	struct listener *listener = allocate(supervisor);
	int r = listener ? set_route(listener, request) : -ENOMEM;

	if (r == 0 && address)
		r = set_address(listener, request, address);
	if (r < 0) {
		listener_free_unlisted(listener);
		return r;
	}
	*ret_listener = listener;
	return 0;
}

int listener_new_bound(struct supervisor *supervisor, const struct listener_request *request,
	const struct address *address, int *take_fd, struct listener **ret_listener)
{
	struct listener *listener;
	int r = listener_new_unlisted(supervisor, request, address, &listener);

	if (r < 0)
		return r;
	/* Its actor is told by what it is started with. */
	listener->is_owned = listener->is_published = request->is_owned;
	r = replace_text(&listener->name, request->name);
	if (r == 0)
		r = add_to_list(listener);
	if (r < 0) {
		listener_free_unlisted(listener);
		return r;
	}
	listener->fd = descriptor_take(take_fd);
	listener_put(listener);
	announce_touch(supervisor);
	*ret_listener = listener;
	return 0;
}

int listener_new(struct supervisor *supervisor, const struct listener_request *request,
	struct listener **ret_listener, struct listener_refusal *ret_refusal)
{
	struct listener_request named = *request;
	struct listener_opening opening;
	int r = listener_request_open(supervisor, request, &opening, ret_refusal);

	if (r < 0)
		return r;
	named.name = opening.name;
	r = listener_new_bound(supervisor, &named, &opening.address, &opening.fd, ret_listener);
	descriptor_close(&opening.fd);
	return r < 0 ? listener_request_refuse(r, ret_refusal, "Failed", NULL, "there is no memory")
		     : 0;
}

struct listener *listener_free(struct listener *listener)
{
	char key[LIMIT_KEY_CHARS];

	/* Held until it is ended, or its address was in use by nobody that is known; who dies
	 * before that has it ended by the next supervisor. */
	if (!listener->is_closing) {
		listener->is_closing = true;
		listener_update(listener);
	}
	if (listener->is_published)
		listener_say(listener, "closed");
	listening_socket_unlink(listener->address);
	/* Who is told that it is closed may bind its address: the keeper, a child on its way to
	 * exec and everybody who was given it still have copies, and this ends it in all of them.
	 * What systemd opened is not ours to end. */
	if (!listener->listens_on)
		(void)shutdown(listener->fd, SHUT_RDWR);
	former_socket_forget(listener->supervisor, listener->name);
	holding_drop(listener->supervisor->holding, key_of(listener, key));
	announce_touch(listener->supervisor);
	remove_from_list(listener);
	listener_free_unlisted(listener);
	return NULL;
}

int listener_adopt(struct supervisor *supervisor, struct keep_message *message)
{
	struct listener *listener = allocate(supervisor);
	int r;

	if (!listener)
		return -ENOMEM;
	r = holding_decode(message, fields, 1, listener);
	if (r < 0) {
		listener_free_unlisted(listener);
		return r;
	}
	r = add_to_list(listener);
	if (r < 0) {
		listener_free_unlisted(listener);
		return r;
	}
	listener->fd = message->passed.fds[0];
	message->passed.n_fds = 0;
	if (listener->is_published)
		listener->said_state = listener_state(listener);
	return 0;
}

struct listener *listener_find(struct supervisor *supervisor, const char *name)
{
	const struct listener wanted = {.name = (char *)name};
	struct listener **node = tfind(&wanted, &supervisor->listener_tree, compare_names);

	return node ? *node : NULL;
}

static bool leads_to(const struct listener *listener, const char *actor)
{
	return strcmp(listener->to ? listener->to : listener->give, actor) == 0;
}

struct listener *listener_find_to(struct supervisor *supervisor, const char *actor)
{
	struct listener *listener;

	TAILQ_FOREACH(listener, &supervisor->listeners, entries)
		if (leads_to(listener, actor) && !listener->is_owned)
			return listener;
	return NULL;
}

/* The former supervisor ended before it had made the actor, or while it let go of the listener;
 * what the acceptor has it closes first. */
static bool is_over(const struct listener *listener)
{
	if (listener->is_closing)
		return listener->give || !actor_find(listener->supervisor, BUILTIN_ACCEPTOR);
	return listener->is_owned && !actor_find(listener->supervisor, listener->give);
}

void listener_resume_all(struct supervisor *supervisor)
{
	struct listener *listener;
	struct listener *next;
	struct actor *acceptor;

	listener_change_follow_systemd(supervisor);
	for (listener = TAILQ_FIRST(&supervisor->listeners); listener; listener = next) {
		next = TAILQ_NEXT(listener, entries);
		if (is_over(listener))
			listener_free(listener);
		else if (!listener->is_published && !listener->is_closing)
			(void)listener_route_publish(listener);
		else if (listener->to)
			(void)builtin_ensure_acceptor(supervisor, &acceptor);
	}
}

/* The flag is the open file description's, which all who have it share: a program that has set it
 * for its event loop would be stuck in accept(2) if it were cleared for a sibling's start. */
int listener_set_blocking(struct listener *listener, bool blocks, bool is_shared)
{
	int r;

	if (is_shared && listener->is_blocking == blocks)
		return 0;
	r = listening_socket_set_blocking(listener->fd, blocks);
	if (r == 0 && listener->is_blocking != blocks) {
		listener->is_blocking = blocks;
		listener_update(listener);
	}
	return r;
}

void listener_close(struct listener *listener)
{
	if (listener->to && actor_find(listener->supervisor, BUILTIN_ACCEPTOR)) {
		/* One that does not run now is told when it starts. */
		listener->is_closing = true;
		listener_update(listener);
		listener_news_close(listener);
		return;
	}
	listener_free(listener);
}

void listener_close_all(const struct actor *actor)
{
	struct listener *listener, *next;

	for (listener = TAILQ_FIRST(&actor->supervisor->listeners); listener; listener = next) {
		next = TAILQ_NEXT(listener, entries);
		if (leads_to(listener, actor->spec.name))
			listener_close(listener);
	}
}

void listener_close_owned(struct supervisor *supervisor, const char *actor)
{
	struct listener *listener, *next;

	for (listener = TAILQ_FIRST(&supervisor->listeners); listener; listener = next) {
		next = TAILQ_NEXT(listener, entries);
		if (listener->is_owned && strcmp(listener->give, actor) == 0)
			listener_free(listener);
	}
}

struct listener_request listener_get_request(const struct listener *listener)
{
	return (struct listener_request){.name = listener->name,
		.address = listener->address,
		.to = listener->to,
		.give = listener->give,
		.balance = listener->balance,
		.hold_usec = listener->hold_usec,
		.is_owned = listener->is_owned};
}

cJSON *listener_describe(const struct listener *listener)
{
	static const char *const own[] = {
		"refusing", "closing", "published", "blocking", "paused", "turn", "configured"};
	cJSON *object = json_encode(fields, listener);

	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
		cJSON_DeleteItemFromObjectCaseSensitive(object, own[i]);
	(void)cJSON_AddStringToObject(object, "state", listener_state(listener));
	(void)cJSON_AddStringToObject(object, "origin", describe_origin(listener->is_configured));
	return object;
}
