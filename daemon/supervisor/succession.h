#pragma once

/*
 * When the keeper dies: what runs goes on, and whoever becomes keeper next is given everything.
 */

struct supervisor;

/* Waits at the door for keepers. Without a door, which is logged, none can take over. */
void succession_open_door(struct supervisor *supervisor);
/* There is no keeper any more. */
void succession_on_lost(struct supervisor *supervisor);
