#pragma once

/*
 * Listeners: bound sockets, and the one route that each has: to an actor's mailboxes through the
 * acceptor, or given to each instance of an actor.
 */

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "daemon/supervisor/listener-request.h"
#include "proto/keep.h"

struct actor;
struct supervisor;

struct listener {
	TAILQ_ENTRY(listener) entries;
	struct supervisor *supervisor;
	char *name;
	char *address;	   /* as bound: the port is the real one; or systemd:NAME */
	char *listens_on;  /* where that is, if systemd opened it, else NULL */
	char *to;	   /* the actor that gets its connections, or NULL */
	char *give;	   /* the actor that gets it, or NULL */
	char *balance;	   /* roundRobin or pull */
	int64_t hold_usec; /* how long clients of an actor that has failed wait */
	bool is_owned;	   /* comes and goes with the actor that gets it (give) */
	bool is_refusing;
	bool is_published;  /* who is to have it has been told */
	bool is_closing;    /* the acceptor has been told, and has not confirmed yet */
	bool is_blocking;   /* as it was given to a program last: accept(2) waits */
	bool is_paused;	    /* nobody accepts from it, its backlog waits */
	bool is_configured; /* the configuration that was applied last has it */
	int64_t turn;	    /* how often it was paused: which time the acceptor confirms */
	bool has_confirmed;
	const char *said_state; /* to monitors; NULL: nothing */
	int fd;
	sd_event_source *hold;
};

/* Binds it, or finds it among what systemd gave, and holds it; nobody is told of it yet.
 * *ret_listener belongs to the supervisor's list. On failure (-EINVAL, -EEXIST, -ENOENT, -ENOMEM,
 * and errors of bind and listen) *ret_refusal is filled. */
int listener_new(struct supervisor *supervisor, const struct listener_request *request,
	struct listener **ret_listener, struct listener_refusal *ret_refusal);
/* The same of a socket that is bound already, and checked as its name is; *take_fd is taken.
 * -EEXIST, -ENOMEM. */
int listener_new_bound(struct supervisor *supervisor, const struct listener_request *request,
	const struct address *address, int *take_fd, struct listener **ret_listener);
/* Makes of one that is handed to an actor (to) what request says, under the same name. Where
 * *take_fd is not -1 it listens there from now on, at address, and who waits at the former socket
 * is accepted first, unless the listener is given away by it. One that is given away is not paused
 * any more. On failure it is as it was, and *take_fd the caller's: errors of listener_publish (also
 * for an actor that is being removed), of former_socket_keep, -ENOMEM. */
int listener_change(struct listener *listener, const struct listener_request *request,
	const struct address *address, int *take_fd);
/* Forgets it. When nobody else holds it clients are refused. Returns NULL. */
struct listener *listener_free(struct listener *listener);
/* Has it held as it is now. */
void listener_put(struct listener *listener);
/* Takes over what a former supervisor held: message's socket. -EBADMSG, -EINVAL, -ENOMEM. */
int listener_adopt(struct supervisor *supervisor, struct keep_message *message);
/* The listener of that name, or NULL. */
struct listener *listener_find(struct supervisor *supervisor, const char *name);
/* A listener that leads to actor, and is not its own, or NULL. */
struct listener *listener_find_to(struct supervisor *supervisor, const char *actor);

/* Hands it out: to the acceptor, or to the instances of its actor; one that is not there yet is
 * started with it. -ENOENT when that is gone whose connections the acceptor would hand over; errors
 * of builtin_ensure_acceptor and routing_open: the acceptor was told nothing then. */
int listener_publish(struct listener *listener);
/* After everything was adopted: finishes what a former supervisor had begun. */
void listener_resume_all(struct supervisor *supervisor);
/* Has each listener of systemd's listen on the socket that systemd gave last, and its acceptor go
 * on there; who waits at the one before is accepted all the same. */
void listener_follow_systemd(struct supervisor *supervisor);
/* A process is about to be given it, to accept from it as systemd's services do: has accept(2) wait
 * or not. What others who have it (is_shared) have made of that since is left to them. -errno. */
int listener_set_blocking(struct listener *listener, bool blocks, bool is_shared);
/* Takes it back from who has it, and forgets it: at once, or when the acceptor has closed it. */
void listener_close(struct listener *listener);
/* Does so with all that lead to actor. */
void listener_close_all(const struct actor *actor);
/* Closes those that are the own ones of the actor of that name. */
void listener_close_owned(struct supervisor *supervisor, const char *actor);
/* Has the acceptor accept no more from it, which has a route (to) and is not closing;
 * has_confirmed tells when that is so. What is paused already is told again. */
void listener_pause(struct listener *listener);
/* Has it go on. Nothing where it is not paused. */
void listener_resume(struct listener *listener);
/* The acceptor says that it has closed one (X_INKO_CLOSED=NAME), or accepts no more from one that
 * was paused for the time TURN (X_INKO_PAUSED=NAME TURN), or has nobody waiting any more at a
 * former socket (see former-socket.h). */
void listener_on_notified(struct supervisor *supervisor, const char *line);
/* actor has failed, or runs again. */
void listener_on_actor_failed(struct actor *actor, bool has_failed);

/* What to ask for, to get it as it is; the texts are the listener's. */
struct listener_request listener_get_request(const struct listener *listener);
/* As in the interface (type Listener); the caller's. */
cJSON *listener_describe(const struct listener *listener);
