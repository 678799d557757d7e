#include "daemon/keeper/supervision.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>

#include "daemon/keeper/launch.h"
#include "daemon/keeper/log.h"
#include "daemon/keeper/reap.h"
#include "daemon/keeper/takeover.h"
#include "proto/descriptor.h"
#include "proto/monotonic.h"
#include "proto/shortage.h"

/* Between tries where the kernel has no event for when it will do. */
#define PAUSE_MSEC 10

/* Messages in turn, before signals are looked at again. */
#define RECEIVE_BUDGET 64

void supervision_init(struct supervision *supervision, struct store *store, struct notify *notify)
{
	*supervision = (struct supervision){.store = store, .notify = notify, .lock_fd = -1};
	life_init(&supervision->life);
	link_init(&supervision->link);
	upgrade_init(&supervision->upgrade);
}

void supervision_done(struct supervision *supervision)
{
	upgrade_done(&supervision->upgrade);
	link_close(&supervision->link);
	life_done(&supervision->life);
}

bool supervision_is_settled(const struct supervision *supervision)
{
	return supervision->life.serving_since_msec && supervision->link.taken &&
	       supervision->link.fd >= 0 && !supervision->finishing && !supervision->leave_wanted;
}

/* What can run is started when the supervisor has left; else everything stays. */
static void follow_upgrade(struct supervision *supervision, int r)
{
	if (r == -EINPROGRESS)
		return;
	if (r == 0) {
		supervision->replacement_wanted |= supervision->upgrade.keeper_wanted;
		supervision->leave_wanted = true;
		return;
	}
	log_line("is not replaced by what is installed, and goes on as it is: %s",
		supervision->upgrade.refusal);
	/* Whoever had it reload hears from the supervisor that it is ready again. */
	supervision->link.is_told[LINK_WATCH] = false;
}

void supervision_upgrade(struct supervision *supervision, bool keeper)
{
	follow_upgrade(supervision,
		upgrade_begin(&supervision->upgrade, supervision->store, keeper, monotonic_msec()));
}

/* What it says. */

static void on_put(struct supervision *supervision, struct keep_message *message)
{
	int r = store_put(supervision->store, message);

	if (r == 0 || supervision->full_logged)
		return;
	supervision->full_logged = true;
	log_line("holds %zu things with %zu descriptors and refuses more (%s): what is refused "
		 "ends with the supervisor; raise the hard limit of open files (LimitNOFILE=)",
		supervision->store->n_keys, supervision->store->n_fds,
		r == -ENOSPC ? "its limit" : strerror(-r));
}

static void on_drop(struct supervision *supervision, const char *key)
{
	link_skip(&supervision->link, key);
	store_drop(supervision->store, key);
}

static void on_message(struct supervision *supervision, struct keep_message *message)
{
	switch (message->verb) {
	case KEEP_PUT:
		on_put(supervision, message);
		break;
	case KEEP_UPDATE:
		/* What was refused when it was put is not there: that has been said. */
		(void)store_update(supervision->store, message);
		break;
	case KEEP_DROP:
		on_drop(supervision, message->key);
		break;
	case KEEP_TAKE:
		link_answer(&supervision->link, supervision->store);
		break;
	case KEEP_FINISH:
		supervision->finishing = true;
		supervision->exit_status = (int)message->number;
		break;
	case KEEP_UPGRADE:
		supervision_upgrade(supervision, true);
		break;
	case KEEP_SERVING:
		life_serve(&supervision->life, monotonic_msec());
		break;
	case KEEP_NOTIFY:
		notify_say(supervision->notify, message->bytes, monotonic_msec());
		break;
	case KEEP_ALIVE: /* as every message is */
		break;
	default:
		log_line("ignored a message that only a keeper sends (%d)", message->verb);
	}
}

/* The message waits, and everything behind it. Its sender is not silent, whatever the watchdog
 * has heard of it. */
