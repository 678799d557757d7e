#pragma once

/*
 * Resource limits as a spec has them (getrlimit(2)): NAME=SOFT[:HARD], where a number may be
 * infinity, and one number is both.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>

struct rlimits {
	bool is_set[RLIM_NLIMITS];
	struct rlimit values[RLIM_NLIMITS];
};

/* Reads texts (NULL is none). -EINVAL, and why in ret_reason, which begins with the text. */
int rlimits_parse(char *const *texts, struct rlimits *ret_limits, char ret_reason[static 512]);
/* The name of one that is above what this process may set without being privileged, or NULL. */
const char *rlimits_find_raised(const struct rlimits *limits);

/* In the child: from now on they count. -errno. */
int rlimits_set(const struct rlimits *limits);
