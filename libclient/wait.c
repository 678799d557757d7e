/*
 * Waiting, up to a point in time that a signal does not move: in a task by parking it, elsewhere in
 * poll(2).
 */

#include <errno.h>
#include <sys/epoll.h>
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

/* Has wait->edge_fd tell of what comes to fd from now on. */
static int socket_wait_open_edge(struct socket_wait *wait, int fd, short events)
{
	struct epoll_event event = {.events = (uint32_t)events | EPOLLET};
	_cleanup_close_ int edge_fd = epoll_create1(EPOLL_CLOEXEC);

	if (edge_fd < 0 || epoll_ctl(edge_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return -errno;
	(void)epoll_wait(edge_fd, &event, 1, 0); /* what is there already */
	wait->edge_fd = descriptor_take(&edge_fd);
	return 0;
}

static int socket_wait_for_edge(struct socket_wait *wait, uint64_t deadline_usec)
{
	struct pollfd edge = {.fd = wait->edge_fd, .events = POLLIN};
	struct epoll_event event;
	int r = wait_for(&edge, 1, deadline_usec);

	if (r == 0 && epoll_wait(wait->edge_fd, &event, 1, 0) == 1)
		wait->revents = (short)event.events;
	return r;
}

/* POLLERR alone is an error that the call will return, or something in the error queue (ip(7),
 * IP_RECVERR), which is the program's to take: until it does so poll says this each time, and the
 * call that there is nothing. So what is new is then waited for, from before the call is tried
 * again, that nothing is missed in between. */
static int socket_wait_in_poll(struct inko_socket *socket, short events, struct socket_wait *wait)
{
	struct pollfd wanted = {.fd = socket->fd, .events = events};
	int r = wait_for(&wanted, 1, socket->deadline_usec);

	if (r < 0)
		return r;
	wait->revents = wanted.revents;
	if (wanted.revents != POLLERR)
		return 0;
	if (wait->edge_fd < 0)
		return socket_wait_open_edge(wait, socket->fd, events);
	return socket_wait_for_edge(wait, socket->deadline_usec);
}

int wait_for_socket(struct inko_socket *socket, short events, struct socket_wait *wait)
{
	if (scheduler_can_park() > 0)
		return watch_wait(socket, events, &wait->revents);
	return socket_wait_in_poll(socket, events, wait);
}
