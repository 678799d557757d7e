/*
 * The keeper's loop: one poll over the signals and the link to the supervisor.
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
#include "daemon/keeper/log.h"
#include "daemon/keeper/notify.h"
#include "daemon/keeper/store.h"
#include "daemon/keeper/takeover.h"
#include "daemon/keeper/upgrade.h"
#include "daemon/keeper/watchdog.h"
#include "proto/descriptor.h"
#include "proto/monotonic.h"

#define RESTART_FIRST_MSEC 10
#define RESTART_MOST_MSEC 5000
/* A supervisor that served this long had started well: the next may start at once again. Measured
 * against the first pause and not the last, it does not fall behind when it is killed often. */
#define SERVED_WELL_MSEC (10 * RESTART_FIRST_MSEC)
/* So many that did not, one after the other, and somebody should do something about it. */
#define FAILURES_MAX 5

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

	pid_t supervisor;  /* 0 while it is down; never to be signalled by */
	int supervisor_fd; /* its pidfd */
	int link_fd;	   /* to it */
	uint64_t start_at_msec;
	uint64_t serving_since_msec; /* 0 until it says so */
	unsigned int delay_msec;
	unsigned int failures; /* of supervisors in a row that did not serve well */

	bool taking; /* the answer to KEEP_TAKE is being sent; next is what comes next in it */
	struct store_entry *next;
	bool taken;  /* it was, up to KEEP_END: the supervisor knows all */
	bool untold; /* of an entry: see there */
	uint64_t pause_until_msec;

	bool introduced;	       /* the supervisor knows who its keeper is */
	bool leave_wanted, leave_told; /* it shall make room for the installed one */
	bool upgrading;		       /* this process is replaced in place when that one serves */
	struct upgrade upgrade;	       /* what is tried before any of that */
	uint32_t replaced;	       /* how often that was done */

	bool watch_told; /* the supervisor knows that somebody wants to know how it is */
	bool stop_wanted, stop_told;
	bool resign_wanted;
	bool finishing; /* the supervisor said so: it is not started again */
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
	if (keeper->next && strcmp(keeper->next->key, key) == 0)
		keeper->next = keeper->next->next;
	store_drop(&keeper->store, key);
}

static void on_take(struct keeper *keeper)
{
	keeper->taking = true;
	keeper->taken = false;
	keeper->next = keeper->store.first;
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
	keeper->watch_told = false;
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
		on_take(keeper);
		break;
	case KEEP_FINISH:
		keeper->finishing = true;
		break;
	case KEEP_UPGRADE:
		follow_upgrade(keeper,
			upgrade_begin(&keeper->upgrade, &keeper->store, true, monotonic_msec()));
		break;
	case KEEP_SERVING:
		keeper->serving_since_msec = monotonic_msec();
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
			(int)keeper->supervisor, strerror(-error));
	keeper->shortage_logged = true;
	watchdog_sign(&keeper->watchdog, monotonic_msec());
	(void)poll(NULL, 0, PAUSE_MSEC);
}

