#pragma once

/*
 * What the keeper held when this process began, until it is rebuilt in order.
 */

#include <stdbool.h>
#include <stddef.h>

#include "proto/keep.h"

struct holding;

struct held {
	struct keep_message *messages;
	size_t n, n_room;
};

/* Asks the keeper for all of it. -ECONNRESET when that ends before. */
int held_take(struct holding *holding, struct held *ret_held);
/* What is held under key, or NULL. */
struct keep_message *held_find(const struct held *held, const char *key);
/* Is there nothing but what systemd passed, which is there from the start? */
bool held_is_cold_start(const struct held *held);
/* Closes and frees what nobody took. */
void held_done(struct held *held);
