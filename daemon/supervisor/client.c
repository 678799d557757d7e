#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/supervisor/client.h"
#include "daemon/supervisor/log.h"
#include "proto/descriptor.h"
#include "proto/json.h"
#include "proto/limits.h"

#define READ_BYTES 16384
#define ACCEPT_PAUSE_USEC UINT64_C(100000)

struct call {
	struct client *client;
	cJSON *message;
	const char *method;
	bool is_oneway, wants_more;
};

struct client {
	LIST_ENTRY(client) entries;
	struct clients *clients;
	int fd;
	struct ucred who;
	sd_event_source *source;
	struct call *call; /* that is not answered yet */
	char *in, *out;
	size_t n_in, n_out, out_done;
};

struct clients {
	sd_event *event;
	int fd;
	sd_event_source *source, *pause;
	const struct client_events *events;
	void *context;
	LIST_HEAD(, client) list;
};

static void call_free(struct call *call)
{
	cJSON_Delete(call->message);
	free(call);
}

static void client_free(struct client *client)
{
	if (client->call) {
		client->clients->events->on_left(client->clients->context, client->call);
		call_free(client->call);
	}
	LIST_REMOVE(client, entries);
	sd_event_source_disable_unref(client->source);
	descriptor_close(&client->fd);
	free(client->in);
	free(client->out);
	free(client);
}

/* Reads only when there is nothing to answer, writes only when there is something to write; that
 * the client hung up is always told. A call that was read together with the one before it has
 * nothing to announce it but that the socket can be written to. */
static void watch(struct client *client)
{
	bool has_call = client->n_in > 0 && memchr(client->in, 0, client->n_in);
	uint32_t events = EPOLLIN;

	if (client->call)
		events = EPOLLRDHUP;
	else if (has_call)
		events = EPOLLOUT;
	if (client->n_out > client->out_done)
		events = EPOLLOUT | (client->call ? EPOLLRDHUP : 0u);
	(void)sd_event_source_set_io_events(client->source, events);
}

static int flush(struct client *client)
{
	while (client->out_done < client->n_out) {
		ssize_t n = send(client->fd, client->out + client->out_done,
			client->n_out - client->out_done, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		client->out_done += (size_t)n;
	}
	free(client->out);
	client->out = NULL;
	client->n_out = client->out_done = 0;
	return 0;
}

/* Behind what waits still, if this call was answered before. */
static void queue_text(struct client *client, char *take_text)
{
	size_t size = strlen(take_text) + 1, waiting = client->n_out - client->out_done;
	char *joined;

	if (waiting == 0) {
		free(client->out);
		client->out = take_text;
	} else {
		memmove(client->out, client->out + client->out_done, waiting);
		joined = realloc(client->out, waiting + size);
		if (!joined)
			abort();
		memcpy(joined + waiting, take_text, size);
		client->out = joined;
		free(take_text);
	}
	client->n_out = waiting + size;
	client->out_done = 0;
}

static void queue(struct call *call, const char *error, cJSON *parameters, bool continues)
{
	cJSON *message = cJSON_CreateObject();
	char *text;

	if (error)
		(void)cJSON_AddStringToObject(message, "error", error);
	(void)cJSON_AddItemToObject(
		message, "parameters", parameters ? parameters : cJSON_CreateObject());
	if (continues)
		(void)cJSON_AddTrueToObject(message, "continues");
	text = cJSON_PrintUnformatted(message);
	cJSON_Delete(message);
	if (!text)
		abort();
	if (call->is_oneway)
		free(text);
	else
		queue_text(call->client, text);
}

static void answer(struct call *call, const char *error, cJSON *parameters)
{
	struct client *client = call->client;

	queue(call, error, parameters, false);
	client->call = NULL;
	call_free(call);
	/* A failure to write shows in the loop, as a hang-up: the caller still has the client. */
	(void)flush(client);
	watch(client);
}

void call_continue(struct call *call, cJSON *take_parameters)
{
	queue(call, NULL, take_parameters, true);
	(void)flush(call->client);
	watch(call->client);
}

size_t call_count_unread(const struct call *call)
{
	return call->client->n_out - call->client->out_done;
}

bool call_wants_more(const struct call *call)
{
	return call->wants_more;
}

void call_reply(struct call *call, cJSON *take_parameters)
{
	answer(call, NULL, take_parameters);
}

void call_fail(struct call *call, const char *error, cJSON *take_parameters)
{
	answer(call, error, take_parameters);
}

const char *call_peek_method(const struct call *call)
{
	return call->method;
}

const cJSON *call_peek_parameters(const struct call *call)
{
	return cJSON_GetObjectItemCaseSensitive(call->message, "parameters");
}

uid_t call_get_uid(const struct call *call)
{
	return call->client->who.uid;
}

/* The members that a call may have; anything else ends the connection, as sd-varlink does. */
static bool is_call(const cJSON *message)
{
	const cJSON *item;
	bool has_method = false;

	cJSON_ArrayForEach(item, message) {
		if (strcmp(item->string, "method") == 0)
			has_method = cJSON_IsString(item);
		else if (strcmp(item->string, "parameters") == 0) {
			if (!cJSON_IsObject(item) && !cJSON_IsNull(item))
				return false;
		} else if (strcmp(item->string, "more") != 0 &&
			   strcmp(item->string, "oneway") != 0 &&
			   strcmp(item->string, "upgrade") != 0)
			return false;
		else if (!cJSON_IsBool(item))
			return false;
	}
	/* One reply, many, or none: not two of these. */
	return has_method &&
	       !(cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(message, "more")) &&
		       cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(message, "oneway")));
}

