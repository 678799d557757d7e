/*
 * The keeper's loop: one poll over the signals and the supervisor, and what follows from either.
 * What it holds is in store.c, what it has to do with its supervisor in supervision.c.
 */

#include "daemon/keeper/keeper.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "daemon/keeper/hearing.h"
#include "daemon/keeper/inherit.h"
#include "daemon/keeper/log.h"
#include "daemon/keeper/notify.h"
#include "daemon/keeper/reap.h"
#include "daemon/keeper/replacement.h"
#include "daemon/keeper/signal-mask.h"
#include "daemon/keeper/store.h"
#include "daemon/keeper/supervision.h"
#include "daemon/keeper/watchdog.h"
#include "proto/descriptor.h"
#include "proto/monotonic.h"

struct keeper {
	struct store store;
	struct notify notify;
	struct supervision supervision;
	struct hearing hearing;
	int signal_fd;
	char **argv;
	bool resign_wanted;
	bool gave_up;
	bool children_wait; /* to be reaped, for a shortage */
};

static void on_children(struct keeper *keeper)
{
	pid_t pid;

	keeper->children_wait = false;
	while ((pid = reap_find()) > 0) {
		/* The put of its pidfd, by a supervisor that has ended, may be still to be read. */
		keeper->children_wait = !supervision_receive(&keeper->supervision);
		if (keeper->children_wait)
			return;
		supervision_reap(&keeper->supervision, pid);
	}
}

/* The supervisor ends the service. Where none comes up that could, a second signal ends inkod
 * at least; the actors see that it is gone. */
static void on_stop_signal(struct keeper *keeper)
{
	struct supervision *supervision = &keeper->supervision;

	if (supervision->stop_wanted && !supervision->link.taken && !supervision->finishing) {
		log_line("ends without its supervisor, which does not run");
		keeper->gave_up = true;
	}
	supervision->stop_wanted = true;
}

/* What a supervisor that does not run would have to keep is not left alone. */
static bool may_resign(const struct keeper *keeper)
{
	return keeper->resign_wanted && supervision_is_settled(&keeper->supervision) &&
	       !keeper->store.has_untold;
}

static void on_resign_signal(struct keeper *keeper)
{
	keeper->resign_wanted = true;
	if (!may_resign(keeper))
		log_line("leaves as soon as a supervisor serves, which has to keep everything");
}

static void on_reload_signal(struct keeper *keeper)
{
	char text[sizeof("RELOADING=1\nMONOTONIC_USEC=") + 3 * sizeof(uint64_t)];

	(void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu",
		(unsigned long long)monotonic_usec());
	/* The next supervisor says that it is ready. */
	notify_say(&keeper->notify, text, monotonic_msec());
	supervision_upgrade(&keeper->supervision, true);
}

