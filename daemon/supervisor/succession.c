#include <string.h>

#include "daemon/supervisor/adoption.h"
#include "daemon/supervisor/announce.h"
#include "daemon/supervisor/control-socket.h"
#include "daemon/supervisor/door.h"
#include "daemon/supervisor/holding.h"
#include "daemon/supervisor/log.h"
#include "daemon/supervisor/monitor.h"
#include "daemon/supervisor/revive.h"
#include "daemon/supervisor/state-version.h"
#include "daemon/supervisor/succession.h"
#include "daemon/supervisor/supervisor.h"
#include "daemon/supervisor/upgrade.h"
#include "proto/runtime.h"

static void put_all(void *context)
{
	struct supervisor *supervisor = context;

	state_version_put(supervisor);
	control_socket_put(supervisor);
	adoption_put_all(supervisor);
}

static void say_keeper(struct supervisor *supervisor, const char *to, pid_t pid)
{
	const struct monitor_event event = {
		.kind = MONITOR_KEEPER, .name = "keeper", .to = to, .pid = pid};

	monitor_say(supervisor, &event);
}

static void on_visitor(void *context, int *take_fd, pid_t pid)
{
	struct supervisor *supervisor = context;

	if (holding_check(supervisor->holding) || supervisor->stopping) {
		holding_refuse(supervisor->holding, *take_fd);
		return;
	}
	revive_end(supervisor->revive);
	if (holding_hand_over(supervisor->holding, take_fd, pid, put_all, supervisor) < 0) {
		log_error("the keeper that was to take over (pid %d) did not", (int)pid);
		return;
	}
	announce_end(supervisor);
	say_keeper(supervisor, "replaced", pid);
	log_info("has another keeper (pid %d)", (int)pid);
}

void succession_on_lost(struct supervisor *supervisor)
{
	upgrade_on_lost(supervisor);
	if (supervisor->stopping)
		return;
	say_keeper(supervisor, "lost", 0);
	/* Where a service manager asks, it is that one's to start it again. */
	if (!supervisor->announcer)
		revive_begin(supervisor->revive);
}

void succession_open_door(struct supervisor *supervisor)
{
	struct door *door;
	int r = door_new(supervisor->event, supervisor->runtime, on_visitor, supervisor, &door);

	if (r < 0)
		log_error("cannot listen on %s/" RUNTIME_KEEPER
			  " (%s): when the keeper dies no other can take over",
			supervisor->runtime, strerror(-r));
}
