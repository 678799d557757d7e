#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "daemon/supervisor/aside.h"
#include "proto/descriptor.h"

struct errand {
	void (*work)(void *argument);
	void *argument;
	int done_fd;
};

static void release(struct errand *errand)
{
	descriptor_close(&errand->done_fd);
	free(errand);
}

static void *run(void *argument)
{
	struct errand *errand = argument;

	errand->work(errand->argument);
	release(errand);
	return NULL;
}

/* Signals are the loop's. */
static int create_thread(struct errand *errand)
{
	sigset_t all, before;
	pthread_t thread;
	int r;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&thread, NULL, run, errand);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r == 0)
		(void)pthread_detach(thread);
	return -r;
}

int aside_do(void (*work)(void *argument), void *argument, int done_fd)
{
	struct errand *errand = malloc(sizeof(*errand));
	int r;

	if (!errand)
		return -ENOMEM;
	*errand = (struct errand){work, argument, fcntl(done_fd, F_DUPFD_CLOEXEC, 0)};
	r = errand->done_fd < 0 ? -errno : create_thread(errand);
	if (r < 0)
		release(errand);
	return r;
}
