#pragma once

/*
 * Having the process of an instance read its configuration again: by a signal or by a command, and
 * where the program says so (RELOADING=1, READY=1) until it has. What is under way is known to this
 * supervisor alone, as who asked for it is.
 */

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct actor;
struct instance;
struct reload_command;

struct reload {
	bool waits_for_word, has_begun;
	int64_t asked_usec;		/* when, by CLOCK_MONOTONIC */
	struct reload_command *command; /* while it runs, or NULL */
	char *failure;			/* of the last one, for a person; NULL: none */
	sd_event_source *timer;
};

void reload_init(struct reload *reload);
/* Ends what is under way: nobody is told. */
void reload_done(struct reload *reload);

/* Begins with each ready instance of actor, none of which may be pending; false when there is none.
 * reload_is_pending and reload->failure say what comes of it. */
bool reload_begin(struct actor *actor);
bool reload_is_pending(const struct instance *instance);
/* An instance of actor that has not read its configuration yet, or NULL. */
const struct instance *reload_find_pending(const struct actor *actor);
/* It says RELOADING=1, by its own word at that time (MONOTONIC_USEC=), or READY=1. */
void reload_on_reloading(struct instance *instance, int64_t usec);
void reload_on_ready(struct instance *instance);
/* Its command has ended, and is no more. failure: why that is none; or NULL. */
void reload_on_command_ended(struct instance *instance, const char *failure);
/* It is not ready any more. */
void reload_on_end(struct instance *instance);
