#pragma once

/*
 * The notify socket of an instance (sd_notify(3)): one for each, so that whom it is about is the
 * socket it came in on, whoever sent it. It outlives inkod, bound and held by the keeper.
 */

#include <limits.h>
#include <sys/types.h>

#include "proto/passing.h"

/* One datagram: its lines, and the descriptors that came with it. */
struct notification {
	char text[LIMIT_NOTIFICATION_BYTES + 1]; /* each line ends with a zero byte, */
	size_t n_bytes;				 /* which count */
	pid_t sender;				 /* 0: nobody knows */
	struct passed passed; /* with FDSTORE=1; truncated: some came and are lost */
};

/* The path of instance's ("web/0") socket. Errors of runtime_path. */
int notify_path(const char *runtime, const char *instance, char ret_path[static PATH_MAX]);
/* Binds the socket there, in place of a file that a former inkod left; *ret_fd does not block.
 * -ENAMETOOLONG, and errors of socket and bind. */
int notify_open(const char *path, int *ret_fd);
/* Has the kernel say who sends: also what waits on the socket already, as far as it knows. -errno.
 */
int notify_ask_for_senders(int fd);
/* Lets that user send to the socket at path, and nobody else but root. -errno. */
int notify_give(const char *path, uid_t uid);
/* Calls on_notification with what waits first, then takes it off the socket: a supervisor that dies
 * in between leaves it for the next, which may see it twice. What on_notification does not take
 * of its descriptors is closed. 1 when there was a notification, 0 when not. *ret_done_fd is -1, or
 * the caller's: until that hangs up, what came with it is being closed, and it may be there still.
 */
int notify_dispatch(int fd,
	void (*on_notification)(void *context, struct notification *notification), void *context,
	int *ret_done_fd);

/* Makes one of what the keeper heard of sender while no supervisor ran. What is too long is cut. */
void notification_read(
	struct notification *notification, const char *bytes, size_t n_bytes, pid_t sender);

/* The line behind line, or the first one behind NULL; or NULL. Empty ones are left out. */
const char *notification_next_line(const struct notification *notification, const char *line);
/* What the first line that does says of variable (behind VARIABLE=); or NULL. */
const char *notification_find(const struct notification *notification, const char *variable);
/* What the line says of variable (behind VARIABLE=), in the line; or NULL. */
const char *notify_find_value(const char *line, const char *variable);
