#pragma once

/*
 * The control socket: Varlink, one call at a time a connection. A call may be answered later; until
 * then nothing more is read from who made it, which is all the backpressure there has to be.
 */

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

struct call;
struct clients;

/* Handles a call; it answers it with call_reply or call_fail, now or later. */
typedef void (*client_handler)(void *context, struct call *call);

struct client_events {
	client_handler handle;
	/* The client has gone before its call was answered to the end: the call is gone after. */
	client_handler on_left;
	/* All that call_continue said has been sent, after some of it had to wait. */
	client_handler on_drained;
};

/* Serves the listening socket *take_fd. events, as context, is borrowed. */
int clients_new(sd_event *event, int *take_fd, const struct client_events *events, void *context,
	struct clients **ret_clients);
/* Hangs up on all, and stops listening. Returns NULL. */
/* Serves the listening socket *take_fd from now on, in place of the one before. */
void clients_move(struct clients *clients, int *take_fd);
struct clients *clients_free(struct clients *clients);
/* The socket that it serves; borrowed. */
int clients_peek_fd(const struct clients *clients);

/* The full name (io.inkod.Supervisor.Spawn), borrowed. */
const char *call_peek_method(const struct call *call);
/* An object, or NULL; borrowed. */
const cJSON *call_peek_parameters(const struct call *call);
/* Does it take replies without end? */
bool call_wants_more(const struct call *call);
/* Who connected, by the kernel's word. */
uid_t call_get_uid(const struct call *call);

/* One reply of several, to a call that wants more; parameters are taken. The call goes on. */
void call_continue(struct call *call, cJSON *take_parameters);
/* How many bytes of what was said are not sent yet, as the client does not read. Who goes on all
 * the same is bounded by nothing. */
size_t call_count_unread(const struct call *call);
/* Answer, and end the call. parameters are taken; NULL is an empty object. */
void call_reply(struct call *call, cJSON *take_parameters);
void call_fail(struct call *call, const char *error, cJSON *take_parameters);
