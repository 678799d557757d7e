#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "daemon/supervisor/holding.h"
#include "daemon/supervisor/log.h"
#include "proto/descriptor.h"
#include "proto/json.h"
#include "proto/shortage.h"

/* A message that there is no descriptor or memory for stays where it is. */
#define PAUSE_MSEC 10

/* A keeper that was started to take over, and cannot be given something for so long, be it that it
 * does not read, does not become one: another is started. */
#define HAND_OVER_MSEC 5000

struct holding {
	int fd; /* -1 when the keeper is gone */
	struct holding_keeper keeper;
	bool is_handing_over;
	unsigned long fatal_put; /* see read_fault */
	sd_event *event;
	sd_event_source *source;
	const struct holding_events *events;
	void *context;
};

/* For tests: INKO_FAULT=put:N kills this process right after its Nth put, update or drop, the
 * moments between which a supervisor can die. 0 when it is not wanted. */
static unsigned long read_fault(void)
{
	const char *fault = getenv("INKO_FAULT");

	return fault && strncmp(fault, "put:", 4) == 0 ? strtoul(fault + 4, NULL, 10) : 0;
}

int holding_new(int fd, pid_t keeper, struct holding **ret_holding)
{
	struct holding *holding = calloc(1, sizeof(*holding));

	if (!holding)
		return -ENOMEM;
	holding->fd = fd;
	holding->keeper.pid = keeper;
	holding->fatal_put = read_fault();
	*ret_holding = holding;
	return 0;
}

static void lose_keeper(struct holding *holding)
{
	if (holding->fd < 0)
		return;
	log_error("the keeper is gone; what runs goes on, and the next keeper is given all of it");
	/* Until then who finds the lock taken is told whom to end. */
	if (lseek(KEEP_LOCK_FD, 0, SEEK_SET) == 0 && ftruncate(KEEP_LOCK_FD, 0) == 0)
		(void)dprintf(KEEP_LOCK_FD, "%d\n", (int)getpid());
	holding->source = sd_event_source_disable_unref(holding->source);
	descriptor_close(&holding->fd);
	holding->keeper = (struct holding_keeper){0};
	if (holding->events)
		holding->events->on_lost(holding->context);
}

/* A keeper that is one is waited for: what it does not hold must not take effect. */
static int send_to_keeper(struct holding *holding, const struct keep_message *message)
{
	return keep_send(
		holding->fd, message, holding->is_handing_over ? HAND_OVER_MSEC : KEEP_FOR_EVER);
}

static void die_if_wanted(struct holding *holding, enum keep_verb verb)
{
	if (holding->fatal_put && (verb == KEEP_PUT || verb == KEEP_UPDATE || verb == KEEP_DROP) &&
		--holding->fatal_put == 0)
		(void)kill(getpid(), SIGKILL);
}

static void say_message(struct holding *holding, const struct keep_message *message)
{
	int r;

	if (holding->fd < 0)
		return;
	r = send_to_keeper(holding, message);
	/* What is held is bounded where it is made: a message that does not fit is our mistake. */
	if (r == -EMSGSIZE || r == -EINVAL)
		abort();
	if (r < 0)
		lose_keeper(holding);
	else
		die_if_wanted(holding, message->verb);
}

