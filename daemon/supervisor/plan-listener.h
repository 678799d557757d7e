#pragma once

/*
 * What has to change of the listeners.
 */

#include <cjson/cJSON.h>
#include <stdbool.h>

struct configuration_fault;
struct configured_listener;
struct listener;
struct plan;

/* Adds to plan what is to be done for those of its configuration that programs start with, or for
 * the others. -EINVAL with the reason in *fault, -ENOMEM. */
int plan_listeners(struct plan *plan, bool are_for_start, struct configuration_fault *fault);
/* When all of them and all actors are planned: notes the new listeners of programs that run, and go
 * on without them. -ENOMEM. */
int plan_listeners_note_late(struct plan *plan);
/* Has the actor of one that is its own be held with that address. -ENOMEM. */
int plan_listener_write_own(
	struct plan *plan, const struct configured_listener *configured, const char *address);
/* In what listener differs from what it shall be, see plan-difference.h; the caller's. */
cJSON *plan_listener_compare(
	const struct listener *listener, const struct configured_listener *configured);
