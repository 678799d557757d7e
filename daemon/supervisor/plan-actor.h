#pragma once

/*
 * What has to change of an actor.
 */

#include <stddef.h>

struct configuration_fault;
struct plan;

/* Adds to plan what is to be done for the actor of that index of its configuration. -EINVAL with
 * the reason in *fault, -ENOMEM. */
int plan_actor(struct plan *plan, size_t index, struct configuration_fault *fault);
