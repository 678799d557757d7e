#pragma once

/*
 * The time that an instance has for what it does: to start, to end, to be left alone until it
 * starts again, and to give the next sign of life. When it is over that is LIFECYCLE_TIMEOUT.
 */

#include <stdint.h>

struct instance;

/* It has come to another state: gives it the time of that one. */
void instance_timer_arm(struct instance *instance);
/* Its time was over, and its state is the same: gives it what one has to end that is told to. */
void instance_timer_arm_again(struct instance *instance);
/* After a former supervisor, which does not say how much was left: gives it all of its time, and
 * what it had been granted. */
void instance_timer_resume(struct instance *instance);

/* What it does now, starting or ending, it does for so long from now, if that is longer than it
 * had. */
void instance_timer_extend(struct instance *instance, int64_t usec);
/* It lives (WATCHDOG=1). */
void instance_timer_on_alive(struct instance *instance);
/* So often it will say that it lives; 0: not at all. */
void instance_timer_set_watchdog(struct instance *instance, int64_t usec);
/* How often it is to say that it lives, 0: never. */
int64_t instance_timer_get_watchdog(const struct instance *instance);
