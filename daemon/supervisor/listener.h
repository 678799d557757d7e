#pragma once

/*
 * Listeners: bound sockets, and the one route that each has: to an actor's mailboxes through the
 * acceptor, or given to each instance of an actor. Here they are made, found, held and closed.
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
/* One that is asked for so, in no list yet, without a name and a socket; where address is NULL
 * without one too. *ret_listener is the caller's. -ENOMEM. */
int listener_new_unlisted(struct supervisor *supervisor, const struct listener_request *request,
	const struct address *address, struct listener **ret_listener);
/* Frees one that is in no list, and what it has; nothing else comes of it. NULL is nothing. */
void listener_free_unlisted(struct listener *listener);
/* Forgets it. When nobody else holds it clients are refused. Returns NULL. */
struct listener *listener_free(struct listener *listener);
/* Has it held as it is now. */
void listener_put(struct listener *listener);
/* The same where nothing but its JSON has changed. */
void listener_update(struct listener *listener);
/* Takes over what a former supervisor held: message's socket. -EBADMSG, -EINVAL, -ENOMEM. */
int listener_adopt(struct supervisor *supervisor, struct keep_message *message);
/* The listener of that name, or NULL. */
struct listener *listener_find(struct supervisor *supervisor, const char *name);
/* A listener that leads to actor, and is not its own, or NULL. */
struct listener *listener_find_to(struct supervisor *supervisor, const char *actor);

/* After everything was adopted: finishes what a former supervisor had begun. */
void listener_resume_all(struct supervisor *supervisor);
/* A process is about to be given it, to accept from it as systemd's services do: has accept(2) wait
 * or not. What others who have it (is_shared) have made of that since is left to them. -errno. */
int listener_set_blocking(struct listener *listener, bool blocks, bool is_shared);
/* Takes it back from who has it, and forgets it: at once, or when the acceptor has closed it. */
void listener_close(struct listener *listener);
/* Does so with all that lead to actor. */
void listener_close_all(const struct actor *actor);
/* Closes those that are the own ones of the actor of that name. */
void listener_close_owned(struct supervisor *supervisor, const char *actor);

/* What to ask for, to get it as it is; the texts are the listener's. */
struct listener_request listener_get_request(const struct listener *listener);
/* As in the interface (type Listener); the caller's. */
cJSON *listener_describe(const struct listener *listener);
