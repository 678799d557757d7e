#pragma once

/*
 * The supervisor's side of the keeper: everything that must outlive this process is put there
 * before it takes effect.
 */

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "proto/keep.h"

struct holding;

struct holding_events {
	/* A held process ended; status as in KEEP_EXITED. */
	void (*on_exited)(void *context, const char *key, uint32_t status);
	/* The operator wants everything to end. */
	void (*on_stop)(void *context);
};

/* fd is taken. */
int holding_new(int fd, struct holding **ret_holding);

/* Holds object and fds under key, in place of what was there. The caller's copies stay its own.
 * Without a keeper (it died) nothing is held and nothing fails: the process goes on. */
void holding_put(struct holding *holding, const char *key, const cJSON *object, const int *fds,
	size_t n_fds);
/* The same, with the descriptors that are held already. */
void holding_update(struct holding *holding, const char *key, const cJSON *object);
void holding_drop(struct holding *holding, const char *key);
/* Is there a keeper? Without one this process is all of inkod. */
bool holding_is_attached(const struct holding *holding);
/* The service has ended. */
void holding_finish(struct holding *holding);

/* Asks for all that is held and calls on_held for each until the end; it takes what it wants out
 * of message, the rest is closed. */
int holding_take_all(struct holding *holding,
	void (*on_held)(void *context, struct keep_message *message), void *context);
/* From now on tell events. */
int holding_attach(struct holding *holding, sd_event *event, const struct holding_events *events,
	void *context);
