#pragma once

/*
 * What 'inkoctl counters' is told: what instances, actors, listeners and endpoints have counted.
 */

#include <cjson/cJSON.h>

#include "daemon/supervisor/counters.h"

struct actor;
struct instance;
struct supervisor;

/* Adds what instance has counted, in all of its lives, to sum. */
void count_instance(const struct instance *instance, struct counters *sum);
/* The same of all instances of actor, and of those it had before. */
void count_actor(const struct actor *actor, struct counters *sum);
/* How often instances of actor were restarted, with those it had before. */
int64_t count_restarts(const struct actor *actor);

/* Before instance starts, if it is the acceptor or the gateway: what its former process counted of
 * listeners and endpoints that are gone since is forgotten, as it was killed before it could. */
void count_forget_gone(const struct instance *instance);

/* The reply of GetCounters, about actor alone unless it is NULL; the caller's. */
cJSON *count_describe(struct supervisor *supervisor, const struct actor *actor);
