#pragma once

/*
 * What has to change so that there is what a configuration says. Making a plan looks at everything
 * that can be wrong, up to binding the sockets of new listeners, and changes nothing else; apply.h
 * does what it says.
 */

#include <stdbool.h>

#include "daemon/supervisor/configuration-fault.h"
#include "daemon/supervisor/configuration.h"

struct listener;
struct place;

enum plan_action {
	PLAN_ADD,
	PLAN_CHANGE,
	PLAN_RETRY, /* it is what it shall be, but failed */
	PLAN_REMOVE,
	PLAN_KEEP, /* it is not in the configuration, and stays */
	PLAN_ACTIONS,
};

/* What that does to what runs. */
enum plan_effect {
	PLAN_NOTHING,
	PLAN_START,	 /* instances are started */
	PLAN_OPEN,	 /* a listener is opened */
	PLAN_AT_ONCE,	 /* no instance is replaced */
	PLAN_ROLL,	 /* each instance is replaced, one after the other */
	PLAN_RESTART,	 /* the instance ends, and is started again: no two may be there */
	PLAN_NEXT_START, /* it counts when somebody starts the actor, which is stopped, or has no
			  * mailbox to be given a listener by */
	PLAN_REPLACE,	 /* a listener is closed, and another opened */
	PLAN_STOP,	 /* the instances finish what they serve, and end */
	PLAN_CLOSE,
	PLAN_EFFECTS,
};

struct change {
	enum plan_action action;
	enum plan_effect effect;
	char *name;
	bool is_listener;
	struct spec *spec;			/* in the plan's configuration; NULL: not there */
	struct configured_listener *configured; /* the same */
	cJSON *fields;				/* as in the interface, or NULL */
	int fd;					/* of a listener, bound for it; or -1 */
	struct address address;			/* that it is bound to */
	bool is_late;				/* others have its address until they are closed */
	bool is_in_way;				/* one that is late wants its address */
	/* While it is carried out. */
	int64_t generation; /* that a roll leads to */
	uint64_t socket;    /* of a listener that was opened, or is to be closed */
	bool is_freed;	    /* it was in the way, and is closed */
	bool is_done;
	char *failure;
};

struct plan {
	struct supervisor *supervisor;
	bool is_dry_run; /* nothing is bound */
	bool prune;	 /* what is not in the configuration is removed */
	struct configuration configuration;
	struct change *changes;
	size_t n_changes;
	struct place *places; /* see plan-socket.c */
	size_t n_places;
};

/* What is to be done for what object says, which asker wants; what is not in it is removed with
 * prune. Sockets are bound for it, unless it is for a dry run. On failure *ret_fault is filled:
 * -EINVAL, -ENOMEM. */
int plan_make(struct supervisor *supervisor, const struct spec_asker *asker, const cJSON *object,
	bool prune, bool is_dry_run, struct plan **ret_plan, struct configuration_fault *ret_fault);
/* Closes what was bound and not taken. Returns NULL. */
struct plan *plan_free(struct plan *plan);
/* Before change, of something that is there, is begun: is that still what the plan saw? -EALREADY
 * when it is by now what it shall be, -ESTALE when somebody has made something else of it, -ENOENT.
 */
int plan_check(const struct plan *plan, const struct change *change);
/* Array of type Change of the interface; the caller's. */
cJSON *plan_describe(const struct plan *plan);

/* For those who make it. */

/* One more thing to do, which is an addition until something else is said. -ENOMEM. */
int plan_add(struct plan *plan, const char *name, bool is_listener, struct change **ret_change);
/* Has the actor, which stays, that listener no more, whatever else stays? */
bool plan_gives_up(const struct plan *plan, const struct listener *listener);
