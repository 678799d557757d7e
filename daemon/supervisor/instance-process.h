#pragma once

/*
 * The process of an instance: started behind a gate that opens when the keeper has it, watched
 * until it ends, or taken over from a former supervisor. What its end leads to is
 * instance-life.c's concern, what a process is given process.c's.
 */

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "proto/keep.h"

struct instance;

/* What it is held under, with the instance's name behind. */
#define INSTANCE_PROCESS_KEY "process/"

struct instance_process {
	int64_t pid;	     /* 0 if none runs */
	int64_t mark;	     /* of all that it starts, see leftovers.h */
	pid_t collector;     /* of its orphans, if a former supervisor started it; else 0 */
	int pidfd, gate_fd;  /* -1 if there is none; the gate is needed until it is ready */
	bool is_gated;	     /* as far as is held it has not been let through the gate */
	uint64_t asked_usec; /* for how long nobody has known how it ended */
	uint32_t held_exit;  /* how it ended while there was no supervisor, see KEEP_EXITED */
	sd_event_source *on_exit;
};

/* Did a former supervisor start the process that runs? */
static inline bool instance_process_is_adopted(const struct instance_process *process)
{
	return process->collector != 0;
}

/* No process. */
void instance_process_init(struct instance_process *process);
/* Lets go of its process, should it run; there is none after. */
void instance_process_done(struct instance_process *process);

/* Starts one with all that it is given. -errno: then it may have been forked (pidfd is not -1), and
 * ends once gate_fd is closed, as any other does. */
int instance_process_start(struct instance *instance);
/* Ends it and all that it started at once. Nothing where none runs. */
void instance_process_kill(struct instance *instance);
/* It ended, as the keeper says (see KEEP_EXITED). */
void instance_process_tell_exited(struct instance *instance, uint32_t status);

/* Its end was noted: it is reaped, and no longer held. */
void instance_process_forget(struct instance *instance);

/* Has it held, if one runs. */
void instance_process_put(struct instance *instance);
/* Takes over what a former supervisor held: message's pidfd. -EBADMSG, -EINVAL, -ENOMEM. */
int instance_process_adopt(struct instance *instance, struct keep_message *message);
/* After everything was adopted: watches it again. False when it had ended meanwhile, which
 * instance_on_ended has been told. */
bool instance_process_resume(struct instance *instance);
