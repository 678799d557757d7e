#pragma once

/*
 * How an actor's program is spoken to. One that knows inko has a mailbox; one that knows systemd
 * alone (activation) is given its listeners and what it stored, and nothing else. One that knows
 * nothing (stdio) is run for each connection by a program of inkod's, which has the mailbox.
 */

#include <stdbool.h>
#include <stddef.h>

#include "daemon/supervisor/listener-request.h"

struct actor;
struct instance;
struct routing_start;
struct spec;
struct supervisor;

/* Listeners of one actor: each is a descriptor from its start on. */
#define ADAPTER_LISTENERS_MAX 64

bool adapter_has_mailbox(const struct spec *spec);
/* Does it read messages there? Else there are connections in it alone. */
bool adapter_takes_messages(const struct spec *spec);

/* Does what spec says go with its adapter? Else -EINVAL, the member, and a sentence. */
int adapter_check(const struct spec *spec, const char **ret_parameter, char ret_reason[static 512]);

/* Is there something about spec's adapter that a listener cannot be handed or given to it for, as
 * request wants? Then the rest of a sentence that its name begins, else NULL. */
const char *adapter_find_obstacle(const struct spec *spec, const struct listener_request *request);

/* What one of spec.listeners asks for; to be done with. -ENOMEM. */
int adapter_parse_listener(
	const char *text, const char *actor, struct listener_request *ret_request);
/* Writes one of them as it is: the name where the address does not make it. -ENOMEM. */
int adapter_write_listener(char **text, const char *name, const char *address);
/* Opens what spec.listeners says, for the actor that is to come: all or none, and writes them there
 * as they are. Errors of listener_new. */
int adapter_open_listeners(
	struct supervisor *supervisor, struct spec *spec, struct listener_refusal *ret_refusal);
/* Closes them again, and no others that are open for that actor: it does not come. */
void adapter_close_listeners(struct supervisor *supervisor, const struct spec *spec);

/* What is executed, the caller's (json_strings_free). -ENOENT: inkod's own program is missing.
 * -ENOMEM. */
int adapter_make_command(const struct spec *spec, char ***ret_command);

/* May a listener itself be given to it? */
bool adapter_takes_listeners(const struct spec *spec);

/* What a process that starts is given first. *ret_n_listeners are those at the front that are
 * listeners. Errors of routing_prepare, -ENOBUFS. */
int adapter_prepare(
	struct instance *instance, struct routing_start *ret_start, size_t *ret_n_listeners);
