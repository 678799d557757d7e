#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/supervisor/actor-state.h"
#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/announce.h"
#include "daemon/supervisor/builtin.h"
#include "daemon/supervisor/describe.h"
#include "daemon/supervisor/former-socket.h"
#include "daemon/supervisor/holding.h"
#include "daemon/supervisor/listener-news.h"
#include "daemon/supervisor/listener-request.h"
#include "daemon/supervisor/listener.h"
#include "daemon/supervisor/listening-socket.h"
#include "daemon/supervisor/log.h"
#include "daemon/supervisor/monitor.h"
#include "daemon/supervisor/notify.h"
#include "daemon/supervisor/requests.h"
#include "daemon/supervisor/routing.h"
#include "daemon/supervisor/systemd-socket.h"
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

static void update(struct listener *listener)
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

static void release(struct listener *listener)
{
	if (!listener)
		return;
	sd_event_source_disable_unref(listener->hold);
	descriptor_close(&listener->fd);
	json_release(fields, listener);
	free(listener);
}

static void say(const struct listener *listener, const char *to)
{
	const struct monitor_event event = {.kind = MONITOR_LISTENER,
		.name = listener->name,
		.to = to,
		.why = listener->address};

	monitor_say(listener->supervisor, &event);
}

/* As in the interface. */
static const char *state_of(const struct listener *listener)
{
	if (listener->is_paused)
		return "paused";
	if (listener->is_refusing)
		return "refusing";
	return listener->hold ? "waiting" : "open";
}

