#include "proto/shortage.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

#include "proto/monotonic.h"

#define PAUSE_MSEC 20

bool shortage_is(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM;
}

bool shortage_is_news(struct shortage *shortage)
{
	bool is_news = !shortage->is_known;

	shortage->is_known = true;
	return is_news;
}

int shortage_wait(struct shortage *shortage, int error)
{
	const struct timespec pause = {.tv_nsec = PAUSE_MSEC * 1000000};
	uint64_t now_msec = monotonic_msec();
	sigset_t ends;

	if (shortage->since_msec == 0)
		shortage->since_msec = now_msec;
	else if (now_msec - shortage->since_msec >= SHORTAGE_PATIENCE_MSEC)
		return error;
	/* Not a signalfd, which is a descriptor. */
	(void)sigemptyset(&ends);
	(void)sigaddset(&ends, SIGTERM);
	(void)sigaddset(&ends, SIGINT);
	return sigtimedwait(&ends, NULL, &pause) > 0 ? -ECANCELED : 0;
}

void shortage_end(struct shortage *shortage)
{
	shortage->since_msec = 0;
}

const char *shortage_remedy(int error)
{
	switch (error) {
	case -EMFILE:
		return "raise the limit of open files (LimitNOFILE=, ulimit -n)";
	case -ENFILE:
		return "raise the machine's limit of open files (fs.file-max)";
	default:
		return "free some memory";
	}
}
