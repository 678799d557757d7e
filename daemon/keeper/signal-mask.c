#include "daemon/keeper/signal-mask.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>

static void fill(sigset_t *mask)
{
	static const int numbers[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR1};

	(void)sigemptyset(mask);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		(void)sigaddset(mask, numbers[i]);
}

void signal_mask_block(void)
{
	sigset_t mask;

	/* A log that nobody reads is no reason to end. */
	(void)signal(SIGPIPE, SIG_IGN);
	/* Were it ignored, children would leave no status. */
	(void)signal(SIGCHLD, SIG_DFL);
	fill(&mask);
	(void)sigprocmask(SIG_SETMASK, &mask, NULL);
}

int signal_mask_open(int *ret_fd)
{
	sigset_t mask;
	int fd;

	fill(&mask);
	fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}
