#include <errno.h>
#include <stdio.h>

#include "daemon/supervisor/holding.h"
#include "daemon/supervisor/log.h"
#include "daemon/supervisor/requests.h"
#include "daemon/supervisor/supervisor.h"
#include "daemon/supervisor/upgrade.h"

/* It ends when the keeper says so and not before: a keeper that dies first would never know that
 * it is to start another one, and nobody would be left. */
int upgrade_begin(struct supervisor *supervisor, struct call *call)
{
	int r;

	if (!holding_check(supervisor->holding))
		return -ENOTCONN;
	r = requests_add(supervisor, call, REQUEST_UPGRADED, "");
	if (r < 0)
		return r;
	log_info("asks the keeper for the installed build");
	holding_upgrade(supervisor->holding);
	return 0;
}

void upgrade_leave(struct supervisor *supervisor)
{
	/* A keeper that died after it said so starts no other one. */
	if (supervisor->stopping || !holding_check(supervisor->holding))
		return;
	log_info("makes room for the installed build");
	requests_answer_upgrade(supervisor, NULL);
	(void)sd_event_exit(supervisor->event, 0);
}

void upgrade_refuse(struct supervisor *supervisor, const char *reason)
{
	char text[1024];

	(void)snprintf(text, sizeof(text),
		"nothing was replaced, and all goes on as it was: %s; install a build that runs, "
		"then 'inkoctl upgrade'",
		reason);
	requests_answer_upgrade(supervisor, text);
}

void upgrade_on_lost(struct supervisor *supervisor)
{
	requests_answer_upgrade(supervisor,
		"the keeper has died, and another is to take over: try again in a second");
}
