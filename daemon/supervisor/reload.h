#pragma once

/*
 * Having the process of an instance read its configuration again: by a signal or by a command, and
 * where the program says so (RELOADING=1, READY=1) until it has. What is under way is known to this
 * supervisor alone, as who asked for it is.
 */

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct instance;
struct spec;

struct reload {
	bool waits_for_command, waits_for_word, has_begun;
	int64_t asked_usec; /* when, by CLOCK_MONOTONIC */
	int pidfd;	    /* of the command, or -1 */
	char *failure;	    /* of the last one, for a person; NULL: none */
	sd_event_source *on_exit, *timer;
};

void reload_init(struct reload *reload);
void reload_done(struct reload *reload);

/* Begins with a ready instance; reload_is_pending and reload->failure say what comes of it. */
void reload_begin(struct instance *instance);
bool reload_is_pending(const struct instance *instance);
/* It says RELOADING=1, by its own word at that time (MONOTONIC_USEC=), or READY=1. */
void reload_on_reloading(struct instance *instance, int64_t usec);
void reload_on_ready(struct instance *instance);
/* It is not ready any more. */
void reload_on_end(struct instance *instance);