static void say(struct holding *holding, enum keep_verb verb, const char *key, const cJSON *object,
	const int *fds, size_t n_fds)
{
	struct keep_message message = {.verb = verb};
	_cleanup_free_ char *text = NULL;

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
	say_message(holding, &message);
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

void holding_notify(struct holding *holding, char *text)
{
	const struct keep_message message = {
		.verb = KEEP_NOTIFY, .bytes = text, .n_bytes = strlen(text)};

	say_message(holding, &message);
}

void holding_sign(struct holding *holding)
{
	say(holding, KEEP_ALIVE, NULL, NULL, NULL, 0);
}

bool holding_is_attached(const struct holding *holding)
{
	return holding->fd >= 0;
}

const struct holding_keeper *holding_peek_keeper(const struct holding *holding)
{
	return &holding->keeper;
}

void holding_finish(struct holding *holding)
{
	say(holding, KEEP_FINISH, NULL, NULL, NULL, 0);
}

void holding_refuse_start(struct holding *holding, int status)
{
	const struct keep_message message = {.verb = KEEP_FINISH, .number = (uint32_t)status};

	say_message(holding, &message);
}

void holding_serve(struct holding *holding)
{
	say(holding, KEEP_SERVING, NULL, NULL, NULL, 0);
}

void holding_upgrade(struct holding *holding)
{
	say(holding, KEEP_UPGRADE, NULL, NULL, NULL, 0);
}

/* 0 to try again, else as shortage_wait: another supervisor begins from the same. */
static int wait_for_room(struct shortage *shortage, int error)
{
	if (shortage_is_news(shortage))
		log_error(
			"cannot receive what is held: %s; tries for %d s until it can, then another "
			"supervisor does. To have it go on, %s",
			strerror(-error), SHORTAGE_PATIENCE_MSEC / 1000, shortage_remedy(error));
	return shortage_wait(shortage, error);
}

/* The next message, waited for; as keep_receive but for -EAGAIN, or as shortage_wait. */
static int receive_held(int fd, struct shortage *shortage, struct keep_message *ret_message)
{
	struct pollfd waits = {.fd = fd, .events = POLLIN};
	int r;

	for (;;) {
		r = keep_receive(fd, ret_message);
		if (r == -EAGAIN) {
			shortage_end(shortage);
			(void)poll(&waits, 1, -1);
		} else if (!shortage_is(r))
			break;
		else if ((r = wait_for_room(shortage, r)) < 0)
			return r;
	}
	shortage_end(shortage);
	return r;
}

int holding_take_all(struct holding *holding,
	void (*on_held)(void *context, struct keep_message *message), void *context)
{
	struct shortage shortage = {0};

	say(holding, KEEP_TAKE, NULL, NULL, NULL, 0);
	for (;;) {
		struct keep_message message;
		enum keep_verb verb;
		int r = receive_held(holding->fd, &shortage, &message);

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

static void note_keeper(struct holding *holding, const struct keep_message *message)
{
	(void)snprintf(
		holding->keeper.version, sizeof(holding->keeper.version), "%s", message->bytes);
	holding->keeper.replaced = message->number;
}

static void on_message(struct holding *holding, struct keep_message *message)
{
	switch (message->verb) {
	case KEEP_EXITED:
		holding->events->on_exited(holding->context, message->key, message->number);
		break;
	case KEEP_STOP:
		holding->events->on_stop(holding->context);
		break;
	case KEEP_LEAVE:
		holding->events->on_leave(holding->context);
		break;
	case KEEP_STAY:
		holding->events->on_stay(holding->context, message->bytes);
		break;
	case KEEP_WATCH:
		holding->events->on_watch(holding->context, message->number);
		break;
	case KEEP_HELD:
		holding->events->on_socket(holding->context, message);
		break;
	case KEEP_KEEPER:
		note_keeper(holding, message);
		break;
	default:
		break; /* said by a keeper of another build */
	}
}

/* 1 when a message was dealt with, 0 when there is none for now, or no keeper any more. */
static int dispatch(struct holding *holding)
{
	struct keep_message message;
	int r = keep_receive(holding->fd, &message);

	if (r == -EMFILE || r == -ENOMEM)
		(void)poll(NULL, 0, PAUSE_MSEC);
	if (r == -EAGAIN || r == -EMFILE || r == -ENOMEM)
		return 0;
	if (r == -EBADMSG)
		return 1;
	if (r <= 0) {
		lose_keeper(holding);
		return 0;
	}
	on_message(holding, &message);
	keep_message_done(&message);
	return 1;
}

static int on_link(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	(void)source;
	(void)fd;
	(void)events;
	(void)dispatch(userdata);
	return 0;
}

static int watch(struct holding *holding)
{
	return sd_event_add_io(
		holding->event, &holding->source, holding->fd, EPOLLIN, on_link, holding);
}

int holding_attach(struct holding *holding, sd_event *event, const struct holding_events *events,
	void *context)
{
	holding->event = event;
	holding->events = events;
	holding->context = context;
	return watch(holding);
}

bool holding_check(struct holding *holding)
{
	struct pollfd link = {.fd = holding->fd};

	if (holding->fd >= 0 && poll(&link, 1, 0) == 1 && (link.revents & (POLLHUP | POLLERR)))
		while (dispatch(holding) == 1)
			;
	return holding_is_attached(holding);
}

/* Another keeper. */

void holding_refuse(const struct holding *holding, int fd)
{
	struct keep_message message = {.verb = KEEP_REFUSED,
		.number = (uint32_t)(holding->keeper.pid ? holding->keeper.pid : getpid())};

	(void)keep_send(fd, &message, 0);
}

int holding_hand_over(struct holding *holding, int *take_fd, pid_t keeper,
	void (*put_all)(void *context), void *context)
{
	int r;

	holding->fd = descriptor_take(take_fd);
	holding->keeper.pid = keeper;
	holding->is_handing_over = true;
	say(holding, KEEP_LOCK, NULL, NULL, (int[]){KEEP_LOCK_FD}, 1);
	put_all(context);
	say(holding, KEEP_ALL, NULL, NULL, NULL, 0);
	holding->is_handing_over = false;
	if (holding->fd < 0)
		return -ECONNRESET;
	r = watch(holding);
	if (r < 0)
		lose_keeper(holding);
	return r;
}
