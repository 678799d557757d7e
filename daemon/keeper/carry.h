#pragma once

/*
 * What the keeper takes along when it executes itself: it stays the same process with the same
 * children and descriptors, and the rest stands in a memfd.
 */

#include <stdint.h>

#include "daemon/keeper/store.h"

/* Beside the store. A newer build adds members at the end, where an older one left zeroes. */
struct carried {
	int32_t lock_fd, link_fd, supervisor_fd;
	int32_t supervisor; /* its pid */
	uint32_t stop_wanted;
};

/* Writes both into a new memfd, the caller's. */
int carry_write(const struct carried *carried, const struct store *store, int *ret_fd);
/* Reads them again in the next life; store is empty. The descriptors that they name are then this
 * process's own. -EPROTO: written by a build that does things in another way; -EBADMSG: nothing
 * that a keeper wrote. Nothing was taken then. */
int carry_read(int fd, struct carried *ret_carried, struct store *store);

/* Executes path in this process with the state in carry_fd. Returns only when that fails, -errno,
 * with everything as it was. */
int carry_execute(const char *path, char *const *argv, const struct carried *carried,
	const struct store *store, int carry_fd, unsigned int replaced);
/* In the next life: the descriptor of the state, or -1 when there is none; and how often this was
 * done now, which is known even where the state is not. */
int carry_find(unsigned int *ret_replaced);
