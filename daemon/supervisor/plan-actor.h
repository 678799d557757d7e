#pragma once

/*
 * What has to change of an actor.
 */

#include <cjson/cJSON.h>
#include <stddef.h>

struct actor;
struct configuration_fault;
struct plan;
struct spec;

/* Adds to plan what is to be done for the actor of that index of its configuration. -EINVAL with
 * the reason in *fault, -ENOMEM. */
int plan_actor(struct plan *plan, size_t index, struct configuration_fault *fault);
/* In what actor differs from what it shall be, see plan-difference.h; the caller's. */
cJSON *plan_actor_compare(const struct actor *actor, const struct spec *spec);