static void on_signals(struct keeper *keeper)
{
	struct signalfd_siginfo info;

	while (read(keeper->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			on_children(keeper);
		else if (info.ssi_signo == SIGHUP)
			on_reload_signal(keeper);
		else if (info.ssi_signo == SIGUSR1)
			on_resign_signal(keeper);
		else
			on_stop_signal(keeper);
	}
}

/* Is nothing held but what it was given? */
static bool is_empty(const struct store *store)
{
	for (const struct store_entry *entry = store->first; entry; entry = entry->next)
		if (!store_is_socket(entry))
			return false;
	return true;
}

static bool is_done(const struct keeper *keeper)
{
	const struct supervision *supervision = &keeper->supervision;

	if (keeper->gave_up || may_resign(keeper))
		return true;
	if (supervision->life.pid > 0)
		return false;
	return supervision->finishing || (supervision->stop_wanted && is_empty(&keeper->store));
}

static int timeout_msec(struct keeper *keeper)
{
	uint64_t now = monotonic_msec(), at = supervision_due_msec(&keeper->supervision, now),
		 notify_at = notify_due_msec(&keeper->notify);

	if (keeper->children_wait)
		return 0;
	at = notify_at < at ? notify_at : at;
	if (at == UINT64_MAX)
		return -1;
	if (at <= now)
		return 0;
	return at - now < INT_MAX ? (int)(at - now) : INT_MAX;
}

static void notify_manager(struct keeper *keeper)
{
	uint64_t now = monotonic_msec();

	if (watchdog_take_beat(&keeper->supervision.watchdog, now))
		notify_say(&keeper->notify, "WATCHDOG=1", now);
	notify_retry(&keeper->notify, now);
}

/* Only as long as nobody else does: who reads first keeps it. */
static void follow_hearing(struct keeper *keeper)
{
	bool is_wanted = keeper->supervision.life.pid == 0;
	bool is_begun = keeper->hearing.epoll_fd >= 0;

	if (is_wanted && !is_begun)
		hearing_begin(&keeper->hearing, &keeper->store);
	else if (!is_wanted && is_begun)
		hearing_end(&keeper->hearing);
}

static void turn(struct keeper *keeper)
{
	struct supervision *supervision = &keeper->supervision;
	struct pollfd fds[] = {
		{.fd = keeper->signal_fd, .events = POLLIN},
		{.fd = supervision->link.fd, .events = supervision_events(supervision)},
		{.fd = supervision->life.pidfd, .events = POLLIN},
		{.fd = keeper->hearing.epoll_fd, .events = POLLIN},
	};

	if (poll(fds, sizeof(fds) / sizeof(*fds), timeout_msec(keeper)) < 0 && errno != EINTR)
		abort();
	/* Before the signals, which may change the link. */
	supervision_on_link(supervision, fds[1].revents);
	if (fds[2].revents)
		supervision_check(supervision);
	if (fds[3].revents)
		hearing_dispatch(&keeper->hearing, &keeper->store);
	if (fds[0].revents)
		on_signals(keeper);
	if (keeper->children_wait)
		on_children(keeper);
	notify_manager(keeper);
	supervision_run(supervision);
	if (!keeper->resign_wanted && replacement_is_due(supervision))
		replacement_execute(supervision, keeper->argv);
	if (!is_done(keeper) && life_is_due(&supervision->life, monotonic_msec()))
		supervision_start(supervision);
	follow_hearing(keeper);
}

/* The supervisor of another keeper knows the sockets of that one. */
static void add_inherited(struct keeper *keeper, struct inherited inherited)
{
	bool is_news = keeper->supervision.link.fd >= 0 && inherited.n > 0;

	inherit_put(&inherited, &keeper->store);
	for (struct store_entry *entry = keeper->store.first; entry; entry = entry->next)
		entry->untold |= is_news && store_is_socket(entry);
	keeper->store.has_untold |= is_news;
}

static int begin(struct keeper *keeper, const struct keeper_start *start)
{
	struct supervision *supervision = &keeper->supervision;
	int r;

	store_init(&keeper->store, STORE_KEYS_MAX, start->max_fds);
	if (start->carried_fd >= 0 && replacement_go_on(supervision, start->carried_fd) < 0)
		return -EPROTO;
	r = signal_mask_open(&keeper->signal_fd);
	if (r == 0 && start->link_fd >= 0)
		r = supervision_take_over(supervision, start->link_fd);
	add_inherited(keeper, start->inherited);
	notify_open(&keeper->notify);
	if (notify_is_wanted(&keeper->notify))
		watchdog_init(&supervision->watchdog, monotonic_msec());
	if (supervision->life.pid > 0)
		watchdog_sign(&supervision->watchdog, monotonic_msec());
	return r;
}

int keeper_run(struct keeper_start *start)
{
	struct keeper keeper = {.signal_fd = -1,
		.argv = start->argv,
		.notify = {.fd = -1},
		.hearing = {.epoll_fd = -1}};
	struct supervision *supervision = &keeper.supervision;
	int r;

	supervision_init(supervision, &keeper.store, &keeper.notify);
	supervision->lock_fd = start->lock_fd;
	supervision->keeper_replaced = start->replaced;
	r = begin(&keeper, start);
	while (r == 0 && !is_done(&keeper))
		turn(&keeper);
	if (keeper.gave_up)
		life_kill(&supervision->life);
	start->exit_status = supervision->exit_status;
	hearing_end(&keeper.hearing);
	supervision_done(supervision);
	store_done(&keeper.store);
	notify_close(&keeper.notify);
	descriptor_close(&keeper.signal_fd);
	if (r < 0 || !(keeper.gave_up || keeper.resign_wanted))
		return r;
	return keeper.gave_up ? -ECANCELED : KEEPER_LEFT;
}
