#pragma once

/*
 * Finds the instances that do not read. An empty lane tells when something comes (once, so that
 * traffic is not our load); one in which something waits is looked at now and again. An instance
 * that leaves the same message first for long has stalled: its siblings get what waits, and it is
 * out of its routes until it reads again. One that has shut its lane down is ended; a group whose
 * lane was shut down by one of them gets another. A revoked lane that was emptied is let go.
 */

struct held_lane;
struct supervisor;

/* Watches lane from now on, if its sender is trusted to say when it sent. Again is nothing. */
void lane_watch_add(struct held_lane *lane);
/* After everything was adopted: watches all lanes again. */
void lane_watch_resume(struct supervisor *supervisor);
/* Looks soon at what is to be looked at: lanes were revoked, or handed to who may empty them. */
void lane_watch_look_soon(struct supervisor *supervisor);