/* 1, 0 at the end, -EAGAIN when nothing is there, and a shortage. */
static int receive_one(struct keeper *keeper)
{
	struct keep_message message;
	int r = keep_receive(keeper->link_fd, &message);

	if (r == 1) {
		watchdog_sign(&keeper->watchdog, monotonic_msec());
		on_message(keeper, &message);
		keep_message_done(&message);
	} else if (r == -EBADMSG) {
		log_line("dropped an invalid message of inko-supervisor (pid %d)",
			(int)keeper->supervisor);
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

	while (keeper->link_fd >= 0 && r == 1)
		r = receive_one(keeper);
	return !is_shortage(r);
}

static void close_link(struct keeper *keeper)
{
	descriptor_close(&keeper->link_fd);
	keeper->taking = false;
	keeper->taken = false;
	keeper->introduced = false;
	keeper->watch_told = false;
	keeper->next = NULL;
}

static void kill_supervisor(const struct keeper *keeper)
{
	if (keeper->supervisor_fd >= 0)
		(void)pidfd_send_signal(keeper->supervisor_fd, SIGKILL, NULL, 0);
}

/* While the answer to KEEP_TAKE is on its way the supervisor only reads. */
static void on_link_input(struct keeper *keeper)
{
	int r = 1;

	for (int i = 0; i < RECEIVE_BUDGET && r == 1 && !keeper->taking; i++)
		r = receive_one(keeper);
	if (r == 1 || r == -EAGAIN || is_shortage(r))
		return;
	close_link(keeper);
	/* It ends, or is no use without its link. */
	if (!keeper->finishing && !keeper->leave_told)
		kill_supervisor(keeper);
}

static int send_message(struct keeper *keeper, enum keep_verb verb, const struct store_entry *entry)
{
	struct keep_message message = {.verb = verb};

	if (entry) {
		message.number = entry->number;
		(void)stpcpy(message.key, entry->key);
	}
	if (verb == KEEP_WATCH)
		message.number = (uint32_t)keeper->watchdog.interval_msec;
	if (verb == KEEP_HELD) {
		message.bytes = entry->bytes;
		message.n_bytes = entry->n_bytes;
		message.passed.n_fds = entry->n_fds;
		memcpy(message.passed.fds, entry->fds, entry->n_fds * sizeof(int));
	}
	return keep_send(keeper->link_fd, &message, 0);
}

static int send_held(struct keeper *keeper)
{
	while (keeper->next) {
		struct store_entry *entry = keeper->next;
		int r = send_message(keeper, KEEP_HELD, entry);

		if (r < 0)
			return r;
		entry->untold = false;
		keeper->next = entry->next;
	}
	return send_message(keeper, KEEP_END, NULL);
}

static bool is_socket(const struct store_entry *entry)
{
	return strncmp(entry->key, KEEP_SOCKET, strlen(KEEP_SOCKET)) == 0;
}

static int send_untold(struct keeper *keeper)
{
	for (struct store_entry *entry = keeper->store.first; entry; entry = entry->next) {
		enum keep_verb verb = is_socket(entry) ? KEEP_HELD : KEEP_EXITED;
		int r = entry->untold ? send_message(keeper, verb, entry) : 0;

		if (r < 0)
			return r;
		entry->untold = false;
	}
	return 0;
}

/* Messages that say one thing, once in a supervisor's life. */
static int send_told(struct keeper *keeper, enum keep_verb verb, bool wanted, bool *told)
{
	int r = wanted && !*told ? send_message(keeper, verb, NULL) : 0;

	if (wanted && r == 0)
		*told = true;
	return r;
}

static int send_leave(struct keeper *keeper)
{
	bool was_told = keeper->leave_told;
	int r = send_told(keeper, KEEP_LEAVE, keeper->leave_wanted, &keeper->leave_told);

	if (keeper->leave_told && !was_told)
		log_line("told inko-supervisor (pid %d) to make room for the installed one",
			(int)keeper->supervisor);
	return r;
}

static int send_refusal(struct keeper *keeper)
{
	char *reason = keeper->upgrade.refusal;
	const struct keep_message message = {
		.verb = KEEP_STAY, .bytes = reason, .n_bytes = strlen(reason)};
	int r = *reason ? keep_send(keeper->link_fd, &message, 0) : 0;

	if (r == 0)
		*reason = '\0';
	return r;
}

static int send_introduction(struct keeper *keeper)
{
	char version[] = PACKAGE_VERSION;
	struct keep_message message = {.verb = KEEP_KEEPER,
		.number = keeper->replaced,
		.bytes = version,
		.n_bytes = strlen(version)};
	int r = keeper->introduced ? 0 : keep_send(keeper->link_fd, &message, 0);

	if (r == 0)
		keeper->introduced = true;
	return r;
}

static bool has_watch(const struct keeper *keeper)
{
	return !keeper->watch_told && notify_is_wanted(&keeper->notify);
}

static int send_news(struct keeper *keeper)
{
	int r = send_introduction(keeper);

	if (r == 0 && keeper->untold)
		r = send_untold(keeper);
	if (r < 0)
		return r;
	keeper->untold = false;
	r = send_told(keeper, KEEP_WATCH, notify_is_wanted(&keeper->notify), &keeper->watch_told);
	if (r == 0)
		r = send_told(keeper, KEEP_STOP, keeper->stop_wanted, &keeper->stop_told);
	if (r == 0)
		r = send_refusal(keeper);
	return r < 0 ? r : send_leave(keeper);
}

/* Each step leaves behind what it could not send. */
static int send_what_waits(struct keeper *keeper)
{
	if (keeper->taking) {
		int r = send_held(keeper);

		if (r < 0)
			return r;
		keeper->taking = false;
		keeper->taken = true;
	}
	return keeper->taken ? send_news(keeper) : 0;
}

static bool has_news(const struct keeper *keeper)
{
	return !keeper->introduced || keeper->untold || has_watch(keeper) ||
	       (keeper->stop_wanted && !keeper->stop_told) || *keeper->upgrade.refusal ||
	       (keeper->leave_wanted && !keeper->leave_told);
}

static bool has_output(const struct keeper *keeper)
{
	return keeper->link_fd >= 0 && (keeper->taking || (keeper->taken && has_news(keeper)));
}

static void flush(struct keeper *keeper)
{
	int r;

	if (!has_output(keeper) || monotonic_msec() < keeper->pause_until_msec)
		return;
	r = send_what_waits(keeper);
	/* EAGAIN: poll says when. EPIPE: what it had sent is read, up to the end. */
	if (r == -EPIPE)
		keeper->taking = keeper->taken = false;
	else if (r < 0 && r != -EAGAIN)
		keeper->pause_until_msec = monotonic_msec() + PAUSE_MSEC;
}

static void start_later(struct keeper *keeper)
{
	keeper->start_at_msec = monotonic_msec() + keeper->delay_msec;
	keeper->delay_msec *= 2;
	if (keeper->delay_msec > RESTART_MOST_MSEC)
		keeper->delay_msec = RESTART_MOST_MSEC;
}

/* Said at each of them; what can be done, once. */
static void count_failure(struct keeper *keeper)
{
	if (++keeper->failures == FAILURES_MAX)
		log_line("inko-supervisor has not come up %u times in a row: what runs goes on and "
			 "is held, but nothing is restarted and inkoctl gets no answer. Its own "
			 "lines above say why; install a build that works, which is then started "
			 "by itself",
			keeper->failures);
}

static void start(struct keeper *keeper)
{
	char path[PATH_MAX];
	int r;

	keeper->stop_told = false;
	keeper->leave_wanted = keeper->leave_told = false;
	keeper->full_logged = keeper->shortage_logged = false;
	keeper->serving_since_msec = 0;
	r = launch_find(path);
	if (r == 0)
		r = launch_start(path, keeper->lock_fd, &keeper->supervisor, &keeper->supervisor_fd,
			&keeper->link_fd);
	/* For its first life only; see daemon/supervisor/holding.c. */
	(void)unsetenv("INKO_FAULT");
	if (r == 0) {
		watchdog_sign(&keeper->watchdog, monotonic_msec());
		return;
	}
	log_line("cannot start inko-supervisor: %s; trying again in %u ms", strerror(-r),
		keeper->delay_msec);
	count_failure(keeper);
	start_later(keeper);
}

static void log_end(const struct keeper *keeper, const siginfo_t *info)
{
	const char *signal_name = sigabbrev_np(info->si_status);
	int pid = (int)keeper->supervisor;

	if (info->si_pid == 0)
		log_line("inko-supervisor (pid %d) ended; starting it again in %u ms", pid,
			keeper->delay_msec);
	else if (info->si_code == CLD_EXITED)
		log_line(
			"inko-supervisor (pid %d) exited with status %d; starting it again in %u ms",
			pid, info->si_status, keeper->delay_msec);
	else
		log_line("inko-supervisor (pid %d) was killed by SIG%s; starting it again in %u ms",
			pid, signal_name ? signal_name : "RT", keeper->delay_msec);
}

static bool served_well(const struct keeper *keeper)
{
	return keeper->serving_since_msec &&
	       monotonic_msec() - keeper->serving_since_msec >= SERVED_WELL_MSEC;
}

/* Did it end because it was told to make room? How one ended that was taken over is not known. */
static bool has_left(const struct keeper *keeper, const siginfo_t *info)
{
	return keeper->leave_told &&
	       (info->si_pid == 0 || (info->si_code == CLD_EXITED && info->si_status == 0));
}

/* What it had said was received. info is zero when it was nobody's child of ours. */
static void on_supervisor_end(struct keeper *keeper, const siginfo_t *info)
{
	bool left = has_left(keeper, info);

	if (left || served_well(keeper)) {
		keeper->delay_msec = RESTART_FIRST_MSEC;
		keeper->failures = 0;
	}
	close_link(keeper);
	descriptor_close(&keeper->supervisor_fd);
	watchdog_rest(&keeper->watchdog);
	if (keeper->finishing) {
		keeper->supervisor = 0;
		return;
	}
	if (left)
		log_line("inko-supervisor (pid %d) made room for the installed one",
			(int)keeper->supervisor);
	else
		log_end(keeper, info);
	if (!left && !served_well(keeper))
		count_failure(keeper);
	keeper->supervisor = 0;
	start_later(keeper);
}

/* One that was taken over is no child of this process: its pidfd is all there is. */
static void check_supervisor(struct keeper *keeper)
{
	siginfo_t info = {0};

	if (!receive_all(keeper))
		return;
	if (waitid(P_PIDFD, (id_t)keeper->supervisor_fd, &info, WEXITED | WNOHANG) == 0 &&
		info.si_pid == 0)
		return;
	on_supervisor_end(keeper, &info);
}

/* Reaps pid through the pidfd that is held for it: a number alone may be another process's by
 * now. False when none is held. */
static bool reap_held(struct keeper *keeper, pid_t pid)
{
	struct store_entry *entry = NULL;

	while ((entry = store_find_pid(&keeper->store, entry, pid))) {
		siginfo_t info = {0};

		if (waitid(P_PIDFD, (id_t)entry->fds[0], &info, WEXITED | WNOHANG) < 0 ||
			info.si_pid == 0)
			continue;
		entry->number = KEEP_STATUS_KNOWN | (uint32_t)info.si_code << 8 |
				((uint32_t)info.si_status & 0xff);
		entry->untold = true;
		keeper->untold = true;
		return true;
	}
	return false;
}

/* What the supervisor had to say of pid was received. */
static void reap(struct keeper *keeper, pid_t pid)
{
	siginfo_t info = {0};

	if (upgrade_has_child(&keeper->upgrade, pid)) {
		follow_upgrade(keeper, upgrade_on_child(&keeper->upgrade, monotonic_msec()));
		return;
	}
	if (pid == keeper->supervisor &&
		waitid(P_PIDFD, (id_t)keeper->supervisor_fd, &info, WEXITED | WNOHANG) == 0) {
		on_supervisor_end(keeper, &info);
		return;
	}
	if (!reap_held(keeper, pid))
		(void)waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG);
}

