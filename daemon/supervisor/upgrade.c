#include <errno.h>

#include "daemon/supervisor/holding.h"
#include "daemon/supervisor/log.h"
#include "daemon/supervisor/supervisor.h"
#include "daemon/supervisor/upgrade.h"

/* It ends when the keeper says so and not before: a keeper that dies first would never know that
 * it is to start another one, and nobody would be left. */
static int on_begin(sd_event_source *source, void *userdata)
{
	struct supervisor *supervisor = userdata;

	(void)source;
	if (!holding_check(supervisor->holding))
		return 0;
	log_info("asks the keeper for the installed build");
	holding_upgrade(supervisor->holding);
	return 0;
}

int upgrade_begin(struct supervisor *supervisor)
{
	if (!holding_check(supervisor->holding))
		return -ENOTCONN;
	return sd_event_add_defer(supervisor->event, NULL, on_begin, supervisor);
}
