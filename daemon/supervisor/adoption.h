#pragma once

/*
 * What of the supervisor is held, kind by kind: how it is rebuilt from what a former supervisor
 * held, and how all of it is put to another keeper.
 */

struct held;
struct supervisor;

/* Rebuilds everything out of held, and goes on with it. What cannot be taken over stays held, and
 * is logged. */
void adoption_adopt_all(struct supervisor *supervisor, struct held *held);
/* Puts everything as it is now. */
void adoption_put_all(struct supervisor *supervisor);
