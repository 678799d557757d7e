#pragma once

/*
 * The system calls that the acceptor makes once it runs, and no others: it can be sent connections
 * and send them on, but make no socket, connect none, open no file and
 * start no program.
 */

/* From now on all others are EPERM. -errno; -EOPNOTSUPP on a machine, or in a build, that no list
 * is made for. */
int sandbox_enter(void);
