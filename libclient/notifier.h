#pragma once

/*
 * Notifiers from the inside.
 */

#include <stdbool.h>

#include <inko/notifier.h>

/* Readable when there is a notification. */
int notifier_get_fd(const struct inko_notifier *notifier);
/* Takes one notification; false when there is none. */
bool notifier_take(struct inko_notifier *notifier);
