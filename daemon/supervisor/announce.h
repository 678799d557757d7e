#pragma once

/*
 * What the service manager is told of inkod, through the keeper: that it is ready, how much there
 * is, that it stops; and the signs of life that the keeper's watchdog wants. Nothing at all where
 * nobody asked.
 */

#include <stddef.h>
#include <stdint.h>

struct announcer;
struct supervisor;

#define ANNOUNCE_BYTES 160

/* A keeper asks to be told from now on (KEEP_WATCH): tells it at once. */
void announce_begin(struct supervisor *supervisor, uint32_t watch_msec);
/* There is another keeper: it asks by itself, if somebody asks it. */
void announce_end(struct supervisor *supervisor);
/* Something that the status says may have changed; it is told at most once a second. */
void announce_touch(struct supervisor *supervisor);
/* The service ends. */
void announce_stopping(struct supervisor *supervisor);

/* The status line, without STATUS=. */
void announce_format(const struct supervisor *supervisor, char text[static ANNOUNCE_BYTES]);
