#pragma once

/*
 * The control interface as data: one row a method. proto/io.inkod.Supervisor.varlink says the same
 * to people and programs, and a test holds the two together.
 */

#include <stddef.h>

#include "proto/json-fields.h"

struct call;
struct client_events;
struct supervisor;

enum interface_access {
	INTERFACE_LOOK,	  /* whoever may connect */
	INTERFACE_CHANGE, /* the daemon's own user, and root */
};

struct interface_method {
	const char *name;
	const struct json_field *parameters;
	size_t size; /* of the struct that parameters fill */
	enum interface_access access;
	void (*init)(void *parameters); /* its defaults, if they are not 0 */
	void (*handle)(struct supervisor *supervisor, struct call *call, void *parameters);
};

/* Each ends with a NULL name. */
extern const struct interface_method interface_look_methods[];
extern const struct interface_method interface_actor_methods[];
extern const struct interface_method interface_listener_methods[];
extern const struct interface_method interface_configuration_methods[];
extern const struct interface_method interface_send_methods[];

/* All of them, and those that are about no object; ends with NULL. */
extern const struct interface_method *const interface_tables[];
/* Its row ("io.inkod.Supervisor.Spawn"), or NULL. */
const struct interface_method *interface_find_method(const char *name);

/* What clients_new wants to know; its context is the supervisor. */
extern const struct client_events interface_events;
