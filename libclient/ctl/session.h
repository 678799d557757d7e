#pragma once

/*
 * One run of inkoctl: which inkod it talks to, how it prints, and its connection.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <cjson/cJSON.h>

#include "terminal.h"

/* inkod answers at once, or it has a reason to be looked at. */
#define SESSION_PATIENCE_USEC UINT64_C(5000000)

struct argument;
struct inko_control;

struct session {
	const char *host;	       /* that it runs on, by way of ssh; NULL: this one */
	const char *runtime_directory; /* NULL: the default */
	bool json;
	uint64_t patience_usec; /* of session_ask; 0: five seconds */
	struct look look;
	const struct argument *arguments; /* of the verb, for what is said when it is refused */
	struct inko_control *control;	  /* NULL until the first call */
	pid_t ssh;			  /* that control leads through, or 0 */
};

/* Closes the connection, and waits for the end of ssh where it led to another host. */
void session_close(struct session *session);

/* Connects, and asks for an answer where that is on another host. A negative errno. */
int session_connect(struct session *session);

/* Prints what came of session_connect. A status. */
int session_complain_connect(struct session *session, int error);

/* The same of a call. */
int session_complain_call(struct session *session, int error);

/* Connects, after some tries where nobody listens yet, to an inkod that answers. A status, after a
 * complaint if it is not STATUS_DONE. */
int session_open(struct session *session);

/* Calls method and waits for the answer. A status, after a complaint if it is not STATUS_DONE.
 * With --json the answer, or the error, is printed here and *ret_reply is NULL. */
int session_call(
	struct session *session, const char *method, const cJSON *parameters, cJSON **ret_reply);

/* The same, but an answer is not printed even with --json: there is more to come of it. */
int session_begin(
	struct session *session, const char *method, const cJSON *parameters, cJSON **ret_reply);

/* Prints a reply as --json does: error, which may be NULL, and parameters as they came. A status.
 */
int session_print_json(const char *error, const char *parameters);

/* Calls method again while following something: nothing is printed, and a connection that broke
 * is made anew. As inko_control_call, and -ETIMEDOUT after patience_usec; *ret_reply is set on
 * success only. */
int session_ask(
	struct session *session, const char *method, const cJSON *parameters, cJSON **ret_reply);
