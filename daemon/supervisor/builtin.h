#pragma once

/*
 * The actors that inkod brings along: the acceptor and the gateway. They are started when they
 * are first needed and are actors like all others.
 */

#include <stdbool.h>

struct actor;
struct instance;
struct supervisor;

#define BUILTIN_ACCEPTOR "acceptor"
#define BUILTIN_GATEWAY "gateway"

/* Does name belong to one of them, so that no other actor may have it? */
bool builtin_is_reserved(const char *name);
/* The acceptor, started if it is not yet. Errors of process_find_own and actor_start, which were
 * logged. */
int builtin_ensure_acceptor(struct supervisor *supervisor, struct actor **ret_actor);
/* The same for the gateway; -ENOENT where it is not installed. */
int builtin_ensure_gateway(struct supervisor *supervisor, struct actor **ret_actor);

/* Its next life, which a former supervisor's build or machine would have made another, is of this
 * one. Nothing where actor is none of them. */
void builtin_renew(struct actor *actor);

/* The address of the actor's endpoint, for programs that inkod did not start; the caller's. NULL
 * without memory. */
char *builtin_endpoint(const struct supervisor *supervisor, const struct actor *actor);
/* Asks the gateway, if it runs, to open or close the endpoint of actor. */
void builtin_open_endpoint(struct actor *actor);
void builtin_close_endpoint(struct actor *actor);
/* Is there a gateway that has not answered for actor's endpoint yet? */
bool builtin_is_opening(const struct actor *actor);
/* instance has another process; where it is the gateway that one has been told nothing yet. */
void builtin_on_started(struct instance *instance);
/* Tells the gateway all endpoints that it was not told. Nothing where it is another instance. */
void builtin_tell_endpoints(struct instance *gateway);
/* The gateway says (X_INKO_ENDPOINT=URL or X_INKO_NO_ENDPOINT=URL) what became of it. */
void builtin_on_notified(struct instance *instance, const char *line);
