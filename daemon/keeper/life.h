#pragma once

/*
 * The life of the supervisor's process: it is started, serves, ends, and is started again. At once
 * when it had served; else after a pause, longer each time as long as none comes up.
 */

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct life {
	pid_t pid; /* 0 while it is down; never to be signalled by */
	int pidfd;
	uint64_t start_at_msec;
	uint64_t serving_since_msec; /* 0 until it says so */
	unsigned int delay_msec;
	unsigned int failures;	  /* in a row that were followed by a pause */
	unsigned int short_lives; /* in a row that served, but not for long */
};

void life_init(struct life *life);
/* Lets go of the process, which goes on. */
void life_done(struct life *life);

/* Starts it; *ret_link_fd is the link to it. False after a line that says why, when it is to be
 * tried again later. */
bool life_start(struct life *life, int lock_fd, uint64_t now_msec, int *ret_link_fd);
/* It has taken over everything. */
void life_serve(struct life *life, uint64_t now_msec);
void life_kill(const struct life *life);

/* Is it time for life_start? */
bool life_is_due(const struct life *life, uint64_t now_msec);
/* When it will be; UINT64_MAX while the supervisor runs. */
uint64_t life_due_msec(const struct life *life);

/* Has its process ended? It is reaped then, and ret_info says how; it is zero when the process is
 * nobody's child of ours, since it was taken over. */
bool life_has_ended(const struct life *life, siginfo_t *ret_info);
/* It has ended, and the next one is due at once or after a pause. Says how, and was_told whether it
 * was to make room. */
void life_end(struct life *life, const siginfo_t *info, bool was_told, uint64_t now_msec);
