#pragma once

/*
 * An instance of an actor: what is known of it, and held. Its life is instance-life.h's, its
 * process instance-process.h's, what it is told news.h's, what it is handed routing.h's.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "daemon/supervisor/instance-process.h"
#include "daemon/supervisor/lifecycle.h"
#include "daemon/supervisor/readiness.h"
#include "daemon/supervisor/reload.h"
#include "daemon/supervisor/restart-policy.h"
#include "daemon/supervisor/stored.h"
#include "proto/keep.h"

struct actor;

#define INSTANCE_NAME_BYTES (LIMIT_NAME_CHARS + 8)
/* Those that are retiring keep their numbers until they have ended: as many again may do so. */
#define INSTANCE_INDEX_MAX (2 * LIMIT_INSTANCES - 1)

struct instance {
	TAILQ_ENTRY(instance) entries;
	struct actor *actor;
	char *name; /* web/0 */
	int64_t index;
	int64_t generation; /* its actor's when somebody last wanted it to start */
	bool is_retiring;   /* is not wanted any more: goes away when it has ended */
	enum lifecycle_state state;
	char *state_name; /* of state, while it is read and as it was held last */
	int64_t restarts; /* how often it was started again as it had ended by itself */
	int64_t moved;	  /* messages that were left to its siblings, up to those in this lane */
	int64_t moved_lane;
	unsigned int n_waiting;	     /* messages, when they were counted last: see routing.h */
	char *status;		     /* STATUS= */
	char *refused;		     /* what it said last that was not granted, for a person */
	unsigned int refusals;	     /* all of that, see instance-notice.c */
	bool is_reloading;	     /* said RELOADING=1, and not READY=1 since */
	char *last_exit;	     /* how its last process ended, for a person */
	int64_t ready_since_usec;    /* while it is ready; from the takeover on if that is later */
	bool was_brief;		     /* was it ready for less than settleUSec, and is no more? */
	bool was_ready;		     /* did this process, or the last, ever say READY=1? */
	bool is_signalled;	     /* was sent its stop signal */
	bool is_late;		     /* was killed because it did not become ready */
	bool never_ran;		     /* ended before its program was executed */
	bool is_hung;		     /* was killed because it gave no sign of life */
	bool has_triggered;	     /* that was because it said WATCHDOG=trigger */
	int64_t watchdog_usec;	     /* as it said (WATCHDOG_USEC=); -1: as its spec says */
	int64_t extended_until_usec; /* until when it may be in its state, as it said; or 0 */
	bool is_stalled;	     /* has not read its mailbox for long: not in its routes */
	bool has_missed_news;	     /* see news.h */

	struct instance_process process;
	struct restart_policy policy;
	enum lifecycle_state said_state; /* to monitors, and the pid */
	int64_t said_pid;
	struct readiness readiness;
	struct reload reload;
	int notify_fd;
	int counters_fd;	   /* the page that its processes count in */
	struct stored_list stored; /* by their numbers */
	void *stored_tree;	   /* tsearch(3) of them */
	int notice_credit;	   /* see instance-notice.c */
	sd_event_source *on_notify, *on_discarded, *timer, *on_room;
};

/* A stopped instance, with its notify socket and its page to count in, held; *ret_instance belongs
 * to actor. Errors of notify_open and counters_new_page, -ENOMEM. */
int instance_new(struct actor *actor, int64_t index, struct instance **ret_instance);
/* Forgets a stopped instance. Returns NULL. */
struct instance *instance_free(struct instance *instance);
/* Has it held as it is now, without its process. */
void instance_put(struct instance *instance);
/* The same where nothing but its JSON has changed. */
void instance_update(struct instance *instance);
/* Takes over what a former supervisor held: message's notify socket, and page to count in unless
 * that supervisor knew none. In actor's list the instances stand by their numbers. Its process
 * comes after. -EBADMSG, -EINVAL, -ENOMEM. */
int instance_adopt(struct actor *actor, struct keep_message *message);
/* So many messages in the lane of that number waited for it and are left to its siblings. Each lane
 * counts once: to note the same one again, as the next supervisor may, is nothing. */
void instance_note_moved(struct instance *instance, int64_t lane, unsigned int messages);
/* Notes how its last process ended, or why there was none. */
void instance_set_last_exit(struct instance *instance, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
