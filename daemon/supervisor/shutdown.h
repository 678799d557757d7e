#pragma once

/*
 * The end of the service: nobody accepts any more, then every actor is stopped and finishes what
 * it has, then inkod's own.
 */

struct supervisor;

/* Begins it; context is the supervisor. */
void shutdown_begin(void *context);
/* Goes on with it, when an actor has ended. */
void shutdown_check(struct supervisor *supervisor);
