#pragma once

/*
 * The spec of an actor: what a person says of it. One table moves it from the control
 * interface, to the keeper and back.
 */

#include "proto/json.h"

struct spec {
	char *name;
	char **command; /* an absolute path and its arguments */
	int64_t instances;
	char *directory;    /* NULL is / */
	char **environment; /* K=V */
	char **opens;	    /* actors that it may send to */
	int64_t queue;	    /* messages that each of its lanes holds */
	int64_t backoff_usec;
	int64_t intensity; /* deaths of an instance within intensity_usec; 0 is any number */
	int64_t intensity_usec;
	int64_t drain_usec; /* from `stop` to the stop signal */
	int64_t stop_usec;  /* from the stop signal to SIGKILL */
	int64_t start_usec; /* from the start to READY=1 */
};

extern const struct json_field spec_fields[];

/* The defaults; members that are pointers are NULL. */
void spec_init(struct spec *spec);
/* Frees what spec owns, not spec itself. */
void spec_done(struct spec *spec);

/* Does a process have the field of that name from its start on, so that another value of it takes
 * another process? What the supervisor reads when it needs it takes effect at once. */
bool spec_field_is_of_process(const char *name);

/* Is spec one that could be spawned? If not: -EINVAL, the member's name, and one sentence in
 * ret_reason. Resolves command[0] to an absolute path; -ENOENT when there is no such program. */
int spec_check(struct spec *spec, const char **ret_parameter, char ret_reason[static 512]);
