#pragma once

/*
 * What inkod does once it has its place: start the supervisor, hold what it says, reap.
 */

#include <stddef.h>

/* Runs until the service has ended (0) or is given up (-ECANCELED). Holds at most max_fds
 * descriptors. Changes the process's signal mask and dispositions. */
int keeper_run(size_t max_fds, int lock_fd);
