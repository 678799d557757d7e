#pragma once

/*
 * Descriptors that an instance has stored (FDSTORE=1 of sd_notify(3)). Its next process is given
 * them, whatever became of the one that stored them or of inkod: they are held by the keeper, as
 * all that inkod has.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "proto/keep.h"

struct instance;
struct routing_start;
struct supervisor;

/* What they are held under, with the instance's name and a number behind. */
#define STORED_KEY "stored/"
/* As many as a start can always pass on, beside lanes. */
#define STORED_MAX 128
/* Without FDNAME=, as with systemd. */
#define STORED_DEFAULT_NAME "stored"
#define STORED_NAME_CHARS 255

struct stored {
	TAILQ_ENTRY(stored) entries;
	struct instance *instance;
	char *name;
	int64_t number; /* grows in the order in which they were stored */
	bool is_kept;	/* even when its other end has gone (FDPOLL=0) */
	int fd;
	sd_event_source *on_end;
};

TAILQ_HEAD(stored_list, stored);

/* Stores *take_fd under name. -EEXIST: that one is stored already. -ENOSPC: the instance has
 * STORED_MAX, or all instances together have a quarter of what inkod may open. -EREMOTE: to close
 * it may take for ever (discard.h), which supervisor and keeper must do at some time. -EINVAL: not
 * a name (sd_pid_notify_with_fds(3)). -ENOMEM. */
int stored_add(struct instance *instance, int *take_fd, const char *name, bool is_kept);
/* Forgets those of that name. */
void stored_remove(struct instance *instance, const char *name);
/* Forgets all of them, as instance is forgotten. */
void stored_remove_all(struct instance *instance);
unsigned int stored_count(const struct instance *instance);
/* Adds them to what a process is given. */
void stored_give(const struct instance *instance, struct routing_start *start);

/* Has all of instance's held. */
void stored_put_all(struct instance *instance);
/* Takes over what a former supervisor held: message's descriptor. -EBADMSG, -EINVAL, -ENOENT (there
 * is no such instance), -ENOMEM. */
int stored_adopt(struct supervisor *supervisor, struct keep_message *message);
