#pragma once

/*
 * Starting another keeper when the keeper has died and nobody else starts one. Under a service
 * manager, which does, nothing is done.
 */

#include <systemd/sd-event.h>

struct revive;

/* For the keeper of the directory runtime, which is copied; event is borrowed. Nothing happens
 * before revive_begin. -ENOMEM. */
int revive_new(sd_event *event, const char *runtime, struct revive **ret_revive);
/* The keeper has died: starts another in a second, and again, ever more seldom, until revive_end.
 */
void revive_begin(struct revive *revive);
void revive_end(struct revive *revive);
