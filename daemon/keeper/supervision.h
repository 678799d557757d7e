#pragma once

/*
 * The supervisor that this keeper has: its process lives, is watched, puts what is to be held, and
 * is told what is new. Nothing here waits for it.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/keeper/life.h"
#include "daemon/keeper/link.h"
#include "daemon/keeper/notify.h"
#include "daemon/keeper/store.h"
#include "daemon/keeper/upgrade.h"
#include "daemon/keeper/watchdog.h"

struct supervision {
	struct store *store;   /* what it has held; borrowed */
	struct notify *notify; /* whom it notifies; borrowed */
	int lock_fd;	       /* of the directory, which it is given; borrowed */

	struct life life;
	struct link link;
	struct watchdog watchdog;
	struct upgrade upgrade;	  /* what is tried before it makes room, or the keeper */
	uint32_t keeper_replaced; /* how often the keeper was, which it is told */

	bool stop_wanted;	 /* it shall end the service */
	bool leave_wanted;	 /* it shall make room for the installed one */
	bool replacement_wanted; /* and then this process, see replacement.h */
	bool finishing;		 /* it said that the service ends: it is not started again */
	int exit_status;	 /* the same: what the keeper is to end with */
	bool full_logged, shortage_logged;
};

/* There is no supervisor yet, and it is time to start one. */
void supervision_init(struct supervision *supervision, struct store *store, struct notify *notify);
/* Lets go of it, should it run. */
void supervision_done(struct supervision *supervision);

/* How it is come by: it is started, which is tried again later when it fails, */
void supervision_start(struct supervision *supervision);
/* or taken over from another keeper, as takeover.h says (link_fd is taken). -ECONNRESET, after a
 * line that says why. It is replaced when it is not the one that this keeper starts. */
int supervision_take_over(struct supervision *supervision, int link_fd);
/* or was this process's before that was replaced, and serves. */
void supervision_go_on(
	struct supervision *supervision, pid_t pid, int *take_pidfd, int *take_link_fd);

/* Does it serve, and neither ends nor makes room? */
bool supervision_is_settled(const struct supervision *supervision);
/* Is there something that it has not been told yet? */
bool supervision_has_output(struct supervision *supervision);

/* What poll is to look for on its link, and that it has found. */
short supervision_events(struct supervision *supervision);
void supervision_on_link(struct supervision *supervision, short events);
/* Its process may have ended. */
void supervision_check(struct supervision *supervision);
/* Receives all that it has sent. False when that cannot be done yet, and is to be tried again in
 * another turn, so that signals and the watchdog have theirs. */
bool supervision_receive(struct supervision *supervision);
/* A child of ours has ended, be it the supervisor, what is being tried, or another's; what the
 * supervisor had to say of it was received. It is reaped. */
void supervision_reap(struct supervision *supervision, pid_t pid);

/* Sees whether the installed build can run, and has the supervisor make room for it then; with
 * keeper this process too. */
void supervision_upgrade(struct supervision *supervision, bool keeper);

/* When supervision_run has something to do; UINT64_MAX for never. */
uint64_t supervision_due_msec(struct supervision *supervision, uint64_t now_msec);
/* Does what it is time for, and sends what can be sent. */
void supervision_run(struct supervision *supervision);