static int begin_call(struct client *client, const char *frame, size_t size)
{
	struct call *call;
	cJSON *message;
	int r = json_parse(frame, size, &message);

	if (r < 0)
		return r;
	if (!is_call(message)) {
		cJSON_Delete(message);
		return -EBADMSG;
	}
	call = calloc(1, sizeof(*call));
	if (!call) {
		cJSON_Delete(message);
		return -ENOMEM;
	}
	call->client = client;
	call->message = message;
	call->method = cJSON_GetObjectItemCaseSensitive(message, "method")->valuestring;
	call->is_oneway = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(message, "oneway"));
	call->wants_more = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(message, "more"));
	client->call = call;
	watch(client);
	client->clients->events->handle(client->clients->context, call);
	return 0;
}

/* Begins the calls that were read whole, one after the other. */
static int process(struct client *client)
{
	while (!client->call && client->n_out == 0 && client->n_in > 0) {
		char *end = memchr(client->in, 0, client->n_in);
		size_t size;
		int r;

		if (!end)
			return client->n_in >= LIMIT_FRAME_BYTES ? -EMSGSIZE : 0;
		size = (size_t)(end - client->in);
		r = begin_call(client, client->in, size);
		if (r < 0)
			return r;
		client->n_in -= size + 1;
		memmove(client->in, end + 1, client->n_in);
	}
	return 0;
}

static int receive(struct client *client)
{
	char *grown = realloc(client->in, client->n_in + READ_BYTES);
	ssize_t n;

	if (!grown)
		return -ENOMEM;
	client->in = grown;
	/* Without a control buffer: descriptors that come along are closed by the kernel. */
	n = recv(client->fd, client->in + client->n_in, READ_BYTES, MSG_DONTWAIT);
	if (n <= 0)
		return n == 0 ? -ECONNRESET : errno == EAGAIN ? 0 : -errno;
	client->n_in += (size_t)n;
	return 0;
}

/* A call that is being answered: nothing is read meanwhile. */
static int go_on(struct client *client, uint32_t events)
{
	int r = events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP) ? -ECONNRESET : flush(client);

	if (r == 0 && client->n_out == 0)
		client->clients->events->on_drained(client->clients->context, client->call);
	return r;
}

