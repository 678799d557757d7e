#pragma once

/*
 * Closing what came from an actor. That may wait as long as the actor likes: the last close of a
 * socket that lingers (SO_LINGER, socket(7)), and each close of a file that a program serves
 * (FUSE) or another host, which is told of it. Only what nobody has a copy of can be dropped
 * without that, as the kernel drops it.
 */

#include <stdbool.h>

#include "proto/passing.h"

/* Is it a file that a program or another host serves, or one that nobody knows where it is? Its
 * close may wait for ever, each time. Asks nobody. */
bool discard_is_served(int fd);
/* Closes what passed still has, which was peeked, and takes the datagram that is first off
 * socket_fd, so that what it carries is closed. *ret_done_fd, the caller's, hangs up when all of
 * that is done: until then the datagram may be there. -errno: it was done at once, as well as
 * that goes. */
int discard_first(int socket_fd, struct passed *passed, int *ret_done_fd);
