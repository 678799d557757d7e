#pragma once

/*
 * The runtime directory, as the one inkod that runs in it has it.
 */

#include <limits.h>

struct directory {
	char path[PATH_MAX];
	int lock_fd;
};

/* Makes the directory (option, or the default one) and takes its lock. On failure a line on
 * standard error says why. */
int directory_open(struct directory *directory, const char *option);
/* Removes the lock and, when nothing else is in it, the directory. */
void directory_remove(struct directory *directory);
