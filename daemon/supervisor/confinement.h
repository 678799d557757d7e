#pragma once

/*
 * What a process may: who it is, its limits, its capabilities, its network. All that can be looked
 * up is looked up before the fork, all that can fail after it has a name.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "daemon/supervisor/capability.h"
#include "daemon/supervisor/credentials.h"
#include "daemon/supervisor/rlimits.h"

struct spec;

struct confinement {
	struct credentials credentials;
	struct rlimits limits;
	capability_set keep;
	mode_t umask;
	int nice; /* 0: as this process */
	bool has_network, no_new_privileges;
};

/* What spec says. -EINVAL: *ret_parameter is the member that says what cannot be, and ret_reason
 * why. -ENOMEM. confinement_done is to be called either way. */
int confinement_prepare(const struct spec *spec, struct confinement *ret_confinement,
	const char **ret_parameter, char ret_reason[static 512]);
/* Frees what confinement owns. */
void confinement_done(struct confinement *confinement);
#define _cleanup_confinement_ __attribute__((cleanup(confinement_done)))

/* The steps of confinement_enter, in their order. */
enum confinement_step {
	CONFINEMENT_NICE, /* before the limit on it is another */
	CONFINEMENT_LIMITS,
	CONFINEMENT_NETWORK,
	CONFINEMENT_BOUND,
	CONFINEMENT_USER,
	CONFINEMENT_KEEP,
	CONFINEMENT_PRIVILEGES,
	CONFINEMENT_STEPS,
};

/* In the child, after its descriptors are in place: 0, or -errno and which step failed. */
int confinement_enter(const struct confinement *confinement, enum confinement_step *ret_step);
/* What a process could not, as in "could not become user alice". */
void confinement_describe(
	enum confinement_step step, const struct spec *spec, char ret_text[static 256]);
