#pragma once

/*
 * What state an actor is in: nothing that it keeps, but what the states of its instances add up to,
 * beside what is wanted of it.
 */

#include <stdbool.h>

struct actor;
struct instance;

/* stopped, starting, ready, degraded, stopping or failed: what its instances' states add up to. */
const char *actor_state(const struct actor *actor);
/* Are all instances ready that it shall have (it may be none)? */
bool actor_is_ready(const struct actor *actor);
/* Is it ready, and are no others there? */
bool actor_is_settled(const struct actor *actor);
/* Does no instance run, or wait for its next start? */
bool actor_is_stopped(const struct actor *actor);
/* An instance that ended before it was ready, or has failed, so that the actor will not be ready;
 * or NULL. */
const struct instance *actor_find_failure(const struct actor *actor);
