/*
 * The keeper's loop: one poll over the signals and the link to the supervisor, and what follows
 * from either. What it holds is in store.c, what it says in link.c, whom it starts in life.c.
 */

#include "daemon/keeper/keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/keeper/carry.h"
#include "daemon/keeper/inherit.h"
#include "daemon/keeper/launch.h"
#include "daemon/keeper/life.h"
#include "daemon/keeper/link.h"
#include "daemon/keeper/log.h"
#include "daemon/keeper/notify.h"
#include "daemon/keeper/reap.h"
#include "daemon/keeper/signal-mask.h"
#include "daemon/keeper/store.h"
#include "daemon/keeper/takeover.h"
#include "daemon/keeper/upgrade.h"
#include "daemon/keeper/watchdog.h"
#include "proto/descriptor.h"
#include "proto/monotonic.h"

/* Between tries where the kernel has no event for when it will do. */
#define PAUSE_MSEC 10

/* How long a process that has closed its link may take to have ended. */
#define ENDING_MSEC 1000

/* Messages in turn, before signals are looked at again. */
#define RECEIVE_BUDGET 64

struct keeper {
	struct store store;
	struct notify notify;
	struct watchdog watchdog;
	int signal_fd, lock_fd;
	char **argv;

	struct life life;	/* of the supervisor */
	struct link link;	/* to it */
	bool leave_wanted;	/* it shall make room for the installed one */
	bool upgrading;		/* this process is replaced in place when that one serves */
	struct upgrade upgrade; /* what is tried before any of that */
	uint32_t replaced;	/* how often that was done */

	bool stop_wanted;
	bool resign_wanted;
	bool finishing;	 /* the supervisor said so: it is not started again */
	int exit_status; /* the same: what to end with */
	bool gave_up;
	bool full_logged, shortage_logged;
	bool children_wait; /* to be reaped, for a shortage */
};

static void on_put(struct keeper *keeper, struct keep_message *message)
{
	int r = store_put(&keeper->store, message);

	if (r == 0 || keeper->full_logged)
		return;
	keeper->full_logged = true;
	log_line("holds %zu things with %zu descriptors and refuses more (%s): what is refused "
		 "ends with the supervisor; raise the hard limit of open files (LimitNOFILE=)",
		keeper->store.n_keys, keeper->store.n_fds,
		r == -ENOSPC ? "its limit" : strerror(-r));
}

static void on_drop(struct keeper *keeper, const char *key)
{
	link_skip(&keeper->link, key);
	store_drop(&keeper->store, key);
}

/* What can run is started when the supervisor has left; else everything stays. */
static void follow_upgrade(struct keeper *keeper, int r)
{
	if (r == -EINPROGRESS)
		return;
	if (r == 0) {
		keeper->upgrading |= keeper->upgrade.keeper_wanted;
		keeper->leave_wanted = true;
		return;
	}
	log_line("is not replaced by what is installed, and goes on as it is: %s",
		keeper->upgrade.refusal);
	/* Whoever had it reload hears from the supervisor that it is ready again. */
	keeper->link.is_told[LINK_WATCH] = false;
}

static void on_message(struct keeper *keeper, struct keep_message *message)
{
	switch (message->verb) {
	case KEEP_PUT:
		on_put(keeper, message);
		break;
	case KEEP_UPDATE:
		/* What was refused when it was put is not there: that has been said. */
		(void)store_update(&keeper->store, message);
		break;
	case KEEP_DROP:
		on_drop(keeper, message->key);
		break;
	case KEEP_TAKE:
		link_answer(&keeper->link, &keeper->store);
		break;
	case KEEP_FINISH:
		keeper->finishing = true;
		keeper->exit_status = (int)message->number;
		break;
	case KEEP_UPGRADE:
		follow_upgrade(keeper,
			upgrade_begin(&keeper->upgrade, &keeper->store, true, monotonic_msec()));
		break;
	case KEEP_SERVING:
		life_serve(&keeper->life, monotonic_msec());
		break;
	case KEEP_NOTIFY:
		notify_say(&keeper->notify, message->bytes, monotonic_msec());
		break;
	case KEEP_ALIVE: /* as every message is */
		break;
	default:
		log_line("ignored a message that only a keeper sends (%d)", message->verb);
	}
}

