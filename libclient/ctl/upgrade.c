/*
 * Replacing inkod under what it runs.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <inko/control.h>

#include "clock.h"
#include "errors.h"
#include "reply.h"
#include "verbs.h"

/* With the last question's five seconds it is less than half a minute. */
#define WAIT_USEC 15000000
#define PAUSE_USEC 20000

/* Which two processes inkod is. */
struct pair {
	int64_t keeper, replaced, supervisor;
};

static struct pair read_pair(const cJSON *status)
{
	return (struct pair){
		.keeper = reply_number(status, "keeperPid"),
		.replaced = reply_number(status, "keeperReplaced"),
		.supervisor = reply_number(status, "supervisorPid"),
	};
}

static int ask(struct session *session, cJSON **ret_status)
{
	cJSON *nothing = cJSON_CreateObject();
	int r = nothing ? session_ask(session, "GetStatus", nothing, ret_status) : -ENOMEM;

	cJSON_Delete(nothing);
	return r;
}

/* The members of GetStatus that say who inkod is. */
static cJSON *describe(const cJSON *status)
{
	static const char *const members[] = {
		"version", "supervisorPid", "keeperVersion", "keeperPid", "keeperReplaced"};
	cJSON *object = cJSON_CreateObject();

	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
		const cJSON *member = reply_member(status, members[i]);

		if (member)
			(void)cJSON_AddItemToObject(
				object, members[i], cJSON_Duplicate(member, true));
	}
	return object;
}

static int print_json(const cJSON *before, const cJSON *status)
{
	cJSON *object = describe(status);
	char *text;

	(void)cJSON_AddItemToObject(object, "before", describe(before));
	text = cJSON_PrintUnformatted(object);
	cJSON_Delete(object);
	if (!text)
		return complain(STATUS_REFUSED, "there is not enough memory for the answer");
	puts(text);
	free(text);
	return STATUS_DONE;
}

static int print_done(const struct session *session, const cJSON *before, const cJSON *status)
{
	if (session->json)
		return print_json(before, status);
	printf("upgraded: inkod %s (keeper %" PRId64 ", supervisor %" PRId64 ")\n",
		reply_shown(status, "version"), reply_number(status, "keeperPid"),
		reply_number(status, "supervisorPid"));
	return STATUS_DONE;
}

static bool is_new_keeper(const struct pair *before, const struct pair *now)
{
	return now->keeper != 0 &&
	       (now->keeper != before->keeper || now->replaced != before->replaced);
}

/* What has not come, by who answered last; NULL when that was the former supervisor, or nobody. */
static int complain_not_replaced(const struct pair *last)
{
	if (!last)
		return complain(STATUS_REFUSED,
			"the installed supervisor does not come up: what runs goes on, is held and "
			"served; inkod's own log (its standard error, or 'journalctl -u inkod') "
			"says why. Install the former build again, which is then started by "
			"itself");
	if (last->keeper == 0)
		return complain(STATUS_REFUSED,
			"the supervisor was replaced, and the keeper ended when the installed "
			"inkod took its place: there is no keeper now. What runs goes on and is "
			"served, but would end with the supervisor. That one starts inkod again "
			"after a second, and then ever more seldom, up to every minute, unless a "
			"service manager does; inkod's own log (its standard error, or "
			"'journalctl -u inkod') says why it ends. Install a build that works, and "
			"wait, or start inkod: it is given everything");
	return complain(STATUS_REFUSED,
		"the supervisor was replaced, and the keeper was not: inkod's own log (its "
		"standard error, or 'journalctl -u inkod') says why; 'inkoctl upgrade' tries "
		"again");
}

/* Another supervisor answers, and knows another keeper or the same one replaced. */
static int wait_for_both(struct session *session, const cJSON *status_before)
{
	const struct pair before = read_pair(status_before);
	int64_t end_usec = clock_usec() + WAIT_USEC;
	struct pair now = before;

	do {
		cJSON *status = NULL;
		bool done = false;
		int printed = STATUS_DONE;

		if (ask(session, &status) == 0) {
			now = read_pair(status);
			done = now.supervisor != before.supervisor && is_new_keeper(&before, &now);
		}
		if (done)
			printed = print_done(session, status_before, status);
		cJSON_Delete(status);
		if (done)
			return printed;
		(void)usleep(PAUSE_USEC);
	} while (clock_usec() < end_usec);
	return complain_not_replaced(now.supervisor != before.supervisor ? &now : NULL);
}

int run_upgrade(struct session *session, const struct verb *verb, cJSON *parameters)
{
	cJSON *before = NULL, *reply = NULL;
	int status;

	/* Who does not know who was there cannot tell that they are others: nothing is asked for.
	 */
	status = session_begin(session, "GetStatus", parameters, &before);
	session_close(session);
	if (status == STATUS_DONE)
		status = session_begin(session, verb->method, parameters, &reply);
	session_close(session);
	if (status == STATUS_DONE)
		status = wait_for_both(session, before);
	cJSON_Delete(before);
	cJSON_Delete(reply);
	return status;
}
