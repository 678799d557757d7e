#pragma once

/*
 * The spec of an actor: what a person says of it. One table has all that there is to know of a
 * member: it moves the spec from the control interface to the keeper and back, says what may be
 * in it, and is what inkoctl makes its flags and their help of.
 */

#include "proto/json-fields.h"

/* In spec.capabilities: those that inkod has. */
#define SPEC_ALL_CAPABILITIES "all"

/* spec.adapter of a program that is given listeners as by systemd. */
#define SPEC_ACTIVATION "activation"

/* What counts for an integer without it follows from the adapter, see spec_complete. */
#define SPEC_BY_ADAPTER INT64_C(-1)

struct spec {
	char *name;
	char **command; /* an absolute path and its arguments */
	char *description;
	char *adapter;		/* mailbox, activation or stdio: see adapter.h of the supervisor */
	int64_t max_per_source; /* connections of one address at once, with stdio; 0: any number */
	char **listeners;	/* ADDRESS or NAME=ADDRESS, which come and go with it */
	char *fd_env;		/* the variable that the numbers of its listeners are put in */
	bool non_blocking;	/* accept(2) on those does not wait */
	int64_t instances;
	char *user;		     /* NULL: inkod's own */
	char *group;		     /* NULL: the user's */
	char **supplementary_groups; /* besides those of the user */
	char *directory;	     /* NULL is / */
	char **environment;	     /* K=V */
	char *umask;		     /* octal */
	int64_t nice;
	char **limits; /* NAME=SOFT[:HARD] */
	bool no_new_privileges;
	char **capabilities; /* that it keeps */
	char *network;	     /* host or none */
	char **opens;	     /* actors that it may send to */
	int64_t queue;	     /* messages that each of its lanes holds */
	int64_t concurrency; /* connections in service at once, see inko_mailbox_set_concurrency */
	char *restart;	     /* always, onFailure or never */
	int64_t backoff_usec;
	int64_t intensity; /* deaths of an instance within intensity_usec; 0 is any number */
	int64_t intensity_usec;
	int64_t start_usec;	  /* from the start to READY=1 */
	int64_t ready_after_usec; /* from the start until it counts as ready; 0: it says so */
	char *ready_check;	  /* an address: it is ready when that can be connected to */
	int64_t settle_usec;	  /* ready for so long, a new instance replaces an old one */
	int64_t watchdog_usec;	  /* from one WATCHDOG=1 to the next; 0: it need not say so */
	char *stop_signal;
	char *reload_signal;
	char *reload_command; /* a line for sh, in place of the signal; or NULL */
	bool reload_notify;   /* it says RELOADING=1, and READY=1 when it has */
	int64_t drain_usec;   /* from `stop` to the stop signal */
	int64_t stop_usec;    /* from the stop signal to SIGKILL */
};

/* How a member is written on a command line. */
enum spec_writing {
	SPEC_TEXT,
	SPEC_TEXTS,    /* one a flag, which may be repeated */
	SPEC_VARIABLE, /* the same, K=V */
	SPEC_PATH,
	SPEC_CHOICE, /* of those in spec_about.value, between '|'; in JSON onFailure is on-failure
		      */
	SPEC_NUMBER,
	SPEC_TIME,
	SPEC_RATE, /* N/TIME or off: this member, and the next, which has no flag of its own */
	SPEC_YES_NO,
};

/* When another value of it counts. */
enum spec_counting {
	SPEC_AT_START, /* a process has it from its start on: it takes another process */
	SPEC_AT_ONCE,  /* inkod asks for it when it needs it */
};

/* json_field.about of the rows of spec_fields. */
struct spec_about {
	const char *flag; /* of inkoctl spawn; NULL: it is no flag of its own */
	enum spec_writing writing;
	const char *value;	  /* what help calls it */
	const char *initial_text; /* what counts without it, of strings; NULL: nothing */
	int64_t initial;	  /* the same, of integers and booleans */
	const char *needs;	  /* the capability that inkod must have for it; NULL: none */
	enum spec_counting counts;
	const char *help;
};

extern const struct json_field spec_fields[];

/* The row of that name, which there is. */
const struct json_field *spec_find(const char *name);
const struct spec_about *spec_about(const struct json_field *field);
/* Does it count for processes that run? */
bool spec_counts_at_once(const struct json_field *field);

/* What counts for all that is not said: integers and booleans. Strings are NULL. */
void spec_init(struct spec *spec);
/* The same for strings, which are NULL where nothing was said. An array of none is no array, which
 * is NULL then, but of what has to be said. The same for what is SPEC_BY_ADAPTER. -ENOMEM. */
int spec_complete(struct spec *spec);
/* Frees what spec owns, not spec itself. */
void spec_done(struct spec *spec);

/* Fills spec, which spec_init was called for, from what a former supervisor held: one that did not
 * know how to take privileges away took none away. As json_decode. */
int spec_decode_held(const cJSON *object, struct spec *spec);
