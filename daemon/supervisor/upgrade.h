#pragma once

/*
 * Making room for the installed build: this process ends when the keeper, which goes on, tells it
 * to, and all that it has stays held.
 */

struct supervisor;

/* Asks the keeper for it, when what was answered before is on its way. -ENOTCONN: there is no
 * keeper to go on. */
int upgrade_begin(struct supervisor *supervisor);
