#pragma once

/*
 * Making room for the installed build: this process ends when the keeper, which goes on, tells it
 * to, and all that it has stays held.
 */

struct call;
struct supervisor;

/* Asks the keeper for it. call is answered when that says that what is installed can run, or why
 * not. -ENOTCONN: there is no keeper to go on; -ENOMEM. */
int upgrade_begin(struct supervisor *supervisor, struct call *call);
/* The keeper tells this process to leave, and takes over. */
void upgrade_leave(struct supervisor *supervisor);
/* It is not to be: what is installed cannot run, for that reason. */
void upgrade_refuse(struct supervisor *supervisor, const char *reason);
/* There is no keeper any more that could. */
void upgrade_on_lost(struct supervisor *supervisor);