static int on_client(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct client *client = userdata;
	int r = 0;

	(void)source;
	(void)fd;
	if (client->call) {
		r = go_on(client, events);
	} else if (events & EPOLLOUT) {
		r = flush(client);
	} else {
		r = receive(client);
	}
	if (r == 0)
		r = process(client);
	if (r < 0) {
		client_free(client);
		return 0;
	}
	if (client->n_in == 0) {
		free(client->in);
		client->in = NULL;
	}
	watch(client);
	return 0;
}

/* Somebody who may look, and nothing else. */
static bool is_other(uid_t uid)
{
	return uid != 0 && uid != geteuid();
}

static bool has_room_for(const struct clients *clients, uid_t uid)
{
	const struct client *client;
	unsigned int others = 0, same = 0;

	LIST_FOREACH(client, &clients->list, entries) {
		others += is_other(client->who.uid);
		same += client->who.uid == uid;
	}
	return same < LIMIT_CLIENTS_PER_UID && (!is_other(uid) || others < LIMIT_CLIENTS_OF_OTHERS);
}

static void admit(struct clients *clients, int *take_fd)
{
	struct client *client = calloc(1, sizeof(*client));
	socklen_t size = sizeof(client->who);

	if (!client)
		return;
	client->clients = clients;
	client->fd = *take_fd;
	if (getsockopt(client->fd, SOL_SOCKET, SO_PEERCRED, &client->who, &size) < 0 ||
		!has_room_for(clients, client->who.uid) ||
		sd_event_add_io(clients->event, &client->source, client->fd, EPOLLIN, on_client,
			client) < 0) {
		free(client);
		return;
	}
	*take_fd = -1;
	LIST_INSERT_HEAD(&clients->list, client, entries);
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct clients *clients = userdata;

	(void)source;
	(void)usec;
	return sd_event_source_set_enabled(clients->source, SD_EVENT_ON);
}

/* Without a descriptor to spare a waiting client would keep the loop awake. */
static void pause_accepting(struct clients *clients)
{
	(void)sd_event_source_set_enabled(clients->source, SD_EVENT_OFF);
	clients->pause = sd_event_source_disable_unref(clients->pause);
	(void)sd_event_add_time_relative(clients->event, &clients->pause, CLOCK_MONOTONIC,
		ACCEPT_PAUSE_USEC, 0, on_pause_over, clients);
}

static int on_connect(sd_event_source *source, int listen_fd, uint32_t events, void *userdata)
{
	struct clients *clients = userdata;
	_cleanup_close_ int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)source;
	(void)events;
	if (fd >= 0)
		admit(clients, &fd);
	else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
		pause_accepting(clients);
	return 0;
}

int clients_new(sd_event *event, int *take_fd, const struct client_events *events, void *context,
	struct clients **ret_clients)
{
	struct clients *clients = calloc(1, sizeof(*clients));
	int r;

	if (!clients)
		return -ENOMEM;
	*clients = (struct clients){
		.event = event, .fd = *take_fd, .events = events, .context = context};
	r = sd_event_add_io(event, &clients->source, *take_fd, EPOLLIN, on_connect, clients);
	if (r < 0) {
		free(clients);
		return r;
	}
	*take_fd = -1;
	*ret_clients = clients;
	return 0;
}

int clients_peek_fd(const struct clients *clients)
{
	return clients->fd;
}

void clients_move(struct clients *clients, int *take_fd)
{
	/* This replaces the descriptor in the loop as well; it cannot be the same. */
	if (sd_event_source_set_io_fd(clients->source, *take_fd) < 0)
		return;
	descriptor_close(&clients->fd);
	clients->fd = descriptor_take(take_fd);
}

struct clients *clients_free(struct clients *clients)
{
	if (!clients)
		return NULL;
	while (!LIST_EMPTY(&clients->list))
		client_free(LIST_FIRST(&clients->list));
	sd_event_source_disable_unref(clients->source);
	sd_event_source_disable_unref(clients->pause);
	descriptor_close(&clients->fd);
	free(clients);
	return NULL;
}
