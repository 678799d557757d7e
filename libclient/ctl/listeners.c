/*
 * Verbs that open and close listeners.
 */

#include <stdio.h>
#include <string.h>

#include "duration.h"
#include "errors.h"
#include "reply.h"
#include "verbs.h"

int run_listen(struct session *session, const struct verb *verb, cJSON *parameters)
{
	bool to = reply_member(parameters, "to"), give = reply_member(parameters, "give");

	if (!to && !give)
		return complain_usage(verb->name,
			"say which actor: --to NAME hands it each connection, --give NAME the "
			"listener itself");
	if (to && give)
		return complain_usage(verb->name, "--to and --give exclude each other");
	return verb_call(session, verb, parameters);
}

/* "NAME: what ADDRESS, handed to NAME", and what becomes of who connects if nobody serves. */
static void print_what(const cJSON *listener, const char *what)
{
	const char *state = reply_shown(listener, "state"), *to = reply_text(listener, "to");
	char hold[DURATION_TEXT_BYTES], address[REPLY_ADDRESS_BYTES];

	reply_format_address(listener, address);
	printf("%s: %s %s, %s %s", reply_shown(listener, "name"), what, address,
		to ? "handed to" : "given to", to ? to : reply_shown(listener, "give"));
	duration_format(reply_number(listener, "holdUSec"), hold);
	if (strcmp(state, "waiting") == 0)
		printf("; nobody is ready, connections wait up to %s", hold);
	else if (strcmp(state, "refusing") == 0)
		printf("; nobody is ready, connections are refused");
	else if (strcmp(state, "paused") == 0)
		printf("; paused");
	putchar('\n');
}

void print_listener(const cJSON *parameters, const cJSON *reply)
{
	(void)parameters;
	print_what(reply_member(reply, "listener"), "listening on");
}

void print_resumed(const cJSON *parameters, const cJSON *reply)
{
	(void)parameters;
	print_what(reply_member(reply, "listener"), "resumed, accepts again on");
}

void print_paused(const cJSON *parameters, const cJSON *reply)
{
	const char *name = reply_shown(parameters, "listener");

	(void)reply;
	printf("%s: paused, who connects waits until 'inkoctl resume %s'\n", name, name);
}

void print_closed(const cJSON *parameters, const cJSON *reply)
{
	(void)reply;
	printf("%s: closed\n", reply_shown(parameters, "listener"));
}
