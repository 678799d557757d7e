/*
 * Waiting, up to a point in time that a signal does not move: in a task by parking it, elsewhere in
 * poll(2).
 */

#include <errno.h>
#include <time.h>

#include "libclient/awaited.h"
#include "libclient/scheduler.h"
#include "libclient/socket.h"
#include "libclient/wait-list.h"
#include "libclient/wait.h"
#include "libclient/watch.h"

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

static int wait_in_poll(struct pollfd *fds, size_t n_fds, uint64_t deadline_usec)
{
	struct timespec left = {0};
	int r;

	if (deadline_usec)
		left = time_left(deadline_usec);
	r = ppoll(fds, n_fds, deadline_usec ? &left : NULL, NULL);
	if (r > 0)
		return 0;
	return r == 0 ? -ETIMEDOUT : -errno;
}

int wait_for_or_signal(struct pollfd *fds, size_t n_fds, uint64_t deadline_usec)
{
	int r = scheduler_can_park();

	if (r > 0)
		return awaited_wait(NULL, fds, n_fds, deadline_usec);
	return r < 0 ? r : wait_in_poll(fds, n_fds, deadline_usec);
}

int wait_in(struct wait_list *list, struct pollfd *fds, size_t n_fds, uint64_t deadline_usec)
{
	int r = scheduler_can_park();

	if (r > 0)
		return awaited_wait(list, fds, n_fds, deadline_usec);
	if (r < 0)
		return r;
	do
		r = wait_in_poll(fds, n_fds, deadline_usec);
	while (r == -EINTR);
	return r;
}

int wait_for(struct pollfd *fds, size_t n_fds, uint64_t deadline_usec)
{
	return wait_in(NULL, fds, n_fds, deadline_usec);
}

int wait_beside_socket(struct inko_socket *socket, struct wait_list *list, struct pollfd *fds,
	size_t n_fds, uint64_t deadline_usec)
{
	struct inko_task *task = scheduler_running_task();
	struct wait_entry user;
	int r;

	if (!task)
		return wait_in(list, fds, n_fds, deadline_usec);
	wait_list_append(&socket->users, &user, task);
	r = wait_in(list, fds, n_fds, deadline_usec);
	/* Only who closes it wakes its users, and then it may not be looked at. */
	if (!user.list)
		return -EBADF;
	wait_list_remove(&user);
	return r;
}

int wait_for_turn(struct inko_socket *socket)
{
	struct wait_entry user;
	int r;

	if (!scheduler_turn_is_over())
		return 0;
	if (!socket)
		return scheduler_yield();
	wait_list_append(&socket->users, &user, scheduler_running_task());
	r = scheduler_yield();
	if (!user.list)
		return -EBADF;
	wait_list_remove(&user);
	return r;
}

int wait_for_socket_events(struct inko_socket *socket, short events, short *ret_revents)
{
	struct pollfd wanted = {.fd = socket->fd, .events = events};
	int r;

	if (scheduler_can_park() > 0)
		return watch_wait(socket, events, ret_revents);
	r = wait_for(&wanted, 1, socket->deadline_usec);
	if (r == 0)
		*ret_revents = wanted.revents;
	return r;
}

int wait_for_socket(struct inko_socket *socket, short events)
{
	short revents;

	return wait_for_socket_events(socket, events, &revents);
}
