#pragma once

/*
 * The supervisor's side of the keeper: everything that must outlive this process is put there
 * before it takes effect.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "proto/json-fields.h"
#include "proto/keep.h"

struct holding;

struct holding_events {
	/* A held process ended; status as in KEEP_EXITED. */
	void (*on_exited)(void *context, const char *key, uint32_t status);
	/* The operator wants everything to end. */
	void (*on_stop)(void *context);
	/* Another supervisor shall go on. */
	void (*on_leave)(void *context);
	/* It shall not: what is installed cannot run. */
	void (*on_stay)(void *context, const char *reason);
	/* The keeper is gone: what runs goes on, and nothing is held until there is another. */
	void (*on_lost)(void *context);
	/* The keeper wants to be told; see KEEP_WATCH. */
	void (*on_watch)(void *context, uint32_t watch_msec);
	/* Another keeper was given a socket; it takes what it wants out of message. */
	void (*on_socket)(void *context, struct keep_message *message);
};

/* What the keeper said of itself. */
struct holding_keeper {
	pid_t pid;	   /* 0 when there is none */
	char version[32];  /* "" when it has not said so yet */
	uint32_t replaced; /* how often that process was replaced by another build, in place */
};

/* The link at fd to the keeper of that pid; fd is taken. -ENOMEM. */
int holding_new(int fd, pid_t keeper, struct holding **ret_holding);

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
/* Has the keeper say text, lines as in sd_notify(3), to who started it. */
void holding_notify(struct holding *holding, char *text);
/* A sign of life. */
void holding_sign(struct holding *holding);
/* Is there a keeper? Without one this process is all of inkod. */
bool holding_is_attached(const struct holding *holding);
/* The same, asked of the kernel, since the event that it is gone may be still to come: what the
 * keeper had said before is then dealt with first. */
bool holding_check(struct holding *holding);
const struct holding_keeper *holding_peek_keeper(const struct holding *holding);
/* The service has ended: the keeper ends too, and starts no other supervisor. */
void holding_finish(struct holding *holding);
/* The service cannot begin: the keeper ends with that status. */
void holding_refuse_start(struct holding *holding, int status);
/* This supervisor has taken over everything and answers. */
void holding_serve(struct holding *holding);
/* Keeper and supervisor shall be replaced by what is installed; the keeper answers with on_leave or
 * on_stay. */
void holding_upgrade(struct holding *holding);

/* Says to who came over fd that there is a keeper. */
void holding_refuse(const struct holding *holding, int fd);
/* Makes the process keeper, which came over *take_fd, the keeper, when there is none: gives it the
 * lock and what put_all puts, at most for a time without any progress. Between two events only,
 * so that everything is put as it is. */
int holding_hand_over(struct holding *holding, int *take_fd, pid_t keeper,
	void (*put_all)(void *context), void *context);

/* Asks for all that is held and calls on_held for each until the end; it takes what it wants out
 * of message, the rest is closed. -ECONNRESET when the keeper ends before; as shortage_wait
 * when there was no room for what is held, which was said then. */
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
