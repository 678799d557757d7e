/*
 * Two watchdogs with one interval. The keeper tells systemd of itself and not of the supervisor:
 * were it silent because the supervisor is, both would be replaced for the fault of one.
 */

#include "daemon/keeper/watchdog.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

void watchdog_init(struct watchdog *watchdog, uint64_t now_msec)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	*watchdog = (struct watchdog){.beat_msec = now_msec};
	if (usec && (!pid || strtol(pid, NULL, 10) == getpid()))
		watchdog->interval_msec = strtoull(usec, NULL, 10) / 1000;
}

void watchdog_sign(struct watchdog *watchdog, uint64_t now_msec)
{
	watchdog->number = SIGABRT;
	watchdog->silent_msec = now_msec + watchdog->interval_msec;
}

void watchdog_rest(struct watchdog *watchdog)
{
	watchdog->number = 0;
}

uint64_t watchdog_due_msec(const struct watchdog *watchdog)
{
	if (watchdog->interval_msec == 0)
		return UINT64_MAX;
	if (watchdog->number && watchdog->silent_msec < watchdog->beat_msec)
		return watchdog->silent_msec;
	return watchdog->beat_msec;
}

bool watchdog_take_beat(struct watchdog *watchdog, uint64_t now_msec)
{
	if (watchdog->interval_msec == 0 || now_msec < watchdog->beat_msec)
		return false;
	watchdog->beat_msec = now_msec + watchdog->interval_msec / 2;
	return true;
}

int watchdog_take_signal(struct watchdog *watchdog, uint64_t now_msec)
{
	int number = watchdog->number;

	if (watchdog->interval_msec == 0 || !number || now_msec < watchdog->silent_msec)
		return 0;
	watchdog_sign(watchdog, now_msec);
	watchdog->number = SIGKILL;
	return number;
}