static bool is_shortage(int error)
{
	return error == -ENOMEM || error == -EMFILE;
}

/* The message waits, and everything behind it. Its sender is not silent, whatever the watchdog
 * has heard of it. */
static void on_shortage(struct keeper *keeper, int error)
{
	if (!keeper->shortage_logged)
		log_line("cannot receive what inko-supervisor (pid %d) has said: %s; tries until "
			 "it can, and starts no other one before",
			(int)keeper->life.pid, strerror(-error));
	keeper->shortage_logged = true;
	watchdog_sign(&keeper->watchdog, monotonic_msec());
	(void)poll(NULL, 0, PAUSE_MSEC);
}

/* 1, 0 at the end, -EAGAIN when nothing is there, and a shortage. */
static int receive_one(struct keeper *keeper)
{
	struct keep_message message;
	int r = keep_receive(keeper->link.fd, &message);

	if (r == 1) {
		watchdog_sign(&keeper->watchdog, monotonic_msec());
		on_message(keeper, &message);
		keep_message_done(&message);
	} else if (r == -EBADMSG) {
		log_line("dropped an invalid message of inko-supervisor (pid %d)",
			(int)keeper->life.pid);
		r = 1;
	} else if (is_shortage(r)) {
		on_shortage(keeper, r);
	}
	return r;
}

/* All that was sent. False when it could not be received yet, and is to be tried again in another
 * turn, so that signals and the watchdog have theirs. */
static bool receive_all(struct keeper *keeper)
{
	int r = 1;

	while (keeper->link.fd >= 0 && r == 1)
		r = receive_one(keeper);
	return !is_shortage(r);
}

/* While the answer to KEEP_TAKE is on its way the supervisor only reads. */
static void on_link_input(struct keeper *keeper)
{
	int r = 1;

	for (int i = 0; i < RECEIVE_BUDGET && r == 1 && !keeper->link.taking; i++)
		r = receive_one(keeper);
	if (r == 1 || r == -EAGAIN || is_shortage(r))
		return;
	link_close(&keeper->link);
	/* It ends, or is no use without its link. */
	if (!keeper->finishing && !keeper->link.is_told[LINK_LEAVE])
		life_kill(&keeper->life);
}

static struct link_speech what_to_say(struct keeper *keeper)
{
	return (struct link_speech){
		.replaced = keeper->replaced,
		.is_wanted =
			{
				[LINK_WATCH] = notify_is_wanted(&keeper->notify),
				[LINK_STOP] = keeper->stop_wanted,
				[LINK_LEAVE] = keeper->leave_wanted,
			},
		.watch_msec = (uint32_t)keeper->watchdog.interval_msec,
		.refusal = keeper->upgrade.refusal,
	};
}

static bool has_output(struct keeper *keeper)
{
	const struct link_speech speech = what_to_say(keeper);

	return link_has_output(&keeper->link, &keeper->store, &speech);
}

static void flush(struct keeper *keeper)
{
	const struct link_speech speech = what_to_say(keeper);
	bool was_told = keeper->link.is_told[LINK_LEAVE];

	link_flush(&keeper->link, &keeper->store, &speech, monotonic_msec());
	if (keeper->link.is_told[LINK_LEAVE] && !was_told)
		log_line("told inko-supervisor (pid %d) to make room for the installed one",
			(int)keeper->life.pid);
}

