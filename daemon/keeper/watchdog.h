#pragma once

/*
 * Who watches whom: systemd the keeper (WatchdogSec=), the keeper the supervisor.
 */

#include <stdbool.h>
#include <stdint.h>

struct watchdog {
	uint64_t interval_msec; /* 0: nobody watches */
	uint64_t beat_msec;	/* when systemd is to hear of the keeper */
	uint64_t silent_msec;	/* when the supervisor will have been silent for too long */
	int number;		/* the signal that it is sent then; 0 while there is none */
};

/* By WATCHDOG_USEC and WATCHDOG_PID, which stay in the environment; see sd_watchdog_enabled(3). */
void watchdog_init(struct watchdog *watchdog, uint64_t now_msec);

/* A supervisor runs, or gave a sign of life. */
void watchdog_sign(struct watchdog *watchdog, uint64_t now_msec);
/* It has ended. */
void watchdog_rest(struct watchdog *watchdog);

/* When one of the two below has something to say; UINT64_MAX for never. */
uint64_t watchdog_due_msec(const struct watchdog *watchdog);
/* Is it time to tell systemd of the keeper? If it is, the next time is half an interval later. */
bool watchdog_take_beat(struct watchdog *watchdog, uint64_t now_msec);
/* The signal that a silent supervisor is to be sent now, or 0: SIGABRT, and if it stays as silent
 * SIGKILL. */
int watchdog_take_signal(struct watchdog *watchdog, uint64_t now_msec);
