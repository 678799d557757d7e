#pragma once

/*
 * The notify socket of an instance (sd_notify(3)): one for each, so that who notified is the
 * socket it came in on. It outlives inkod, bound and held by the keeper.
 */

#include <limits.h>
#include <sys/types.h>

/* The path of instance's ("web/0") socket. Errors of runtime_path. */
int notify_path(const char *runtime, const char *instance, char ret_path[static PATH_MAX]);
/* Binds the socket there, in place of a file that a former inkod left; *ret_fd does not block.
 * -ENAMETOOLONG, and errors of socket and bind. */
int notify_open(const char *path, int *ret_fd);
/* Lets that user send to the socket at path, and nobody else but root. -errno. */
int notify_give(const char *path, uid_t uid);
/* Calls on_line for each line of what waits, then takes it off the socket: a supervisor that dies
 * in between leaves it for the next, which may see it twice. 1 when there was a notification,
 * 0 when not. */
int notify_dispatch(int fd, void (*on_line)(void *context, const char *line), void *context);
/* What the line says of variable (behind VARIABLE=), in the line; or NULL. */
const char *notify_find_value(const char *line, const char *variable);
