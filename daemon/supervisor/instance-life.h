#pragma once

/*
 * The life of an instance: lifecycle.h says what follows what, this does it.
 */

#include <stdbool.h>

#include "daemon/supervisor/lifecycle.h"

struct instance;

/* What somebody wants of it; what cannot be done at once follows. A start and a restart forgive its
 * past (restart-policy.h). What a restart has stopped actor.c starts again. */
void instance_start(struct instance *instance);
void instance_stop(struct instance *instance);
void instance_restart(struct instance *instance);
/* Lets it end for good: actor.c frees it then. Nothing where that was said before. */
void instance_retire(struct instance *instance);

/* It has said (LIFECYCLE_NOTIFIED, LIFECYCLE_STOPPING), or its time brings about
 * (LIFECYCLE_TIMEOUT), what event stands for; all else that happens to it is above and below. */
void instance_on_event(struct instance *instance, enum lifecycle_event event);
/* It does not work, as it says itself (WATCHDOG=trigger). */
void instance_on_hung(struct instance *instance);
/* It reads its configuration again (RELOADING=1), or has done so (READY=1). */
void instance_on_reloading(struct instance *instance, bool is_reloading);
/* Its process has ended before it ran: nobody was there any more to open its gate. */
void instance_on_unstarted(struct instance *instance);
/* Its process has ended, as it should or not; how is noted. Starts it again in its time, unless it
 * was to end or its spec says otherwise. */
void instance_on_ended(struct instance *instance, bool is_clean);

/* After everything was adopted: goes on where the former supervisor stopped. */
void instance_resume(struct instance *instance);