/* Orphans come here because the keeper is their subreaper: actors of an earlier supervisor, and
 * what actors left behind. */
static void on_children(struct keeper *keeper)
{
	for (;;) {
		siginfo_t info = {0};

		keeper->children_wait = false;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
			return;
		/* The put of its pidfd, by a supervisor that has ended, may be still to be read. */
		keeper->children_wait = !receive_all(keeper);
		if (keeper->children_wait)
			return;
		reap(keeper, info.si_pid);
	}
}

/* The supervisor ends the service. Where none comes up that could, a second signal ends inkod
 * at least; the actors see that it is gone. */
static void on_stop_signal(struct keeper *keeper)
{
	if (keeper->stop_wanted && !keeper->taken && !keeper->finishing) {
		log_line("ends without its supervisor, which does not run");
		keeper->gave_up = true;
	}
	keeper->stop_wanted = true;
}

/* What a supervisor that does not run would have to keep is not left alone. */
static bool may_resign(const struct keeper *keeper)
{
	return keeper->resign_wanted && keeper->taken && keeper->serving_since_msec &&
	       keeper->link_fd >= 0 && !keeper->untold && !keeper->finishing &&
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

static int open_signals(struct keeper *keeper)
{
	sigset_t mask;

	/* A log that nobody reads is no reason to end. */
	(void)signal(SIGPIPE, SIG_IGN);
	/* Were it ignored, children would leave no status. */
	(void)signal(SIGCHLD, SIG_DFL);
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGCHLD);
	(void)sigaddset(&mask, SIGTERM);
	(void)sigaddset(&mask, SIGINT);
	(void)sigaddset(&mask, SIGHUP);
	(void)sigaddset(&mask, SIGUSR1);
	(void)sigprocmask(SIG_SETMASK, &mask, NULL);
	keeper->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	return keeper->signal_fd < 0 ? -errno : 0;
}

