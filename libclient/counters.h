#pragma once

/*
 * Counting in the page that inkod passes at the start (proto/counters.h). Without one, as when an
 * older inkod started this process, nothing is counted: every function takes NULL for it.
 */

#include <stdint.h>

#include "proto/envelope.h"

#include <inko/actor.h>

struct counters_page;

/* Maps the page behind *take_fd, which is taken whatever comes of it. NULL when it is -1, no sealed
 * page of a version that is known here, or cannot be mapped. */
struct counters_page *counters_map(int *take_fd);
struct counters_page *counters_unmap(struct counters_page *page);

/* A message with this envelope was received for the program. */
void counters_note_received(struct counters_page *page, const struct envelope *envelope);

/* The row of that name, made if there is none; that of all others when there is no room. It stays
 * the page's. */
struct inko_tally *counters_find_row(struct counters_page *page, const char *name);
