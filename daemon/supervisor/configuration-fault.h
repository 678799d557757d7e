#pragma once

/*
 * What is wrong with a configuration, and where.
 */

#include <stdbool.h>
#include <stddef.h>

struct configured_listener;

/* What is wrong: the path of a field, such as actors[3].drainUSec, or "" where the whole is meant,
 * and one sentence. */
struct configuration_fault {
	char path[128];
	char reason[512];
	bool is_transient; /* somebody else is in the way, and may go */
};

/* May there be n of what member says? Else -EINVAL with *fault filled. */
int configuration_fault_check_number(
	const char *member, size_t n, size_t limit, struct configuration_fault *fault);
/* Fills *ret_fault, and returns -EINVAL. */
int configuration_fault_refuse(struct configuration_fault *ret_fault, const char *reason, ...)
	__attribute__((format(printf, 2, 3)));
/* Says what it is about: member of array[index], or of that one as a whole (NULL). */
void configuration_fault_locate(
	struct configuration_fault *fault, const char *array, size_t index, const char *member);
/* The same of a listener: where it stands. */
void configuration_fault_locate_listener(struct configuration_fault *fault,
	const struct configured_listener *listener, const char *member);
