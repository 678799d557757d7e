#pragma once

/*
 * The supervisor's side of the keeper: everything that must outlive this process is put there
 * before it takes effect.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "proto/json.h"
#include "proto/keep.h"

struct holding;

struct holding_events {
	/* A held process ended; status as in KEEP_EXITED. */
	void (*on_exited)(void *context, const char *key, uint32_t status);
	/* The operator wants everything to end. */
	void (*on_stop)(void *context);
};

/* The end of the keeper's socket at fd, which is taken. -ENOMEM. */
int holding_new(int fd, struct holding **ret_holding);

/* Holds object, as the JSON that fields make of it, and fds under key, in place of what was there.
 * The caller's copies stay its own. Without a keeper (it died) nothing is held and nothing fails:
 * the process goes on. */
void holding_put(struct holding *holding, const char *key, const struct json_field *fields,
	const void *object, const int *fds, size_t n_fds);
/* The same, with the descriptors that are held already. */
void holding_update(struct holding *holding, const char *key, const struct json_field *fields,
	const void *object);
/* Forgets what is held under key, if anything is. */
void holding_drop(struct holding *holding, const char *key);
/* Is there a keeper? Without one this process is all of inkod. */
bool holding_is_attached(const struct holding *holding);
/* The service has ended: the keeper ends too, and starts no other supervisor. */
void holding_finish(struct holding *holding);

/* Asks for all that is held and calls on_held for each until the end; it takes what it wants out
 * of message, the rest is closed. -ECONNRESET when the keeper ends before. */
int holding_take_all(struct holding *holding,
	void (*on_held)(void *context, struct keep_message *message), void *context);
/* What holding_put was given, out of a held message: fills object as fields say. The descriptors
 * stay where they are, and are the caller's to take on success. -EBADMSG (no such JSON, or not
 * n_fds descriptors), -EINVAL (other fields), -ENOMEM: json_release frees object either way. */
int holding_decode(const struct keep_message *message, const struct json_field *fields,
	size_t n_fds, void *object);
/* From now on tell events (borrowed, as context is). */
int holding_attach(struct holding *holding, sd_event *event, const struct holding_events *events,
	void *context);
