#pragma once

/*
 * A configuration: the actors and listeners that there shall be, as JSON. The objects are those of
 * the interface, what Spawn and Listen take, by the same tables. Here it is read, and checked as
 * far as it can be checked alone.
 */

#include "daemon/supervisor/listener-request.h"
#include "daemon/supervisor/spec-check.h"
#include "proto/address.h"
#include "proto/json.h"

struct configuration {
	struct spec *actors;
	struct configured_listener *listeners; /* those that actors have of their own as well */
	size_t n_actors, n_listeners;
	size_t n_own_listeners; /* those of actors, which come first */
	/* The same in the order of their names, see configuration-lookup.h. */
	struct spec **actors_by_name;
	struct configured_listener **listeners_by_name;
};

struct configured_listener {
	struct listener_request request; /* its name is known */
	struct address address;		 /* of length 0 where systemd opens it */
	size_t index;			 /* in the array; of its actor where it is owned */
	size_t place;			 /* there: in the actor's listeners */
};

/* What is wrong: the path of a field, such as actors[3].drainUSec, or "" where the whole is meant,
 * and one sentence. */
struct configuration_fault {
	char path[128];
	char reason[512];
	bool is_transient; /* somebody else is in the way, and may go */
};

/* Reads object, which asker wants. On failure *ret_fault is filled: -EINVAL for what is wrong with
 * it, -ENOMEM. */
int configuration_parse(const cJSON *object, const struct spec_asker *asker,
	struct configuration *ret_configuration, struct configuration_fault *ret_fault);
/* Frees what it owns, and makes it an empty one. */
void configuration_done(struct configuration *configuration);

/* May there be n of what member says? Else -EINVAL with *fault filled. */
int configuration_check_number(
	const char *member, size_t n, size_t limit, struct configuration_fault *fault);
/* Fills *ret_fault, and returns -EINVAL. */
int configuration_refuse(struct configuration_fault *ret_fault, const char *reason, ...)
	__attribute__((format(printf, 2, 3)));
/* Says what it is about: member of array[index], or of that one as a whole (NULL). */
void configuration_locate(
	struct configuration_fault *fault, const char *array, size_t index, const char *member);
/* The same of a listener: where it stands. */
void configuration_locate_listener(struct configuration_fault *fault,
	const struct configured_listener *listener, const char *member);