/* Is nothing held but what it was given? */
static bool is_empty(const struct store *store)
{
	for (const struct store_entry *entry = store->first; entry; entry = entry->next)
		if (!is_socket(entry))
			return false;
	return true;
}

static bool is_done(const struct keeper *keeper)
{
	if (keeper->gave_up || may_resign(keeper))
		return true;
	if (keeper->supervisor > 0)
		return false;
	return keeper->finishing || (keeper->stop_wanted && is_empty(&keeper->store));
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static int timeout_msec(const struct keeper *keeper)
{
	uint64_t now = monotonic_msec(), at = UINT64_MAX;

	if (keeper->children_wait)
		return 0;
	if (keeper->supervisor == 0)
		at = keeper->start_at_msec;
	else if (has_output(keeper) && keeper->pause_until_msec > now)
		at = keeper->pause_until_msec;
	at = earlier(at, notify_due_msec(&keeper->notify));
	at = earlier(at, trial_due_msec(&keeper->upgrade.trial));
	at = earlier(at, watchdog_due_msec(&keeper->watchdog));
	if (at == UINT64_MAX)
		return -1;
	if (at <= now)
		return 0;
	return at - now < INT_MAX ? (int)(at - now) : INT_MAX;
}

static short link_events(const struct keeper *keeper)
{
	short events = keeper->taking ? 0 : POLLIN;

	if (has_output(keeper) && keeper->pause_until_msec <= monotonic_msec())
		events |= POLLOUT;
	return events;
}

/* Replacing this process by the installed program, in place: it keeps its number, its children, and
 * what it holds. */

static bool is_replaceable(const struct keeper *keeper)
{
	return keeper->upgrading && keeper->serving_since_msec && keeper->taken &&
	       keeper->link_fd >= 0 && !keeper->leave_wanted && !keeper->finishing &&
	       !keeper->resign_wanted && !has_output(keeper);
}

static void replace(struct keeper *keeper)
{
	const struct carried carried = {
		.lock_fd = keeper->lock_fd,
		.link_fd = keeper->link_fd,
		.supervisor_fd = keeper->supervisor_fd,
		.supervisor = keeper->supervisor,
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
	keeper->link_fd = carried.link_fd;
	keeper->supervisor_fd = carried.supervisor_fd;
	keeper->supervisor = carried.supervisor;
	keeper->stop_wanted = keeper->stop_told = carried.stop_wanted != 0;
	keeper->taken = true;
	keeper->serving_since_msec = monotonic_msec();
	for (struct store_entry *entry = keeper->store.first; entry; entry = entry->next)
		keeper->untold |= entry->untold;
	log_line("inkod " PACKAGE_VERSION " goes on with what inkod held");
	return 0;
}

static void complain_takeover(const struct keeper *keeper, int error)
{
	struct pollfd supervisor = {.fd = keeper->supervisor_fd, .events = POLLIN};

	/* Of a process that ends its descriptors go first. */
	if (keeper->supervisor_fd >= 0 && poll(&supervisor, 1, ENDING_MSEC) == 0)
		log_line("inko-supervisor (pid %d) did not hand over all that it has (%s), and "
			 "goes on without a keeper; start inkod again",
			(int)keeper->supervisor, strerror(-error));
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

	keeper->link_fd = link_fd;
	is_gone = takeover_find_peer(link_fd, &keeper->supervisor, &keeper->supervisor_fd) < 0;
	/* All that it sent is there, whatever became of it. */
	r = takeover_receive(link_fd, &keeper->store);
	if (r < 0) {
		complain_takeover(keeper, r);
		return -ECONNRESET;
	}
	log_line("took over %zu things from inko-supervisor, whose keeper had died",
		keeper->store.n_keys);
	if (is_gone) {
		close_link(keeper);
		return 0;
	}
	keeper->taken = true;
	keeper->serving_since_msec = monotonic_msec();
	if (launch_find(path) == 0 && takeover_is_another(keeper->supervisor, path))
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
		(int)keeper->supervisor, (unsigned long long)keeper->watchdog.interval_msec,
		sigabbrev_np(number));
	(void)pidfd_send_signal(keeper->supervisor_fd, number, NULL, 0);
	(void)pidfd_send_signal(keeper->supervisor_fd, SIGCONT, NULL, 0);
}

static void turn(struct keeper *keeper)
{
	struct pollfd fds[] = {
		{.fd = keeper->signal_fd, .events = POLLIN},
		{.fd = keeper->link_fd, .events = link_events(keeper)},
		{.fd = keeper->supervisor_fd, .events = POLLIN},
	};

	if (poll(fds, 3, timeout_msec(keeper)) < 0 && errno != EINTR)
		abort();
	/* Before the signals, which may change the link. */
	if (fds[1].revents & (POLLHUP | POLLERR))
		keeper->taking = false;
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
	if (!is_done(keeper) && keeper->supervisor == 0 &&
		monotonic_msec() >= keeper->start_at_msec)
		start(keeper);
}

/* The supervisor of another keeper knows the sockets of that one. */
static void add_inherited(struct keeper *keeper, struct inherited inherited)
{
	bool is_news = keeper->link_fd >= 0 && inherited.n > 0;

	inherit_put(&inherited, &keeper->store);
	for (struct store_entry *entry = keeper->store.first; entry; entry = entry->next)
		entry->untold |= is_news && is_socket(entry);
	keeper->untold |= is_news;
}

static int begin(struct keeper *keeper, const struct keeper_start *start)
{
	int r;

	store_init(&keeper->store, STORE_KEYS_MAX, start->max_fds);
	if (start->carried_fd >= 0 && go_on(keeper, start->carried_fd) < 0)
		return -EPROTO;
	r = open_signals(keeper);
	if (r == 0 && start->link_fd >= 0)
		r = take_over(keeper, start->link_fd);
	add_inherited(keeper, start->inherited);
	notify_open(&keeper->notify);
	if (notify_is_wanted(&keeper->notify))
		watchdog_init(&keeper->watchdog, monotonic_msec());
	if (keeper->supervisor > 0)
		watchdog_sign(&keeper->watchdog, monotonic_msec());
	return r;
}

int keeper_run(const struct keeper_start *start)
{
	struct keeper keeper = {
		.signal_fd = -1,
		.lock_fd = start->lock_fd,
		.argv = start->argv,
		.replaced = start->replaced,
		.supervisor_fd = -1,
		.link_fd = -1,
		.notify = {.fd = -1},
		.delay_msec = RESTART_FIRST_MSEC,
	};
	int r;

	upgrade_init(&keeper.upgrade);
	r = begin(&keeper, start);
	while (r == 0 && !is_done(&keeper))
		turn(&keeper);
	if (keeper.gave_up)
		kill_supervisor(&keeper);
	upgrade_done(&keeper.upgrade);
	store_done(&keeper.store);
	notify_close(&keeper.notify);
	descriptor_close(&keeper.link_fd);
	descriptor_close(&keeper.supervisor_fd);
	descriptor_close(&keeper.signal_fd);
	if (r < 0 || !(keeper.gave_up || keeper.resign_wanted))
		return r;
	return keeper.gave_up ? -ECANCELED : KEEPER_LEFT;
}
