#pragma once

/*
 * What inkoctl says when something did not work, and the exit statuses that go with it.
 */

#include <cjson/cJSON.h>

struct argument;

enum status {
	STATUS_DONE = 0,
	STATUS_REFUSED = 1,
	STATUS_USAGE = 2,
	STATUS_NO_DAEMON = 3,
};

/* Prints "inkoctl: …" as one line on standard error. Returns status. */
int complain(enum status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for a wrong command line, and where to read the right one: verb is NULL when it is not
 * known. Returns STATUS_USAGE. */
int complain_usage(const char *verb, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What it is that inkod refused with error and parameters, which may be NULL: STATUS_USAGE when
 * the value of one of arguments, those of the verb, can be nowhere, as when the command line had
 * not parsed; else STATUS_REFUSED. */
enum status status_of_refusal(
	const char *error, const cJSON *parameters, const struct argument *arguments);

/* Prints why inkod refused: error and parameters as they came. What was typed is called as it was
 * typed. Returns what status_of_refusal does. */
int complain_refused(const char *error, const cJSON *parameters, const struct argument *arguments);

/* Prints what came of talking to the inkod of runtime_directory (NULL: the default), a negative
 * errno of inko_control_connect. */
int complain_connect(int error, const char *runtime_directory);

/* The same of inko_control_call. */
int complain_call(int error, const char *runtime_directory);
