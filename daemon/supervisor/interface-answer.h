#pragma once

/*
 * What the methods of the control interface have in common: parameters, and how they are answered.
 */

#include <cjson/cJSON.h>

#include "daemon/supervisor/requests.h"

struct actor;
struct call;
struct supervisor;

/* The parameters of a method that has one name. */
struct named {
	char *name;
};

/* Answers that what could not be done, by a negative errno. */
void interface_fail_errno(struct call *call, const char *what, int error);
/* An actor that a person may look at; else NULL, and call is answered. */
struct actor *interface_find_actor(
	struct supervisor *supervisor, struct call *call, const char *name);
/* The same, and that a person may command. */
struct actor *interface_find_own_actor(
	struct supervisor *supervisor, struct call *call, const char *name);
/* Answers when the actor (or listener) of that name has come to where kind wants it. */
void interface_answer_later(
	struct supervisor *supervisor, struct call *call, enum request_kind kind, const char *name);
/* Answers with one member; value is taken. */
void interface_reply(struct call *call, const char *name, cJSON *value);
