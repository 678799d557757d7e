#include "daemon/keeper/life.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "daemon/keeper/launch.h"
#include "daemon/keeper/log.h"
#include "proto/descriptor.h"

#define RESTART_FIRST_MSEC 10
#define RESTART_MOST_MSEC 5000
/* A supervisor that served this long was well, and forgives those before it. */
#define SERVED_WELL_MSEC 100
/* After one that served the next is started at once: it was killed, or gave way. Only so many in a
 * row that served for a shorter time are followed so, since one of them may end by what it does as
 * soon as it serves. */
#define SHORT_LIVES_MAX 20
/* So many that did not, one after the other, and somebody should do something about it. */
#define FAILURES_MAX 5

void life_init(struct life *life)
{
	*life = (struct life){.pidfd = -1, .delay_msec = RESTART_FIRST_MSEC};
}

void life_done(struct life *life)
{
	descriptor_close(&life->pidfd);
	life->pid = 0;
}

static void start_at_once(struct life *life, uint64_t now_msec)
{
	life->start_at_msec = now_msec;
	life->delay_msec = RESTART_FIRST_MSEC;
	life->failures = 0;
}

static void start_later(struct life *life, uint64_t now_msec)
{
	life->start_at_msec = now_msec + life->delay_msec;
	life->delay_msec *= 2;
	if (life->delay_msec > RESTART_MOST_MSEC)
		life->delay_msec = RESTART_MOST_MSEC;
}

/* Said at each of them; what can be done, once. */
static void count_failure(struct life *life)
{
	if (++life->failures == FAILURES_MAX)
		log_line("inko-supervisor has not come up %u times in a row: what runs goes on and "
			 "is held, but nothing is restarted and inkoctl gets no answer. Its own "
			 "lines above say why; install a build that works, which is then started "
			 "by itself",
			life->failures);
}

bool life_start(struct life *life, int lock_fd, uint64_t now_msec, int *ret_link_fd)
{
	char path[PATH_MAX];
	int r = launch_find(path);

	life->serving_since_msec = 0;
	if (r == 0)
		r = launch_start(path, lock_fd, &life->pid, &life->pidfd, ret_link_fd);
	if (r == 0)
		return true;
	log_line("cannot start inko-supervisor: %s; trying again in %u ms", strerror(-r),
		life->delay_msec);
	count_failure(life);
	start_later(life, now_msec);
	return false;
}

void life_serve(struct life *life, uint64_t now_msec)
{
	if (life->failures > 0)
		log_line("inko-supervisor (pid %d) has come up", (int)life->pid);
	life->serving_since_msec = now_msec;
}

void life_kill(const struct life *life)
{
	if (life->pidfd >= 0)
		(void)pidfd_send_signal(life->pidfd, SIGKILL, NULL, 0);
}

bool life_is_due(const struct life *life, uint64_t now_msec)
{
	return now_msec >= life_due_msec(life);
}

uint64_t life_due_msec(const struct life *life)
{
	return life->pid > 0 ? UINT64_MAX : life->start_at_msec;
}

bool life_has_ended(const struct life *life, siginfo_t *ret_info)
{
	siginfo_t info = {0};

	if (waitid(P_PIDFD, (id_t)life->pidfd, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0)
		return false;
	*ret_info = info;
	return true;
}

static void describe_end(const siginfo_t *info, char ret_text[static 64])
{
	const char *signal_name = sigabbrev_np(info->si_status);

	if (info->si_pid == 0)
		(void)snprintf(ret_text, 64, "ended");
	else if (info->si_code == CLD_EXITED)
		(void)snprintf(ret_text, 64, "exited with status %d", info->si_status);
	else
		(void)snprintf(
			ret_text, 64, "was killed by SIG%s", signal_name ? signal_name : "RT");
}

/* Did it end because it was told to make room? How one ended that was taken over is not known. */
static bool has_left(const siginfo_t *info, bool was_told)
{
	return was_told &&
	       (info->si_pid == 0 || (info->si_code == CLD_EXITED && info->si_status == 0));
}

static bool served_well(const struct life *life, uint64_t now_msec)
{
	return life->serving_since_msec && now_msec - life->serving_since_msec >= SERVED_WELL_MSEC;
}

/* Counts its life. Is it followed at once? */
static bool judge_end(struct life *life, bool left, uint64_t now_msec)
{
	bool well = left || served_well(life, now_msec);

	if (well)
		life->short_lives = 0;
	else if (life->serving_since_msec)
		life->short_lives++;
	return well || (life->serving_since_msec && life->short_lives <= SHORT_LIVES_MAX);
}

static void log_end(const struct life *life, const siginfo_t *info, bool at_once)
{
	char how[64], when[32] = "at once";

	describe_end(info, how);
	if (!at_once)
		(void)snprintf(when, sizeof(when), "in %u ms", life->delay_msec);
	log_line("inko-supervisor (pid %d) %s; starting it again %s", (int)life->pid, how, when);
}

void life_end(struct life *life, const siginfo_t *info, bool was_told, uint64_t now_msec)
{
	bool left = has_left(info, was_told);
	bool at_once = judge_end(life, left, now_msec);

	if (left)
		log_line(
			"inko-supervisor (pid %d) made room for the installed one", (int)life->pid);
	else
		log_end(life, info, at_once);
	life_done(life);
	if (at_once) {
		start_at_once(life, now_msec);
		return;
	}
	count_failure(life);
	start_later(life, now_msec);
}
