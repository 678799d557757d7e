#pragma once

/*
 * What can be said of an actor and what cannot, beyond what the table in proto/spec.c says of one
 * member alone.
 */

#include <sys/types.h>

#include "proto/spec.h"

/* Who wants it, and where inkod runs. */
struct spec_asker {
	uid_t uid;
	const char *runtime;
};

/* Is spec one that could be spawned? If not: -EINVAL, the member's name, and one sentence in
 * ret_reason. Says what was not said: command[0] becomes an absolute path (-ENOENT when there is no
 * such program), and who asked is its user, unless that is root or inkod's own. -ENOMEM. */
int spec_check(struct spec *spec, const struct spec_asker *asker, const char **ret_parameter,
	char ret_reason[static 512]);
