#pragma once

/*
 * Which build's state it is that the keeper holds. Members that are added to an object are
 * optional, so that an older state is read; the version becomes another when a former supervisor
 * would misread it.
 */

struct held;
struct supervisor;

/* Can this build read what is held? It is this build's then. -ENOTSUP when a newer one wrote it,
 * which was logged: nothing may be touched. */
int state_version_check(struct supervisor *supervisor, const struct held *held);
/* Before this program takes the place of another one, in a process of its own: could it go on from
 * the state whose version is held as text, or NULL? That it can be asked says that it can be
 * loaded. -ENOTSUP after a line that says why not. */
int state_version_try(char *text);
/* Has another keeper hold it. */
void state_version_put(struct supervisor *supervisor);