static void start(struct keeper *keeper)
{
	int fd = -1;
	bool is_up = life_start(&keeper->life, keeper->lock_fd, monotonic_msec(), &fd);

	keeper->leave_wanted = false;
	keeper->full_logged = keeper->shortage_logged = false;
	/* For its first life only; see daemon/supervisor/holding.c. */
	(void)unsetenv("INKO_FAULT");
	if (!is_up)
		return;
	link_open(&keeper->link, &fd);
	watchdog_sign(&keeper->watchdog, monotonic_msec());
}

/* What it had said was received. */
static void on_supervisor_end(struct keeper *keeper, const siginfo_t *info)
{
	link_close(&keeper->link);
	watchdog_rest(&keeper->watchdog);
	if (keeper->finishing)
		life_done(&keeper->life);
	else
		life_end(&keeper->life, info, keeper->link.is_told[LINK_LEAVE], monotonic_msec());
}

static void check_supervisor(struct keeper *keeper)
{
	siginfo_t info;

	if (receive_all(keeper) && life_has_ended(&keeper->life, &info))
		on_supervisor_end(keeper, &info);
}

/* What the supervisor had to say of pid was received. */
static void reap(struct keeper *keeper, pid_t pid)
{
	siginfo_t info;

	if (upgrade_has_child(&keeper->upgrade, pid))
		follow_upgrade(keeper, upgrade_on_child(&keeper->upgrade, monotonic_msec()));
	else if (pid == keeper->life.pid && life_has_ended(&keeper->life, &info))
		on_supervisor_end(keeper, &info);
	else
		reap_child(&keeper->store, pid);
}

static void on_children(struct keeper *keeper)
{
	pid_t pid;

	keeper->children_wait = false;
	while ((pid = reap_find()) > 0) {
		/* The put of its pidfd, by a supervisor that has ended, may be still to be read. */
		keeper->children_wait = !receive_all(keeper);
		if (keeper->children_wait)
			return;
		reap(keeper, pid);
	}
}

/* The supervisor ends the service. Where none comes up that could, a second signal ends inkod
 * at least; the actors see that it is gone. */
static void on_stop_signal(struct keeper *keeper)
{
	if (keeper->stop_wanted && !keeper->link.taken && !keeper->finishing) {
		log_line("ends without its supervisor, which does not run");
		keeper->gave_up = true;
	}
	keeper->stop_wanted = true;
}

/* What a supervisor that does not run would have to keep is not left alone. */
static bool may_resign(const struct keeper *keeper)
{
	return keeper->resign_wanted && keeper->link.taken && keeper->life.serving_since_msec &&
	       keeper->link.fd >= 0 && !keeper->store.has_untold && !keeper->finishing &&
	       !keeper->leave_wanted;
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
	follow_upgrade(
		keeper, upgrade_begin(&keeper->upgrade, &keeper->store, true, monotonic_msec()));
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
	if (keeper->gave_up || may_resign(keeper))
		return true;
	if (keeper->life.pid > 0)
		return false;
	return keeper->finishing || (keeper->stop_wanted && is_empty(&keeper->store));
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static int timeout_msec(struct keeper *keeper)
{
	const struct link_speech speech = what_to_say(keeper);
	uint64_t now = monotonic_msec(), at;

	if (keeper->children_wait)
		return 0;
	at = earlier(life_due_msec(&keeper->life),
		link_due_msec(&keeper->link, &keeper->store, &speech, now));
	at = earlier(at, notify_due_msec(&keeper->notify));
	at = earlier(at, trial_due_msec(&keeper->upgrade.trial));
	at = earlier(at, watchdog_due_msec(&keeper->watchdog));
	if (at == UINT64_MAX)
		return -1;
	if (at <= now)
		return 0;
	return at - now < INT_MAX ? (int)(at - now) : INT_MAX;
}

/* Replacing this process by the installed program, in place: it keeps its number, its children, and
 * what it holds. */

static bool is_replaceable(struct keeper *keeper)
{
	return keeper->upgrading && keeper->life.serving_since_msec && keeper->link.taken &&
	       keeper->link.fd >= 0 && !keeper->leave_wanted && !keeper->finishing &&
	       !keeper->resign_wanted && !trial_is_under_way(&keeper->upgrade.trial) &&
	       !has_output(keeper);
}

static void replace(struct keeper *keeper)
{
	const struct carried carried = {
		.lock_fd = keeper->lock_fd,
		.link_fd = keeper->link.fd,
		.supervisor_fd = keeper->life.pidfd,
		.supervisor = keeper->life.pid,
		.stop_wanted = keeper->stop_wanted,
	};
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX] = "the installed inkod";
	int r = launch_find_own(path);

	keeper->upgrading = false;
	if (r == 0)
		r = carry_write(&carried, &keeper->store, &fd);
	if (r == 0)
		r = carry_execute(
			path, keeper->argv, &carried, &keeper->store, fd, keeper->replaced + 1);
	log_line("cannot be replaced by %s: %s; goes on as it is. Put the program there, then "
		 "'inkoctl upgrade'",
		path, strerror(-r));
}

