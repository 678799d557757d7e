#include <string.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/adapter.h"
#include "daemon/supervisor/builtin.h"
#include "daemon/supervisor/former-socket.h"
#include "daemon/supervisor/instance-state.h"
#include "daemon/supervisor/listener-news.h"
#include "daemon/supervisor/listener.h"
#include "daemon/supervisor/news.h"
#include "proto/descriptor.h"

/* What the acceptor is told when it shall let go of one. */
#define CLOSE "{\"close\":true}"

/* With the socket fd, or -1. */
static void tell(
	struct instance *instance, const struct listener *listener, const char *body, int fd)
{
	struct envelope envelope = {.kind = ENVELOPE_LISTENER};

	(void)stpncpy(envelope.listener, listener->name, LIMIT_NAME_CHARS);
	(void)news_tell(instance, &envelope, body, &fd, fd < 0 ? 0 : 1);
}

/* Another acceptor is told of everything when it starts. */
static void tell_acceptor(const struct listener *listener, const char *body, int fd)
{
	struct actor *acceptor = actor_find(listener->supervisor, BUILTIN_ACCEPTOR);
	struct instance *instance = acceptor ? TAILQ_FIRST(&acceptor->instances) : NULL;

	if (instance && instance_is_serving(instance))
		tell(instance, listener, body, fd);
}

static void add_pause(cJSON *object, const struct listener *listener)
{
	(void)cJSON_AddBoolToObject(object, "pause", listener->is_paused);
	(void)cJSON_AddNumberToObject(object, "turn", (double)listener->turn);
}

/* What the acceptor has to know of it; the caller's. */
static char *describe_route(const struct listener *listener, bool is_former)
{
	cJSON *object = cJSON_CreateObject();
	char *text;

	(void)cJSON_AddStringToObject(object, "to", listener->to);
	(void)cJSON_AddStringToObject(object, "balance", listener->balance);
	(void)cJSON_AddBoolToObject(object, "refuse", listener->is_refusing);
	add_pause(object, listener);
	if (is_former)
		(void)cJSON_AddTrueToObject(object, "former");
	text = cJSON_PrintUnformatted(object);
	cJSON_Delete(object);
	return text;
}

/* The acceptor accepts all who wait at the former ones, and lets go of them. */
static void tell_sockets(struct instance *acceptor, const struct listener *listener)
{
	_cleanup_free_ char *route = describe_route(listener, false);
	_cleanup_free_ char *former_route = describe_route(listener, true);
	const struct former_socket *former;

	TAILQ_FOREACH(former, &listener->supervisor->former_sockets, entries)
		if (strcmp(former->listener, listener->name) == 0)
			tell(acceptor, listener, former_route, former->fd);
	tell(acceptor, listener, route, listener->fd);
}

void listener_news_tell_all(struct instance *instance)
{
	struct supervisor *supervisor = instance->actor->supervisor;
	const char *name = instance->actor->spec.name;
	bool is_acceptor = strcmp(name, BUILTIN_ACCEPTOR) == 0;
	struct listener *listener;

	TAILQ_FOREACH(listener, &supervisor->listeners, entries) {
		/* It may have had one that was given away since. */
		if (is_acceptor && (listener->is_closing || listener->give)) {
			tell(instance, listener, CLOSE, -1);
		} else if (is_acceptor) {
			tell_sockets(instance, listener);
		} else if (listener->give && strcmp(listener->give, name) == 0) {
			tell(instance, listener, NULL, listener->fd);
		}
	}
}

void listener_news_give(const struct listener *listener, struct actor *actor)
{
	struct instance *instance;

	/* One without a mailbox is given it when it starts the next time. */
	if (!adapter_has_mailbox(&actor->spec))
		return;
	TAILQ_FOREACH(instance, &actor->instances, entries)
		if (instance_is_serving(instance))
			tell(instance, listener, NULL, listener->fd);
}

void listener_news_open(const struct listener *listener)
{
	_cleanup_free_ char *route = describe_route(listener, false);

	tell_acceptor(listener, route, listener->fd);
}

void listener_news_pause(const struct listener *listener)
{
	cJSON *object = cJSON_CreateObject();
	char *text;

	add_pause(object, listener);
	text = cJSON_PrintUnformatted(object);
	cJSON_Delete(object);
	tell_acceptor(listener, text, -1);
	free(text);
}

void listener_news_refuse(const struct listener *listener)
{
	tell_acceptor(
		listener, listener->is_refusing ? "{\"refuse\":true}" : "{\"refuse\":false}", -1);
}

void listener_news_close(const struct listener *listener)
{
	tell_acceptor(listener, CLOSE, -1);
}
