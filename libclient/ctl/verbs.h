#pragma once

/*
 * The verbs of inkoctl: all of its command line is in these tables.
 */

#include "arguments.h"
#include "session.h"

struct verb {
	const char *name;
	const char *usage;		  /* what follows the name */
	const char *help;		  /* one line */
	const struct argument *arguments; /* NULL: those of a spec */
	/* Does it. Returns a status, after a complaint if it is not STATUS_DONE. */
	int (*run)(struct session *session, const struct verb *verb, cJSON *parameters);
	const char *method; /* of verb_call; NULL for others */
	/* Prints the line that tells a person what verb_call did. */
	void (*print)(const cJSON *parameters, const cJSON *reply);
};

/* Ends with a NULL name. */
extern const struct verb verbs[];

/* Flags that go with every verb. */
extern const struct argument global_arguments[];

/* NULL if there is none of that name. */
const struct verb *verb_find(const char *name);

/* What verb takes, to be freed. NULL without memory. */
struct argument *verb_copy_arguments(const struct verb *verb);

/* Sends the parameters to inkod as they are and prints what came of it. */
int verb_call(struct session *session, const struct verb *verb, cJSON *parameters);

/* Prints how a verb is called, or all of them (verb is NULL). STATUS_DONE, or another status after
 * a complaint. */
int help_print(const struct verb *verb);

/* What spawn takes: what the library knows of a spec. To be freed; NULL without memory. */
struct argument *spawn_arguments_new(void);

int run_apply(struct session *session, const struct verb *verb, cJSON *parameters);
int run_bridge(struct session *session, const struct verb *verb, cJSON *parameters);
int run_completion(struct session *session, const struct verb *verb, cJSON *parameters);
int run_counters(struct session *session, const struct verb *verb, cJSON *parameters);
int run_help(struct session *session, const struct verb *verb, cJSON *parameters);
int run_list(struct session *session, const struct verb *verb, cJSON *parameters);
int run_listen(struct session *session, const struct verb *verb, cJSON *parameters);
int run_logs(struct session *session, const struct verb *verb, cJSON *parameters);
int run_monitor(struct session *session, const struct verb *verb, cJSON *parameters);
int run_restart(struct session *session, const struct verb *verb, cJSON *parameters);
int run_send(struct session *session, const struct verb *verb, cJSON *parameters);
int run_spawn(struct session *session, const struct verb *verb, cJSON *parameters);
int run_top(struct session *session, const struct verb *verb, cJSON *parameters);
int run_upgrade(struct session *session, const struct verb *verb, cJSON *parameters);
int run_status(struct session *session, const struct verb *verb, cJSON *parameters);

void print_configuration(const cJSON *parameters, const cJSON *reply);
void print_actor(const cJSON *parameters, const cJSON *reply);
void print_removed(const cJSON *parameters, const cJSON *reply);
void print_listener(const cJSON *parameters, const cJSON *reply);
void print_resumed(const cJSON *parameters, const cJSON *reply);
void print_paused(const cJSON *parameters, const cJSON *reply);
void print_closed(const cJSON *parameters, const cJSON *reply);
void print_sent(const cJSON *parameters, const cJSON *reply);