static int go_on(struct keeper *keeper, int carried_fd)
{
	_cleanup_close_ int fd = carried_fd;
	struct carried carried;
	int r = carry_read(fd, &carried, &keeper->store);

	if (r < 0)
		return r;
	keeper->lock_fd = carried.lock_fd;
	keeper->life.pidfd = carried.supervisor_fd;
	keeper->life.pid = carried.supervisor;
	life_serve(&keeper->life, monotonic_msec());
	link_open(&keeper->link, &carried.link_fd);
	keeper->link.taken = true;
	keeper->stop_wanted = keeper->link.is_told[LINK_STOP] = carried.stop_wanted != 0;
	log_line("inkod " PACKAGE_VERSION " goes on with what inkod held");
	return 0;
}

static void complain_takeover(const struct keeper *keeper, int error)
{
	struct pollfd supervisor = {.fd = keeper->life.pidfd, .events = POLLIN};

	/* Of a process that ends its descriptors go first. */
	if (keeper->life.pidfd >= 0 && poll(&supervisor, 1, ENDING_MSEC) == 0)
		log_line("inko-supervisor (pid %d) did not hand over all that it has (%s), and "
			 "goes on without a keeper; start inkod again",
			(int)keeper->life.pid, strerror(-error));
	else
		log_line("the supervisor ended while it was taken over: what it had not handed "
			 "over yet is lost. Start inkod again, which begins anew");
}

/* Another keeper's supervisor. It is replaced when it is not the one that this keeper starts. */
static int take_over(struct keeper *keeper, int link_fd)
{
	char path[PATH_MAX];
	bool is_gone;
	int r;

	link_open(&keeper->link, &link_fd);
	is_gone = takeover_find_peer(keeper->link.fd, &keeper->life.pid, &keeper->life.pidfd) < 0;
	/* All that it sent is there, whatever became of it. */
	r = takeover_receive(keeper->link.fd, &keeper->store);
	if (r < 0) {
		complain_takeover(keeper, r);
		return -ECONNRESET;
	}
	log_line("took over %zu things from inko-supervisor, whose keeper had died",
		keeper->store.n_keys);
	if (is_gone) {
		link_close(&keeper->link);
		return 0;
	}
	keeper->link.taken = true;
	life_serve(&keeper->life, monotonic_msec());
	if (launch_find(path) == 0 && takeover_is_another(keeper->life.pid, path))
		follow_upgrade(keeper,
			upgrade_begin(&keeper->upgrade, &keeper->store, false, monotonic_msec()));
	return 0;
}

/* One that was stopped sees a signal only when it goes on. */
static void watch(struct keeper *keeper)
{
	uint64_t now = monotonic_msec();
	int number = watchdog_take_signal(&keeper->watchdog, now);

	if (watchdog_take_beat(&keeper->watchdog, now))
		notify_say(&keeper->notify, "WATCHDOG=1", now);
	notify_retry(&keeper->notify, now);
	if (!number)
		return;
	log_line("inko-supervisor (pid %d) gave no sign of life for %llu ms: sends it SIG%s",
		(int)keeper->life.pid, (unsigned long long)keeper->watchdog.interval_msec,
		sigabbrev_np(number));
	(void)pidfd_send_signal(keeper->life.pidfd, number, NULL, 0);
	(void)pidfd_send_signal(keeper->life.pidfd, SIGCONT, NULL, 0);
}

