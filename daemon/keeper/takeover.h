#pragma once

/*
 * Taking over from a keeper that died: its supervisor goes on, and gives all that it has to
 * whoever comes to its door.
 */

#include "daemon/keeper/directory.h"
#include "daemon/keeper/store.h"

/* What to do about a directory whose lock is taken. 1: its supervisor has no keeper, and gives the
 * lock; *ret_link_fd is the link to it, on which all else comes. 0: the lock became free meanwhile,
 * and is taken. Negative when somebody else is the keeper, or its lock could not be received; which
 * of them was said then. */
int takeover_begin(struct directory *directory, int *ret_link_fd);
/* Receives all that the supervisor has. -ECONNRESET: it left before that was all, -ETIMEDOUT: it
 * said nothing for long. Or as shortage_wait: what has come is not enough to be the keeper, and the
 * supervisor has all of it still. */
int takeover_receive(int link_fd, struct store *store);
/* Says what takeover_receive's error means for the supervisor, pidfd of which is -1 when it was
 * gone. */
void takeover_complain(pid_t pid, int pidfd, int error);
/* The process at the other end of link_fd, and a pidfd of it, which is the caller's. -ESRCH and
 * -ECONNRESET say that it is gone, and no other error does: while there is no descriptor or no
 * memory to ask with that is logged, and waited for as by shortage_wait. What else it returns was
 * said. */
int takeover_find_peer(int link_fd, pid_t *ret_pid, int *ret_pidfd);
/* Does the process pid execute another program than that at path? Not when it has ended. */
bool takeover_is_another(pid_t pid, const char *path);
