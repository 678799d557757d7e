#pragma once

/*
 * Looking up in a configuration by name: there may be thousands of actors and listeners, and each
 * is asked for by others.
 */

struct configuration;
struct configuration_fault;
struct configured_listener;
struct spec;

/* Puts what was read in order, which all below need. -ENOMEM. */
int configuration_lookup_sort(struct configuration *configuration);
/* Is no name and no address there twice? Else -EINVAL with *fault filled. -ENOMEM. */
int configuration_lookup_check_twice(
	const struct configuration *configuration, struct configuration_fault *fault);

/* The actor of that name in it, or NULL. */
const struct spec *configuration_lookup_actor(
	const struct configuration *configuration, const char *name);
/* The listener of that name, or NULL. */
const struct configured_listener *configuration_lookup_listener(
	const struct configuration *configuration, const char *name);
