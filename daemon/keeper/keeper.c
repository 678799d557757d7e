/*
 * The keeper's loop: one poll over the signals and the link to the supervisor.
 */

#include "daemon/keeper/keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/keeper/launch.h"
#include "daemon/keeper/log.h"
#include "daemon/keeper/store.h"
#include "proto/descriptor.h"

#define RESTART_FIRST_MSEC 10
#define RESTART_MOST_MSEC 5000
/* A supervisor that lived this long had started well: the next may start at once again. */
#define LIVED_WELL_MSEC 10000

/* Between tries where the kernel has no event for when it will do. */
#define PAUSE_MSEC 10

/* Messages in turn, before signals are looked at again. */
#define RECEIVE_BUDGET 64

struct keeper {
	struct store store;
	int signal_fd, lock_fd;

	pid_t supervisor; /* 0 while it is down */
	int link_fd;	  /* to it */
	uint64_t started_msec, start_at_msec;
	unsigned int delay_msec;

	bool taking; /* the answer to KEEP_TAKE is being sent; next is what comes next in it */
	struct store_entry *next;
	bool taken;  /* it was, up to KEEP_END: the supervisor knows all */
	bool untold; /* of an entry: see there */
	uint64_t pause_until_msec;

	bool stop_wanted, stop_told;
	bool finishing; /* the supervisor said so: it is not started again */
	bool gave_up;
	bool full_logged;
};

static uint64_t now_msec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

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
	default:
		log_line("ignored a message that only a keeper sends (%d)", message->verb);
	}
}

/* 1, 0 at the end, -EAGAIN when nothing is there. */
static int receive_one(struct keeper *keeper)
{
	struct keep_message message;
	int r = keep_receive(keeper->link_fd, &message);

	if (r == 1) {
		on_message(keeper, &message);
		keep_message_done(&message);
	} else if (r == -EBADMSG) {
		log_line("dropped an invalid message of inko-supervisor (pid %d)",
			(int)keeper->supervisor);
		r = 1;
	} else if (r == -ENOMEM || r == -EMFILE) {
		/* The message waits; everything behind it is later. */
		(void)poll(NULL, 0, PAUSE_MSEC);
		r = 1;
	}
	return r;
}

/* All that was sent, which ends, as its sender has. */
static void receive_all(struct keeper *keeper)
{
	while (keeper->link_fd >= 0 && receive_one(keeper) == 1)
		;
}

static void close_link(struct keeper *keeper)
{
	descriptor_close(&keeper->link_fd);
	keeper->taking = false;
	keeper->taken = false;
	keeper->next = NULL;
}

/* While the answer to KEEP_TAKE is on its way the supervisor only reads. */
static void on_link_input(struct keeper *keeper)
{
	int r = 1;

	for (int i = 0; i < RECEIVE_BUDGET && r == 1 && !keeper->taking; i++)
		r = receive_one(keeper);
	if (r == 1 || r == -EAGAIN)
		return;
	close_link(keeper);
	/* It ends, or is no use without its link. */
	if (keeper->supervisor > 0 && !keeper->finishing)
		(void)kill(keeper->supervisor, SIGKILL);
}

static int send_message(struct keeper *keeper, enum keep_verb verb, const struct store_entry *entry)
{
	struct keep_message message = {.verb = verb};

	if (entry) {
		message.number = entry->number;
		(void)stpcpy(message.key, entry->key);
	}
	if (verb == KEEP_HELD) {
		message.bytes = entry->bytes;
		message.n_bytes = entry->n_bytes;
		message.passed.n_fds = entry->n_fds;
		memcpy(message.passed.fds, entry->fds, entry->n_fds * sizeof(int));
	}
	return keep_send(keeper->link_fd, &message, false);
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

static int send_exited(struct keeper *keeper)
{
	for (struct store_entry *entry = keeper->store.first; entry; entry = entry->next) {
		int r = entry->untold ? send_message(keeper, KEEP_EXITED, entry) : 0;

		if (r < 0)
			return r;
		entry->untold = false;
	}
	return 0;
}

/* Each step leaves behind what it could not send. */
static int send_what_waits(struct keeper *keeper)
{
	int r = 0;

	if (keeper->taking) {
		r = send_held(keeper);
		if (r < 0)
			return r;
		keeper->taking = false;
		keeper->taken = true;
	}
	if (keeper->taken && keeper->untold) {
		r = send_exited(keeper);
		if (r < 0)
			return r;
		keeper->untold = false;
	}
	if (keeper->taken && keeper->stop_wanted && !keeper->stop_told) {
		r = send_message(keeper, KEEP_STOP, NULL);
		keeper->stop_told = r == 0;
	}
	return r;
}

static bool has_output(const struct keeper *keeper)
{
	if (keeper->link_fd < 0)
		return false;
	return keeper->taking ||
	       (keeper->taken && (keeper->untold || (keeper->stop_wanted && !keeper->stop_told)));
}

static void flush(struct keeper *keeper)
{
	int r;

	if (!has_output(keeper) || now_msec() < keeper->pause_until_msec)
		return;
	r = send_what_waits(keeper);
	/* EAGAIN: poll says when. EPIPE: what it had sent is read, up to the end. */
	if (r == -EPIPE)
		keeper->taking = keeper->taken = false;
	else if (r < 0 && r != -EAGAIN)
		keeper->pause_until_msec = now_msec() + PAUSE_MSEC;
}

static void start_later(struct keeper *keeper)
{
	keeper->start_at_msec = now_msec() + keeper->delay_msec;
	keeper->delay_msec *= 2;
	if (keeper->delay_msec > RESTART_MOST_MSEC)
		keeper->delay_msec = RESTART_MOST_MSEC;
}

static void start(struct keeper *keeper)
{
	char path[PATH_MAX];
	int r;

	keeper->started_msec = now_msec();
	keeper->stop_told = false;
	keeper->full_logged = false;
	r = launch_find(path);
	if (r == 0)
		r = launch_start(path, keeper->lock_fd, &keeper->supervisor, &keeper->link_fd);
	if (r == 0)
		return;
	log_line("cannot start inko-supervisor: %s; trying again in %u ms", strerror(-r),
		keeper->delay_msec);
	start_later(keeper);
}

static void log_end(const struct keeper *keeper, const siginfo_t *info)
{
	const char *signal_name = sigabbrev_np(info->si_status);

	if (info->si_code == CLD_EXITED)
		log_line(
			"inko-supervisor (pid %d) exited with status %d; starting it again in %u ms",
			(int)info->si_pid, info->si_status, keeper->delay_msec);
	else
		log_line("inko-supervisor (pid %d) was killed by SIG%s; starting it again in %u ms",
			(int)info->si_pid, signal_name ? signal_name : "RT", keeper->delay_msec);
}

static void on_supervisor_end(struct keeper *keeper, const siginfo_t *info)
{
	receive_all(keeper);
	close_link(keeper);
	keeper->supervisor = 0;
	if (keeper->finishing)
		return;
	if (now_msec() - keeper->started_msec >= LIVED_WELL_MSEC)
		keeper->delay_msec = RESTART_FIRST_MSEC;
	log_end(keeper, info);
	start_later(keeper);
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

static void reap(struct keeper *keeper, pid_t pid)
{
	siginfo_t info = {0};

	/* The put of its pidfd, by a supervisor that has ended, may be still to be read. */
	if (pid != keeper->supervisor) {
		receive_all(keeper);
		if (reap_held(keeper, pid))
			return;
	}
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) < 0)
		return;
	if (pid == keeper->supervisor)
		on_supervisor_end(keeper, &info);
}

