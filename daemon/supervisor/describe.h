#pragma once

/*
 * The objects of the interface (proto/io.inkod.Supervisor.varlink), as JSON.
 */

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

struct actor;
struct call;
struct instance;
struct supervisor;

/* What is returned is the caller's; without memory it lacks something. */

cJSON *describe_actor(const struct actor *actor);
/* Arrays: of that actor and the listeners that lead to it, or, with NULL, of all. */
cJSON *describe_actors(struct supervisor *supervisor, const struct actor *only);
cJSON *describe_listeners(const struct supervisor *supervisor, const struct actor *only);
/* Of all. */
cJSON *describe_routes(const struct supervisor *supervisor);
/* Where each instance of actor prints to. */
cJSON *describe_logs(const struct actor *actor);

/* Whose saying something is there by (field origin). */
const char *describe_origin(bool is_configured);

/* How an instance ended that never was ready, and what it printed last; the caller's. */
char *describe_end(const struct instance *instance);

/* Ends call with an error of the interface (its name without the prefix). subject is what the
 * error's first member names; NULL where it has none but the reason. */
void describe_failure(struct call *call, const char *error, const char *subject, const char *reason,
	...) __attribute__((format(printf, 4, 5)));
/* Ends it with InvalidValue of a number that may be min to max. */
void describe_out_of_range(struct call *call, const char *parameter, int64_t min, int64_t max);
/* Ends it with RollFailed; instance is whose failure stopped the roll, or NULL. */
void describe_roll_failure(struct call *call, const char *actor, const char *instance,
	const char *reason, ...) __attribute__((format(printf, 4, 5)));