static void on_shortage(struct supervision *supervision, int error)
{
	if (!supervision->shortage_logged)
		log_line("cannot receive what inko-supervisor (pid %d) has said: %s; tries until "
			 "it can, and starts no other one before",
			(int)supervision->life.pid, strerror(-error));
	supervision->shortage_logged = true;
	watchdog_sign(&supervision->watchdog, monotonic_msec());
	(void)poll(NULL, 0, PAUSE_MSEC);
}

/* 1, 0 at the end, -EAGAIN when nothing is there, and a shortage. */
static int receive_one(struct supervision *supervision)
{
	struct keep_message message;
	int r = keep_receive(supervision->link.fd, &message);

	if (r == 1) {
		watchdog_sign(&supervision->watchdog, monotonic_msec());
		on_message(supervision, &message);
		keep_message_done(&message);
	} else if (r == -EBADMSG) {
		log_line("dropped an invalid message of inko-supervisor (pid %d)",
			(int)supervision->life.pid);
		r = 1;
	} else if (shortage_is(r)) {
		on_shortage(supervision, r);
	}
	return r;
}

bool supervision_receive(struct supervision *supervision)
{
	int r = 1;

	while (supervision->link.fd >= 0 && r == 1)
		r = receive_one(supervision);
	return !shortage_is(r);
}

/* While the answer to KEEP_TAKE is on its way the supervisor only reads. */
static void on_link_input(struct supervision *supervision)
{
	int r = 1;

	for (int i = 0; i < RECEIVE_BUDGET && r == 1 && !supervision->link.taking; i++)
		r = receive_one(supervision);
	if (r == 1 || r == -EAGAIN || shortage_is(r))
		return;
	link_close(&supervision->link);
	/* It ends, or is no use without its link. */
	if (!supervision->finishing && !supervision->link.is_told[LINK_LEAVE])
		life_kill(&supervision->life);
}

void supervision_on_link(struct supervision *supervision, short events)
{
	if (events & (POLLHUP | POLLERR))
		supervision->link.taking = false;
	if (events & (POLLIN | POLLHUP | POLLERR))
		on_link_input(supervision);
}

/* What it is told. */

static struct link_speech what_to_say(struct supervision *supervision)
{
	return (struct link_speech){
		.replaced = supervision->keeper_replaced,
		.is_wanted =
			{
				[LINK_WATCH] = notify_is_wanted(supervision->notify),
				[LINK_STOP] = supervision->stop_wanted,
				[LINK_LEAVE] = supervision->leave_wanted,
			},
		.watch_msec = (uint32_t)supervision->watchdog.interval_msec,
		.refusal = supervision->upgrade.refusal,
	};
}

bool supervision_has_output(struct supervision *supervision)
{
	const struct link_speech speech = what_to_say(supervision);

	return link_has_output(&supervision->link, supervision->store, &speech);
}

static void flush(struct supervision *supervision)
{
	const struct link_speech speech = what_to_say(supervision);
	bool was_told = supervision->link.is_told[LINK_LEAVE];

	link_flush(&supervision->link, supervision->store, &speech, monotonic_msec());
	if (supervision->link.is_told[LINK_LEAVE] && !was_told)
		log_line("told inko-supervisor (pid %d) to make room for the installed one",
			(int)supervision->life.pid);
}

short supervision_events(struct supervision *supervision)
{
	const struct link_speech speech = what_to_say(supervision);

	return link_events(&supervision->link, supervision->store, &speech, monotonic_msec());
}

/* How it comes and goes. */

void supervision_start(struct supervision *supervision)
{
	int fd = -1;
	bool is_up = life_start(&supervision->life, supervision->lock_fd, monotonic_msec(), &fd);

	supervision->leave_wanted = false;
	supervision->full_logged = supervision->shortage_logged = false;
	/* For its first life only; see daemon/supervisor/holding.c. */
	(void)unsetenv("INKO_FAULT");
	if (!is_up)
		return;
	link_open(&supervision->link, &fd);
	watchdog_sign(&supervision->watchdog, monotonic_msec());
}

