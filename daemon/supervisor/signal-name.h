#pragma once

/*
 * Signals by name: SIGQUIT, QUIT, SIGRTMIN+3.
 */

/* The number of the signal of that name, or -EINVAL. */
int signal_name_find(const char *name);
