#pragma once

/*
 * What state a listener is in, and how that is said to monitors.
 */

struct listener;

/* open, waiting, refusing or paused, as in the interface (type Listener). */
const char *listener_state(const struct listener *listener);
/* Says it, unless it is what was said last. */
void listener_say_state(struct listener *listener);
/* Says what became of it, which is no state: closed or moved. */
void listener_say(const struct listener *listener, const char *to);
