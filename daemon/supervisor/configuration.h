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

struct configuration_fault;

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

/* Reads object, which asker wants. On failure *ret_fault is filled: -EINVAL for what is wrong with
 * it, -ENOMEM. */
int configuration_parse(const cJSON *object, const struct spec_asker *asker,
	struct configuration *ret_configuration, struct configuration_fault *ret_fault);
/* Frees what it owns, and makes it an empty one. */
void configuration_done(struct configuration *configuration);
