#pragma once

/*
 * What state an instance is in, asked as others want to know it: by its place in the table of
 * lifecycle.h, and by what became of it before.
 */

#include <stdbool.h>
#include <stdint.h>

struct instance;

/* Is it one that may be handed something now or soon? */
bool instance_is_serving(const struct instance *instance);
/* Is it ready, and does it read its mailbox? */
bool instance_reads(const struct instance *instance);
/* Has it become ready, be it that it has ended since as it should? */
bool instance_has_served(const struct instance *instance);
/* From when on it can take another's place, which is settleUSec after it became ready: a time of
 * supervisor_now, or UINT64_MAX while it is not ready, and if it did not stay so. */
uint64_t instance_settles_at(const struct instance *instance);
/* Does its process run, and was it told to end? */
bool instance_is_ending(const struct instance *instance);
/* Did it end before it was ready, or has it failed, so that its actor will not be ready? */
bool instance_is_broken(const struct instance *instance);
/* Is another instance of its actor such a one? */
bool instance_has_sibling(
	const struct instance *instance, bool (*is_such)(const struct instance *instance));
