#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/holding.h"
#include "daemon/supervisor/log.h"
#include "proto/descriptor.h"

/* A message that there is no descriptor or memory for stays where it is. */
#define PAUSE_MSEC 10

struct holding {
	int fd; /* -1 when the keeper is gone */
	sd_event_source *source;
	const struct holding_events *events;
	void *context;
};

int holding_new(int fd, struct holding **ret_holding)
{
	struct holding *holding = calloc(1, sizeof(*holding));

	if (!holding)
		return -ENOMEM;
	holding->fd = fd;
	*ret_holding = holding;
	return 0;
}

static void lose_keeper(struct holding *holding)
{
	if (holding->fd < 0)
		return;
	log_error("the keeper is gone; what runs goes on, but nothing is held for another "
		  "supervisor: end this one (kill %d) and start inkod when it suits",
		(int)getpid());
	/* Who finds the lock taken is told whom to end. */
	if (ftruncate(KEEP_LOCK_FD, 0) == 0)
		(void)dprintf(KEEP_LOCK_FD, "%d\n", (int)getpid());
	holding->source = sd_event_source_disable_unref(holding->source);
	descriptor_close(&holding->fd);
}

static void say(struct holding *holding, enum keep_verb verb, const char *key, const cJSON *object,
	const int *fds, size_t n_fds)
{
	struct keep_message message = {.verb = verb};
	_cleanup_free_ char *text = NULL;
	int r;

	if (holding->fd < 0)
		return;
	if (key)
		(void)stpncpy(message.key, key, LIMIT_KEY_CHARS);
	if (object) {
		text = cJSON_PrintUnformatted(object);
		if (!text)
			abort();
		message.bytes = text;
		message.n_bytes = strlen(text);
	}
	if (n_fds > 0)
		memcpy(message.passed.fds, fds, n_fds * sizeof(*fds));
	message.passed.n_fds = n_fds;
	r = keep_send(holding->fd, &message, true);
	/* What is held is bounded where it is made: a message that does not fit is our mistake. */
	if (r == -EMSGSIZE || r == -EINVAL)
		abort();
	if (r < 0)
		lose_keeper(holding);
}

void holding_put(struct holding *holding, const char *key, const struct json_field *fields,
	const void *object, const int *fds, size_t n_fds)
{
	cJSON *json = json_encode(fields, object);

	say(holding, KEEP_PUT, key, json, fds, n_fds);
	cJSON_Delete(json);
}

void holding_update(struct holding *holding, const char *key, const struct json_field *fields,
	const void *object)
{
	cJSON *json = json_encode(fields, object);

	say(holding, KEEP_UPDATE, key, json, NULL, 0);
	cJSON_Delete(json);
}

void holding_drop(struct holding *holding, const char *key)
{
	say(holding, KEEP_DROP, key, NULL, NULL, 0);
}

bool holding_is_attached(const struct holding *holding)
{
	return holding->fd >= 0;
}

void holding_finish(struct holding *holding)
{
	say(holding, KEEP_FINISH, NULL, NULL, NULL, 0);
}

int holding_take_all(struct holding *holding,
	void (*on_held)(void *context, struct keep_message *message), void *context)
{
	struct pollfd waits = {.fd = holding->fd, .events = POLLIN};

	say(holding, KEEP_TAKE, NULL, NULL, NULL, 0);
	for (;;) {
		struct keep_message message;
		enum keep_verb verb;
		int r = keep_receive(holding->fd, &message);

		if (r == -EAGAIN) {
			(void)poll(&waits, 1, -1);
			continue;
		}
		if (r == -EMFILE || r == -ENOMEM) {
			(void)poll(NULL, 0, PAUSE_MSEC);
			continue;
		}
		if (r <= 0)
			return r < 0 ? r : -ECONNRESET;
		verb = message.verb;
		if (verb == KEEP_HELD)
			on_held(context, &message);
		keep_message_done(&message);
		if (verb == KEEP_END)
			return 0;
	}
}

int holding_decode(const struct keep_message *message, const struct json_field *fields,
	size_t n_fds, void *object)
{
	const char *field;
	enum json_problem problem;
	cJSON *json = NULL;
	int r = json_parse(message->bytes, message->n_bytes, &json);

	if (r == 0)
		r = json_decode(json, fields, object, &field, &problem);
	cJSON_Delete(json);
	return r == 0 && message->passed.n_fds != n_fds ? -EBADMSG : r;
}

static int on_message(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct holding *holding = userdata;
	struct keep_message message;
	int r = keep_receive(fd, &message);

	(void)source;
	(void)events;
	if (r == -EMFILE || r == -ENOMEM)
		(void)poll(NULL, 0, PAUSE_MSEC);
	if (r == -EAGAIN || r == -EMFILE || r == -ENOMEM)
		return 0;
	if (r <= 0) {
		lose_keeper(holding);
		return 0;
	}
	if (message.verb == KEEP_EXITED)
		holding->events->on_exited(holding->context, message.key, message.number);
	else if (message.verb == KEEP_STOP)
		holding->events->on_stop(holding->context);
	keep_message_done(&message);
	return 0;
}

int holding_attach(struct holding *holding, sd_event *event, const struct holding_events *events,
	void *context)
{
	holding->events = events;
	holding->context = context;
	return sd_event_add_io(event, &holding->source, holding->fd, EPOLLIN, on_message, holding);
}
