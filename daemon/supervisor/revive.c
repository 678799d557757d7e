#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/supervisor/log.h"
#include "daemon/supervisor/revive.h"
#include "proto/signals.h"

/* Time for somebody who starts inkod on purpose. */
#define FIRST_USEC UINT64_C(1000000)
#define MOST_USEC (60 * FIRST_USEC)

struct revive {
	sd_event *event;
	sd_event_source *timer;
	char runtime[PATH_MAX];
	uint64_t delay_usec;
	bool logged;
};

int revive_new(sd_event *event, const char *runtime, struct revive **ret_revive)
{
	struct revive *revive = calloc(1, sizeof(*revive));

	if (!revive)
		return -ENOMEM;
	revive->event = event;
	(void)strcpy(revive->runtime, runtime);
	*ret_revive = revive;
	return 0;
}

static _Noreturn void execute(const struct revive *revive, const char *path)
{
	(void)setsid();
	signals_reset();
	(void)unsetenv("INKO_FAULT");
	(void)close_range(STDERR_FILENO + 1, ~0u, 0);
	(void)execl(path, "inkod", "--runtime-dir", revive->runtime, (char *)NULL);
	log_error("cannot execute %s: %s", path, strerror(errno));
	_exit(127);
}

/* By a child that ends at once, so that the keeper is not the child of its supervisor. */
static void start(const struct revive *revive, const char *path)
{
	pid_t pid = fork();

	if (pid == 0) {
		pid = fork();
		if (pid == 0)
			execute(revive, path);
		_exit(pid < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
	}
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
}

static void arm(struct revive *revive);

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct revive *revive = userdata;
	const char *path = getenv("INKO_KEEPER_PATH");

	(void)source;
	(void)usec;
	if (!path)
		return 0;
	if (!revive->logged)
		log_info("starts another keeper, %s", path);
	revive->logged = true;
	start(revive, path);
	revive->delay_usec =
		revive->delay_usec * 2 > MOST_USEC ? MOST_USEC : revive->delay_usec * 2;
	arm(revive);
	return 0;
}

static void arm(struct revive *revive)
{
	revive->timer = sd_event_source_disable_unref(revive->timer);
	(void)sd_event_add_time_relative(revive->event, &revive->timer, CLOCK_MONOTONIC,
		revive->delay_usec, 1, on_timer, revive);
}

void revive_begin(struct revive *revive)
{
	revive->delay_usec = FIRST_USEC;
	revive->logged = false;
	arm(revive);
}

void revive_end(struct revive *revive)
{
	revive->timer = sd_event_source_disable_unref(revive->timer);
}
