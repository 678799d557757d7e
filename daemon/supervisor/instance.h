#pragma once

/*
 * An instance of an actor and its life: lifecycle.h says what follows what, this does it. Its
 * process is instance-process.h's, what it is told news.h's, what it is handed routing.h's.
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
/* After everything was adopted: goes on where the former supervisor stopped. */
void instance_resume(struct instance *instance);

/* What somebody wants of it; what cannot be done at once follows. A start and a restart forgive its
 * past (restart-policy.h). What a restart has stopped actor.c starts again. */
void instance_start(struct instance *instance);
void instance_stop(struct instance *instance);
void instance_restart(struct instance *instance);
/* Lets it end for good: actor.c frees it then. Nothing where that was said before. */
void instance_retire(struct instance *instance);

/* Its process has said something that event stands for. */
void instance_on_notified(struct instance *instance, enum lifecycle_event event);
/* It lives (WATCHDOG=1). */
void instance_on_alive(struct instance *instance);
/* It does not work, as it says itself (WATCHDOG=trigger). */
void instance_on_hung(struct instance *instance);
/* So often it will say that it lives; 0: not at all. */
void instance_set_watchdog(struct instance *instance, int64_t usec);
/* What it does now, starting or ending, it does for so long from now, if that is longer than it
 * had. */
void instance_extend(struct instance *instance, int64_t usec);
/* It reads its configuration again (RELOADING=1), or has done so (READY=1). */
void instance_on_reloading(struct instance *instance, bool is_reloading);
/* Its process has ended before it ran: nobody was there any more to open its gate. */
void instance_on_unstarted(struct instance *instance);
/* Its process has ended, as it should or not; how is noted. Starts it again in its time, unless it
 * was to end or its spec says otherwise. */
void instance_on_ended(struct instance *instance, bool is_clean);
/* So many messages in the lane of that number waited for it and are left to its siblings. Each lane
 * counts once: to note the same one again, as the next supervisor may, is nothing. */
void instance_note_moved(struct instance *instance, int64_t lane, unsigned int messages);
/* Notes how its last process ended, or why there was none. */
void instance_set_last_exit(struct instance *instance, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Is it one that may be handed something now or soon? */
bool instance_is_serving(const struct instance *instance);
/* How often it is to say that it lives, 0: never. */
int64_t instance_get_watchdog(const struct instance *instance);
/* Is it ready, and does it read its mailbox? */
bool instance_reads(const struct instance *instance);
/* Has it become ready, be it that it has ended since as it should? */
bool instance_has_served(const struct instance *instance);
/* From when on it can take another's place, which is settleUSec after it became ready: a time of
 * supervisor_now, or UINT64_MAX while it is not ready, and if it did not stay so. */
uint64_t instance_settles_at(const struct instance *instance);
/* Does its process run, and was it told to end? */
bool instance_is_ending(const struct instance *instance);
/* Did it end before it was ready, or has it failed, so that its actor will not be ready? */
bool instance_is_broken(const struct instance *instance);
/* Is another instance of its actor such a one? */
bool instance_has_sibling(
	const struct instance *instance, bool (*is_such)(const struct instance *instance));
