#include <errno.h>

#include "daemon/supervisor/holding.h"
#include "daemon/supervisor/log.h"
#include "daemon/supervisor/supervisor.h"
#include "daemon/supervisor/upgrade.h"

static int on_leave(sd_event_source *source, void *userdata)
{
	struct supervisor *supervisor = userdata;

	(void)source;
	if (!holding_check(supervisor->holding))
		return 0;
	log_info("makes room for the installed build");
	holding_upgrade(supervisor->holding);
	return sd_event_exit(supervisor->event, 0);
}

int upgrade_begin(struct supervisor *supervisor)
{
	if (!holding_check(supervisor->holding))
		return -ENOTCONN;
	return sd_event_add_defer(supervisor->event, NULL, on_leave, supervisor);
}