static void turn(struct keeper *keeper)
{
	const struct link_speech speech = what_to_say(keeper);
	short events = link_events(&keeper->link, &keeper->store, &speech, monotonic_msec());
	struct pollfd fds[] = {
		{.fd = keeper->signal_fd, .events = POLLIN},
		{.fd = keeper->link.fd, .events = events},
		{.fd = keeper->life.pidfd, .events = POLLIN},
	};

	if (poll(fds, 3, timeout_msec(keeper)) < 0 && errno != EINTR)
		abort();
	/* Before the signals, which may change the link. */
	if (fds[1].revents & (POLLHUP | POLLERR))
		keeper->link.taking = false;
	if (fds[1].revents & (POLLIN | POLLHUP | POLLERR))
		on_link_input(keeper);
	if (fds[2].revents)
		check_supervisor(keeper);
	if (fds[0].revents)
		on_signals(keeper);
	if (keeper->children_wait)
		on_children(keeper);
	trial_check(&keeper->upgrade.trial, monotonic_msec());
	watch(keeper);
	flush(keeper);
	if (is_replaceable(keeper))
		replace(keeper);
	if (!is_done(keeper) && life_is_due(&keeper->life, monotonic_msec()))
		start(keeper);
}

/* The supervisor of another keeper knows the sockets of that one. */
static void add_inherited(struct keeper *keeper, struct inherited inherited)
{
	bool is_news = keeper->link.fd >= 0 && inherited.n > 0;

	inherit_put(&inherited, &keeper->store);
	for (struct store_entry *entry = keeper->store.first; entry; entry = entry->next)
		entry->untold |= is_news && store_is_socket(entry);
	keeper->store.has_untold |= is_news;
}

static int begin(struct keeper *keeper, const struct keeper_start *start)
{
	int r;

	store_init(&keeper->store, STORE_KEYS_MAX, start->max_fds);
	if (start->carried_fd >= 0 && go_on(keeper, start->carried_fd) < 0)
		return -EPROTO;
	r = signal_mask_open(&keeper->signal_fd);
	if (r == 0 && start->link_fd >= 0)
		r = take_over(keeper, start->link_fd);
	add_inherited(keeper, start->inherited);
	notify_open(&keeper->notify);
	if (notify_is_wanted(&keeper->notify))
		watchdog_init(&keeper->watchdog, monotonic_msec());
	if (keeper->life.pid > 0)
		watchdog_sign(&keeper->watchdog, monotonic_msec());
	return r;
}

int keeper_run(struct keeper_start *start)
{
	struct keeper keeper = {
		.signal_fd = -1,
		.lock_fd = start->lock_fd,
		.argv = start->argv,
		.replaced = start->replaced,
		.notify = {.fd = -1},
	};
	int r;

	life_init(&keeper.life);
	link_init(&keeper.link);
	upgrade_init(&keeper.upgrade);
	r = begin(&keeper, start);
	while (r == 0 && !is_done(&keeper))
		turn(&keeper);
	if (keeper.gave_up)
		life_kill(&keeper.life);
	upgrade_done(&keeper.upgrade);
	start->exit_status = keeper.exit_status;
	store_done(&keeper.store);
	notify_close(&keeper.notify);
	link_close(&keeper.link);
	life_done(&keeper.life);
	descriptor_close(&keeper.signal_fd);
	if (r < 0 || !(keeper.gave_up || keeper.resign_wanted))
		return r;
	return keeper.gave_up ? -ECANCELED : KEEPER_LEFT;
}