/* Orphans come here because the keeper is their subreaper: actors of an earlier supervisor, and
 * what actors left behind. */
static void on_children(struct keeper *keeper)
{
	for (;;) {
		siginfo_t info = {0};

		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
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

static void on_signals(struct keeper *keeper)
{
	struct signalfd_siginfo info;

	while (read(keeper->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			on_children(keeper);
		else
			on_stop_signal(keeper);
	}
}

static int open_signals(struct keeper *keeper)
{
	sigset_t mask;

	/* A terminal that goes, and a log that nobody reads, are no reason to end. */
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	/* Were it ignored, children would leave no status. */
	(void)signal(SIGCHLD, SIG_DFL);
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGCHLD);
	(void)sigaddset(&mask, SIGTERM);
	(void)sigaddset(&mask, SIGINT);
	(void)sigprocmask(SIG_SETMASK, &mask, NULL);
	keeper->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	return keeper->signal_fd < 0 ? -errno : 0;
}

static bool is_done(const struct keeper *keeper)
{
	if (keeper->gave_up)
		return true;
	if (keeper->supervisor > 0)
		return false;
	return keeper->finishing || (keeper->stop_wanted && keeper->store.n_keys == 0);
}

static int timeout_msec(const struct keeper *keeper)
{
	uint64_t now = now_msec(), at = UINT64_MAX;

	if (keeper->supervisor == 0)
		at = keeper->start_at_msec;
	else if (has_output(keeper) && keeper->pause_until_msec > now)
		at = keeper->pause_until_msec;
	if (at == UINT64_MAX)
		return -1;
	return at > now ? (int)(at - now) : 0;
}

static short link_events(const struct keeper *keeper)
{
	short events = keeper->taking ? 0 : POLLIN;

	if (has_output(keeper) && keeper->pause_until_msec <= now_msec())
		events |= POLLOUT;
	return events;
}

static void turn(struct keeper *keeper)
{
	struct pollfd fds[] = {
		{.fd = keeper->signal_fd, .events = POLLIN},
		{.fd = keeper->link_fd, .events = link_events(keeper)},
	};

	if (poll(fds, 2, timeout_msec(keeper)) < 0 && errno != EINTR)
		abort();
	/* Before the signals, which may change the link. */
	if (fds[1].revents & (POLLHUP | POLLERR))
		keeper->taking = false;
	if (fds[1].revents & (POLLIN | POLLHUP | POLLERR))
		on_link_input(keeper);
	if (fds[0].revents)
		on_signals(keeper);
	flush(keeper);
	if (!is_done(keeper) && keeper->supervisor == 0 && now_msec() >= keeper->start_at_msec)
		start(keeper);
}

int keeper_run(size_t max_fds, int lock_fd)
{
	struct keeper keeper = {
		.signal_fd = -1,
		.lock_fd = lock_fd,
		.link_fd = -1,
		.delay_msec = RESTART_FIRST_MSEC,
	};
	int r;

	r = open_signals(&keeper);
	if (r < 0)
		return r;
	store_init(&keeper.store, STORE_KEYS_MAX, max_fds);
	while (!is_done(&keeper))
		turn(&keeper);
	if (keeper.gave_up && keeper.supervisor > 0)
		(void)kill(keeper.supervisor, SIGKILL);
	store_done(&keeper.store);
	descriptor_close(&keeper.link_fd);
	descriptor_close(&keeper.signal_fd);
	return keeper.gave_up ? -ECANCELED : 0;
}