/* What it had said was received. */
static void on_end(struct supervision *supervision, const siginfo_t *info)
{
	link_close(&supervision->link);
	watchdog_rest(&supervision->watchdog);
	if (supervision->finishing)
		life_done(&supervision->life);
	else
		life_end(&supervision->life, info, supervision->link.is_told[LINK_LEAVE],
			monotonic_msec());
}

void supervision_check(struct supervision *supervision)
{
	siginfo_t info;

	if (supervision_receive(supervision) && life_has_ended(&supervision->life, &info))
		on_end(supervision, &info);
}

void supervision_reap(struct supervision *supervision, pid_t pid)
{
	siginfo_t info;

	if (upgrade_has_child(&supervision->upgrade, pid))
		follow_upgrade(
			supervision, upgrade_on_child(&supervision->upgrade, monotonic_msec()));
	else if (pid == supervision->life.pid && life_has_ended(&supervision->life, &info))
		on_end(supervision, &info);
	else
		reap_child(supervision->store, pid);
}

int supervision_take_over(struct supervision *supervision, int link_fd)
{
	struct life *life = &supervision->life;
	char path[PATH_MAX];
	bool is_gone;
	int r;

	link_open(&supervision->link, &link_fd);
	r = takeover_find_peer(supervision->link.fd, &life->pid, &life->pidfd);
	is_gone = r == -ESRCH || r == -ECONNRESET;
	if (r < 0 && !is_gone)
		return -ECONNRESET;
	/* All that it sent is there, whatever became of it. */
	r = takeover_receive(supervision->link.fd, supervision->store);
	if (r < 0) {
		takeover_complain(life->pid, life->pidfd, r);
		return -ECONNRESET;
	}
	log_line("took over %zu things from inko-supervisor, whose keeper had died",
		supervision->store->n_keys);
	if (is_gone) {
		log_line("inko-supervisor ended when it had given all; starting it again at once");
		link_close(&supervision->link);
		return 0;
	}
	supervision->link.taken = true;
	life_serve(life, monotonic_msec());
	if (launch_find(path) == 0 && takeover_is_another(life->pid, path))
		supervision_upgrade(supervision, false);
	return 0;
}

void supervision_go_on(
	struct supervision *supervision, pid_t pid, int *take_pidfd, int *take_link_fd)
{
	supervision->life.pid = pid;
	supervision->life.pidfd = descriptor_take(take_pidfd);
	life_serve(&supervision->life, monotonic_msec());
	link_open(&supervision->link, take_link_fd);
	supervision->link.taken = true;
}

/* Time. */

uint64_t supervision_due_msec(struct supervision *supervision, uint64_t now_msec)
{
	const struct link_speech speech = what_to_say(supervision);
	const uint64_t due[] = {
		life_due_msec(&supervision->life),
		link_due_msec(&supervision->link, supervision->store, &speech, now_msec),
		trial_due_msec(&supervision->upgrade.trial),
		watchdog_due_msec(&supervision->watchdog),
	};
	uint64_t first = UINT64_MAX;

	for (size_t i = 0; i < sizeof(due) / sizeof(*due); i++)
		first = due[i] < first ? due[i] : first;
	return first;
}

/* One that was stopped sees a signal only when it goes on. */
static void end_silence(struct supervision *supervision)
{
	int number = watchdog_take_signal(&supervision->watchdog, monotonic_msec());

	if (!number)
		return;
	log_line("inko-supervisor (pid %d) gave no sign of life for %llu ms: sends it SIG%s",
		(int)supervision->life.pid, (unsigned long long)supervision->watchdog.interval_msec,
		sigabbrev_np(number));
	(void)pidfd_send_signal(supervision->life.pidfd, number, NULL, 0);
	(void)pidfd_send_signal(supervision->life.pidfd, SIGCONT, NULL, 0);
}

void supervision_run(struct supervision *supervision)
{
	trial_check(&supervision->upgrade.trial, monotonic_msec());
	end_silence(supervision);
	flush(supervision);
}
