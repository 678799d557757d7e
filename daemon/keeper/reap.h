#pragma once

/*
 * Children that have ended. They are not only those that the keeper started: it is the subreaper of
 * all, so that actors of an earlier supervisor come here, and what actors left behind.
 */

#include <sys/types.h>

#include "daemon/keeper/store.h"

/* One that has ended and is still to be reaped; 0 when there is none. */
pid_t reap_find(void);
/* Reaps it, and if a pidfd of it is held notes how it ended there, as news for the supervisor. */
void reap_child(struct store *store, pid_t pid);
