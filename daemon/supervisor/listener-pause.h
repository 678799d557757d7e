#pragma once

/*
 * Pausing: the acceptor accepts no more, and who connects waits in the backlog.
 */

struct listener;

/* Has the acceptor accept no more from it, which has a route (to) and is not closing;
 * has_confirmed tells when that is so. What is paused already is told again. */
void listener_pause(struct listener *listener);
/* Has it go on. Nothing where it is not paused. */
void listener_resume(struct listener *listener);