static void say_state(struct listener *listener)
{
	const char *state = state_of(listener);

	if (listener->said_state && strcmp(listener->said_state, state) == 0)
		return;
	listener->said_state = state;
	say(listener, state);
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

int listener_new_bound(struct supervisor *supervisor, const struct listener_request *request,
	const struct address *address, int *take_fd, struct listener **ret_listener)
{
	struct listener *listener = allocate(supervisor);
	int r = listener ? replace_text(&listener->name, request->name) : -ENOMEM;

	if (r == 0)
		r = set_address(listener, request, address);
	if (r == 0)
		r = set_route(listener, request);
	if (r < 0) {
		release(listener);
		return r;
	}
	/* Its actor is told by what it is started with. */
	listener->is_owned = listener->is_published = request->is_owned;
	r = add_to_list(listener);
	if (r < 0) {
		release(listener);
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

/* Nobody connects to the file of a socket that is not listened on any more. */
static void unlink_address(const struct listener *listener)
{
	static const char scheme[] = "unix://";

	if (strncmp(listener->address, scheme, strlen(scheme)) == 0)
		(void)unlink(listener->address + strlen(scheme));
}

struct listener *listener_free(struct listener *listener)
{
	char key[LIMIT_KEY_CHARS];

	/* Held until it is ended, or its address was in use by nobody that is known; who dies
	 * before that has it ended by the next supervisor. */
	if (!listener->is_closing) {
		listener->is_closing = true;
		update(listener);
	}
	if (listener->is_published)
		say(listener, "closed");
	unlink_address(listener);
	/* Who is told that it is closed may bind its address: the keeper, a child on its way to
	 * exec and everybody who was given it still have copies, and this ends it in all of them.
	 * What systemd opened is not ours to end. */
	if (!listener->listens_on)
		(void)shutdown(listener->fd, SHUT_RDWR);
	former_socket_forget(listener->supervisor, listener->name);
	holding_drop(listener->supervisor->holding, key_of(listener, key));
	announce_touch(listener->supervisor);
	remove_from_list(listener);
	release(listener);
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
		release(listener);
		return r;
	}
	r = add_to_list(listener);
	if (r < 0) {
		release(listener);
		return r;
	}
	listener->fd = message->passed.fds[0];
	message->passed.n_fds = 0;
	if (listener->is_published)
		listener->said_state = state_of(listener);
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

/* All that can fail; nobody is told of anything that has to be taken back. */
static int open_way(struct listener *listener, struct actor *actor)
{
	struct actor *acceptor;
	int r;

	if (!listener->to)
		return 0;
	if (!actor)
		return -ENOENT;
	r = builtin_ensure_acceptor(listener->supervisor, &acceptor);
	return r < 0 ? r : routing_open(actor);
}

/* actor is who gets it, or NULL, after open_way. */
static void hand_out(struct listener *listener, struct actor *actor)
{
	if (listener->to) {
		listener_news_open(listener);
		if (strcmp(actor_state(actor), "failed") == 0)
			listener_on_actor_failed(actor, true);
	} else if (actor) {
		listener_news_give(listener, actor);
	}
	listener->is_published = true;
	update(listener);
	say_state(listener);
}

static struct actor *find_receiver(const struct listener *listener)
{
	return actor_find(listener->supervisor, listener->to ? listener->to : listener->give);
}

int listener_publish(struct listener *listener)
{
	struct actor *actor = find_receiver(listener);
	int r = open_way(listener, actor);

	if (r == 0)
		hand_out(listener, actor);
	return r;
}

/* Changing. */

static void exchange_texts(char **text, char **other)
{
	char *kept = *text;

	*text = *other;
	*other = kept;
}

/* All that a request says of it. */
static void exchange(struct listener *listener, struct listener *other)
{
	int64_t hold_usec = listener->hold_usec;

	exchange_texts(&listener->address, &other->address);
	exchange_texts(&listener->listens_on, &other->listens_on);
	exchange_texts(&listener->to, &other->to);
	exchange_texts(&listener->give, &other->give);
	exchange_texts(&listener->balance, &other->balance);
	listener->hold_usec = other->hold_usec;
	other->hold_usec = hold_usec;
}

/* What it becomes; address is NULL where that stays. */
static int make_next(const struct listener *listener, const struct listener_request *request,
	const struct address *address, struct listener **ret_next)
{
	struct listener *next = allocate(listener->supervisor);
	int r = next ? set_route(next, request) : -ENOMEM;

	if (r == 0 && address)
		r = set_address(next, request, address);
	if (r == 0 && !address)
		r = replace_text(&next->address, listener->address);
	if (r == 0 && !address)
		r = replace_text(&next->listens_on, listener->listens_on);
	if (r < 0) {
		release(next);
		return r;
	}
	*ret_next = next;
	return 0;
}

/* All that can fail, listener having next's terms, since they say what the lanes are for; on
 * failure it has its own again. */
static int begin_change(struct listener *listener, struct listener *next, bool moves)
{
	struct actor *actor;
	int r;

	exchange(listener, next);
	actor = find_receiver(listener);
	/* Nobody is connected to one that goes away. */
	r = open_way(listener, actor && !actor->is_removing ? actor : NULL);
	if (r == 0 && moves && listener->to)
		r = former_socket_keep(listener->supervisor, listener->name, listener->fd);
	if (r < 0)
		exchange(listener, next);
	return r;
}

/* Of the socket that it had until now. */
static void leave_socket(struct listener *former, bool is_given)
{
	unlink_address(former);
	/* What systemd opened is not ours to end. */
	if (is_given && !former->listens_on)
		(void)shutdown(former->fd, SHUT_RDWR);
}

/* The acceptor accepts whoever waits still, wherever that is, and nobody else does there. */
static void give_away(struct listener *listener)
{
	listener_news_close(listener);
	former_socket_forget(listener->supervisor, listener->name);
}

/* It is put before anything is seen of it: where it is said to listen it does, whoever dies. */
static void finish_change(struct listener *listener, struct listener *former)
{
	/* That was about the actor before, or is found out again. */
	listener->hold = sd_event_source_disable_unref(listener->hold);
	listener->is_refusing = false;
	/* What the actor before has made of it is not what this one expects. */
	listener->is_blocking = false;
	/* Nobody pauses instances that accept for themselves. */
	if (listener->give)
		listener->is_paused = false;
	/* Until who has it now is told. */
	listener->is_published = false;
	listener_put(listener);
	if (former->fd >= 0) {
		former_socket_take_back(listener->supervisor, listener->name, listener->fd);
		leave_socket(former, listener->give);
	}
	if (listener->give)
		give_away(listener);
	hand_out(listener, find_receiver(listener));
}

int listener_change(struct listener *listener, const struct listener_request *request,
	const struct address *address, int *take_fd)
{
	struct supervisor *supervisor = listener->supervisor;
	bool moves = *take_fd >= 0;
	struct listener *other;
	int r = make_next(listener, request, moves ? address : NULL, &other);

	if (r < 0)
		return r;
	r = begin_change(listener, other, moves);
	if (r == 0 && moves) {
		other->fd = listener->fd;
		listener->fd = descriptor_take(take_fd);
	}
	if (r == 0)
		finish_change(listener, other);
	release(other);
	/* Somebody may wait for a pause that will not be. This may close the listener. */
	requests_check(supervisor);
	return r;
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

	listener_follow_systemd(supervisor);
	for (listener = TAILQ_FIRST(&supervisor->listeners); listener; listener = next) {
		next = TAILQ_NEXT(listener, entries);
		if (is_over(listener))
			listener_free(listener);
		else if (!listener->is_published && !listener->is_closing)
			(void)listener_publish(listener);
		else if (listener->to)
			(void)builtin_ensure_acceptor(supervisor, &acceptor);
	}
}

/* When systemd has opened another socket. */

static bool is_same_socket(int fd, int other_fd)
{
	uint64_t inode, other;

	return listening_socket_identify(fd, &inode) == 0 &&
	       listening_socket_identify(other_fd, &other) == 0 && inode == other;
}

static int move(struct listener *listener, int *take_fd)
{
	char text[ADDRESS_TEXT_BYTES];
	struct address address;
	_cleanup_free_ char *listens_on = NULL;
	int r = listening_socket_adopt(*take_fd, &address);

	if (r < 0)
		return r;
	address_format(&address, text);
	listens_on = strdup(text);
	if (!listens_on)
		return -ENOMEM;
	if (listener->to)
		r = former_socket_keep(listener->supervisor, listener->name, listener->fd);
	if (r < 0)
		return r;
	exchange_texts(&listener->listens_on, &listens_on);
	descriptor_close(&listener->fd);
	listener->fd = descriptor_take(take_fd);
	listener->is_blocking = false;
	listener_put(listener);
	return 0;
}

/* Instances that were given the former socket have it for good, and accept who waits there. */
static void tell_move(struct listener *listener)
{
	struct actor *actor =
		listener->give ? actor_find(listener->supervisor, listener->give) : NULL;

	log_info("%s: systemd opened another socket, %s", listener->name, listener->listens_on);
	say(listener, "moved");
	if (listener->to)
		listener_news_open(listener);
	if (!actor)
		return;
	log_warning("%s: instances of %s that have its former socket go on with that; 'inkoctl "
		    "restart %s --rolling' gives all of them the other one",
		listener->name, listener->give, listener->give);
	listener_news_give(listener, actor);
}

static void follow(struct listener *listener)
{
	const char *socket = listener_request_systemd_name(listener->address);
	_cleanup_close_ int fd = -1;
	int r;

	if (!socket || listener->is_closing ||
		systemd_socket_open(listener->supervisor, socket, &fd) < 0 ||
		is_same_socket(fd, listener->fd))
		return;
	r = move(listener, &fd);
	if (r < 0)
		log_error("%s goes on with its former socket, and not with the one that systemd "
			  "opened: %s",
			listener->name, strerror(-r));
	else if (listener->is_published)
		tell_move(listener);
}

void listener_follow_systemd(struct supervisor *supervisor)
{
	struct listener *listener;

	TAILQ_FOREACH(listener, &supervisor->listeners, entries)
		follow(listener);
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
		update(listener);
	}
	return r;
}

void listener_close(struct listener *listener)
{
	if (listener->to && actor_find(listener->supervisor, BUILTIN_ACCEPTOR)) {
		/* One that does not run now is told when it starts. */
		listener->is_closing = true;
		update(listener);
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

/* Pausing. */

void listener_pause(struct listener *listener)
{
	if (!listener->is_paused) {
		listener->is_paused = true;
		listener->turn++;
		update(listener);
		say_state(listener);
	}
	listener->has_confirmed = false;
	listener_news_pause(listener);
}

void listener_resume(struct listener *listener)
{
	if (!listener->is_paused)
		return;
	listener->is_paused = false;
	update(listener);
	say_state(listener);
	listener_news_pause(listener);
	requests_check(listener->supervisor);
}

/* What the acceptor confirms. */

static void on_closed(struct supervisor *supervisor, const char *name, uint64_t number)
{
	struct listener *listener = listener_find(supervisor, name);

	(void)number;
	if (!listener || !listener->is_closing)
		return;
	listener_free(listener);
	requests_check(supervisor);
}

static void on_paused(struct supervisor *supervisor, const char *name, uint64_t turn)
{
	struct listener *listener = listener_find(supervisor, name);

	/* It may be the answer to a pause that was ended, and begun again, meanwhile. */
	if (!listener || !listener->is_paused || turn != (uint64_t)listener->turn)
		return;
	listener->has_confirmed = true;
	requests_check(supervisor);
}

static const struct {
	const char *variable;
	void (*on_confirmed)(struct supervisor *supervisor, const char *name, uint64_t number);
} confirmations[] = {
	{"X_INKO_CLOSED", on_closed},
	{"X_INKO_PAUSED", on_paused},
	{"X_INKO_DRAINED", former_socket_on_drained},
};

void listener_on_notified(struct supervisor *supervisor, const char *line)
{
	for (size_t i = 0; i < sizeof(confirmations) / sizeof(*confirmations); i++) {
		const char *value = notify_find_value(line, confirmations[i].variable);
		size_t length = value ? strcspn(value, " ") : 0;
		char name[LIMIT_NAME_CHARS + 1];

		if (!value || length >= sizeof(name))
			continue;
		(void)snprintf(name, sizeof(name), "%.*s", (int)length, value);
		confirmations[i].on_confirmed(supervisor, name, strtoull(value + length, NULL, 10));
	}
}

/* When an actor has failed. */

static void set_refusing(struct listener *listener, bool refuse)
{
	if (listener->is_refusing == refuse)
		return;
	listener->is_refusing = refuse;
	update(listener);
	say_state(listener);
	listener_news_refuse(listener);
}

static int on_held(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct listener *listener = userdata;
	struct actor *actor = actor_find(listener->supervisor, listener->to);

	(void)source;
	(void)usec;
	listener->hold = sd_event_source_disable_unref(listener->hold);
	log_warning("%s: %s has failed, and clients have waited long enough: %s refused until "
		    "'inkoctl start %s'",
		listener->name, listener->to,
		listener->is_paused ? "those that were accepted before the pause are" : "they are",
		listener->to);
	set_refusing(listener, true);
	if (actor)
		routing_refuse(actor);
	return 0;
}

void listener_on_actor_failed(struct actor *actor, bool has_failed)
{
	struct supervisor *supervisor = actor->supervisor;
	struct listener *listener;

	TAILQ_FOREACH(listener, &supervisor->listeners, entries) {
		if (!listener->to || strcmp(listener->to, actor->spec.name) != 0)
			continue;
		listener->hold = sd_event_source_disable_unref(listener->hold);
		if (has_failed)
			(void)sd_event_add_time_relative(supervisor->event, &listener->hold,
				CLOCK_MONOTONIC, (uint64_t)listener->hold_usec, 1, on_held,
				listener);
		else
			set_refusing(listener, false);
		if (listener->is_published)
			say_state(listener);
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
	(void)cJSON_AddStringToObject(object, "state", state_of(listener));
	(void)cJSON_AddStringToObject(object, "origin", describe_origin(listener->is_configured));
	return object;
}
