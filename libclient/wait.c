/*
 * Waiting in poll(2), up to a point in time that a signal does not move.
 */

#include <errno.h>
#include <time.h>

#include "libclient/stream.h"
#include "libclient/wait.h"

#define NSEC_PER_USEC 1000u
#define USEC_PER_SEC 1000000u

uint64_t wait_now_usec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC;
}

static struct timespec time_left(uint64_t deadline_usec)
{
	uint64_t now_usec = wait_now_usec();
	uint64_t left_usec = deadline_usec > now_usec ? deadline_usec - now_usec : 0;

	return (struct timespec){.tv_sec = (time_t)(left_usec / USEC_PER_SEC),
		.tv_nsec = (long)(left_usec % USEC_PER_SEC * NSEC_PER_USEC)};
}

int wait_for(struct pollfd *fds, size_t n_fds, uint64_t deadline_usec)
{
	for (;;) {
		struct timespec left = {0};
		int r;

		if (deadline_usec)
			left = time_left(deadline_usec);
		r = ppoll(fds, n_fds, deadline_usec ? &left : NULL, NULL);
		if (r > 0)
			return 0;
		if (r == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

int wait_for_socket_events(struct inko_socket *socket, short events, short *ret_revents)
{
	struct pollfd wanted = {.fd = socket->fd, .events = events};
	int r = wait_for(&wanted, 1, socket->deadline_usec);

	if (r == 0)
		*ret_revents = wanted.revents;
	return r;
}

int wait_for_socket(struct inko_socket *socket, short events)
{
	short revents;

	return wait_for_socket_events(socket, events, &revents);
}
