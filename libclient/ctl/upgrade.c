/*
 * Replacing inkod under what it runs.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <inko/control.h>

#include "errors.h"
#include "reply.h"
#include "verbs.h"

/* With the last question's five seconds it is less than half a minute. */
#define WAIT_SECONDS 15
#define PAUSE_USEC 20000

/* Which two processes inkod is. */
struct pair {
	int64_t keeper, replaced, supervisor;
};

static time_t now_seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static int ask(struct session *session, struct pair *ret_pair, cJSON **ret_status)
{
	cJSON *nothing = cJSON_CreateObject();
	int r = nothing ? session_ask(session, "GetStatus", nothing, ret_status) : -ENOMEM;

	cJSON_Delete(nothing);
	if (r < 0)
		return r;
	*ret_pair = (struct pair){
		.keeper = reply_number(*ret_status, "keeperPid"),
		.replaced = reply_number(*ret_status, "keeperReplaced"),
		.supervisor = reply_number(*ret_status, "supervisorPid"),
	};
	return 0;
}

static void print_done(const struct session *session, const cJSON *status, const struct pair *pair)
{
	if (session->json)
		return; /* the answer to the call was printed */
	printf("upgraded: inkod %s (keeper %" PRId64 ", supervisor %" PRId64 ")\n",
		reply_shown(status, "version"), pair->keeper, pair->supervisor);
}

static bool is_new_keeper(const struct pair *before, const struct pair *now)
{
	return now->keeper != 0 &&
	       (now->keeper != before->keeper || now->replaced != before->replaced);
}

/* Another supervisor answers, and knows another keeper or the same one replaced. */
static int wait_for_both(struct session *session, const struct pair *before)
{
	time_t end = now_seconds() + WAIT_SECONDS;
	bool supervised = false;

	do {
		struct pair now;
		cJSON *status = NULL;
		bool done = false;

		if (ask(session, &now, &status) == 0) {
			supervised = now.supervisor != before->supervisor;
			done = supervised && is_new_keeper(before, &now);
		}
		if (done)
			print_done(session, status, &now);
		cJSON_Delete(status);
		if (done)
			return STATUS_DONE;
		(void)usleep(PAUSE_USEC);
	} while (now_seconds() < end);
	if (supervised)
		return complain(STATUS_REFUSED,
			"the supervisor was replaced, and the keeper was not: inkod's own log (its "
			"standard error, or 'journalctl -u inkod') says why; 'inkoctl upgrade' "
			"tries again");
	return complain(STATUS_REFUSED,
		"the installed supervisor does not come up: what runs goes on, is held and "
		"served; inkod's own log (its standard error, or 'journalctl -u inkod') says why. "
		"Install the former build again, which is then started by itself");
}

int run_upgrade(struct session *session, const struct verb *verb, cJSON *parameters)
{
	struct pair before = {0};
	cJSON *status_before = NULL, *reply = NULL;
	int status;

	/* What is wrong with the inkod there is said by the call itself. */
	(void)ask(session, &before, &status_before);
	cJSON_Delete(status_before);
	session_done(session);
	status = session_call(session, verb->method, parameters, &reply);
	cJSON_Delete(reply);
	session_done(session);
	return status == STATUS_DONE ? wait_for_both(session, &before) : status;
}
