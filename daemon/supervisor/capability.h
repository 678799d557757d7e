#pragma once

/*
 * Capabilities (capabilities(7)): by name, those that this process has, and what of them a child
 * keeps. Not by libcap, for what is three system calls.
 */

#include <stdbool.h>
#include <stdint.h>

/* Bit n is capability n of linux/capability.h. */
typedef uint64_t capability_set;

/* All that this process has. */
capability_set capability_get_own(void);
/* Does this process have the one of that name, which there is ("CAP_CHOWN", with or without CAP_,
 * in any case)? */
bool capability_is_own(const char *name);
/* Is there none but those of keep that root could gain by executing a program? */
bool capability_is_bounded(capability_set keep);
/* Those of names (NULL is none; SPEC_ALL_CAPABILITIES is all that this process has). -EINVAL, and
 * *ret_unknown, when there is none of that name. */
int capability_parse_set(char *const *names, capability_set *ret_set, const char **ret_unknown);

/* In the child, where nothing may be allocated. */

/* From now on nothing that is executed can have others than keep. Nothing without CAP_SETPCAP.
 * -errno. */
int capability_bound(capability_set keep);
/* Has exactly these, and so has what is executed, also by one that is not root. -errno. */
int capability_keep(capability_set keep);
