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

void print_listener(const cJSON *parameters, const cJSON *reply)
{
	const cJSON *listener = reply_member(reply, "listener");
	const char *to = reply_text(listener, "to");
	char hold[DURATION_TEXT_BYTES], address[REPLY_ADDRESS_BYTES];

	(void)parameters;
	reply_format_address(listener, address);
	printf("%s: listening on %s, %s %s", reply_shown(listener, "name"), address,
		to ? "handed to" : "given to", to ? to : reply_shown(listener, "give"));
	duration_format(reply_number(listener, "holdUSec"), hold);
	if (strcmp(reply_shown(listener, "state"), "waiting") == 0)
		printf("; nobody is ready, connections wait up to %s", hold);
	else if (strcmp(reply_shown(listener, "state"), "refusing") == 0)
		printf("; nobody is ready, connections are refused");
	else if (strcmp(reply_shown(listener, "state"), "paused") == 0)
		printf("; paused");
	putchar('\n');
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
