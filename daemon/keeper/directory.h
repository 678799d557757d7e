#pragma once

/*
 * The runtime directory, as the one inkod that runs in it has it.
 */

#include <limits.h>
#include <stdint.h>

struct directory {
	char path[PATH_MAX];
	int lock_fd;
};

/* Makes the directory (option, or the default one). On failure a line on standard error says why.
 */
int directory_open(struct directory *directory, const char *option);
/* Takes its lock. -EWOULDBLOCK when somebody has it, other errors after a line that says why. */
int directory_lock(struct directory *directory);
/* Says that somebody else (pid, or 0: whom the lock's file names) is the keeper of it. */
void directory_complain_taken(const struct directory *directory, uint32_t pid);
/* Names this process in the file of the lock, which it has. */
int directory_write_pid(const struct directory *directory);
/* Removes the lock and, when nothing else is in it, the directory. */
void directory_remove(struct directory *directory);
