#pragma once

/*
 * The sockets that a service manager opened for inkod: sd_listen_fds_with_names(3).
 */

#include <stddef.h>

#include "daemon/keeper/store.h"

/* They stand side by side from STDERR_FILENO + 1 on. */
struct inherited {
	size_t n;
	char *names; /* separated by ':' */
};

/* Looks what this process was given, makes it its own (closed at exec, non-blocking), and forgets
 * the environment that said so. To be called before anything is opened or closed. */
void inherit_take(struct inherited *ret_inherited);
/* Puts them under socket/NAME into store, where the supervisor finds them; what has no valid name,
 * or one that was there before, is closed, and logged. */
void inherit_put(struct inherited *inherited, struct store *store);
