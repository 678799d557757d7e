/*
 * Descriptors that are not sockets of ours (mailboxes, notifiers, connections that are being made)
 * are waited for level-triggered, as poll(2) does it, in an epoll of their own: a socket may
 * stand in the runtime's as well, edge-triggered and for longer.
 *
 * An event wakes one that waits for it, and the next if the event is still there afterwards: many
 * tasks may wait in one mailbox, and a message is for one of them.
 */

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "libclient/awaited.h"
#include "libclient/scheduler.h"
#include "libclient/task.h"
#include "libclient/wait-list.h"
#include "libclient/wait.h"
#include "proto/descriptor.h"

#define AWAITED_EVENTS 64
#define AWAITED_FDS_MIN 64
/* What poll(2) tells whether it was asked or not. */
#define ALWAYS_TOLD (POLLERR | POLLHUP)

/* One descriptor that one task waits for. */
struct awaiting {
	struct pollfd *wanted;
	struct inko_task *task;
	struct awaiting *next, *previous; /* previous is NULL of the first */
};

void awaited_init(struct awaited *awaited)
{
	*awaited = (struct awaited){.epoll_fd = -1};
}

void awaited_done(struct awaited *awaited)
{
	free(awaited->fds);
	descriptor_close(&awaited->epoll_fd);
}

/* Room for what is known of fd. */
static int awaited_reserve(struct awaited *awaited, int fd)
{
	size_t n = awaited->n_fds ? awaited->n_fds : AWAITED_FDS_MIN;
	struct awaited_fd *fds;

	if ((size_t)fd < awaited->n_fds)
		return 0;
	while (n <= (size_t)fd)
		n *= 2;
	fds = reallocarray(awaited->fds, n, sizeof(*fds));
	if (!fds)
		return -ENOMEM;
	for (size_t i = awaited->n_fds; i < n; i++)
		fds[i] = (struct awaited_fd){0};
	awaited->fds = fds;
	awaited->n_fds = n;
	return 0;
}

/* epoll */

static int awaited_open(struct inko_runtime *runtime)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = SCHEDULER_AWAITED};
	_cleanup_close_ int fd = -1;

	if (runtime->awaited.epoll_fd >= 0)
		return 0;
	fd = epoll_create1(EPOLL_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (epoll_ctl(runtime->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return -errno;
	runtime->awaited.epoll_fd = descriptor_take(&fd);
	return 0;
}

static uint32_t awaited_events(const struct awaited_fd *awaited_fd)
{
	short events = 0;

	for (const struct awaiting *one = awaited_fd->first; one; one = one->next)
		events |= one->wanted->events;
	return (uint32_t)events;
}

/* Has epoll know what those who wait for fd want. */
static int awaited_control(const struct awaited *awaited, int operation, int fd)
{
	struct epoll_event event = {
		.events = awaited_events(&awaited->fds[fd]), .data.u64 = (uint64_t)fd};

	return epoll_ctl(awaited->epoll_fd, operation, fd, &event) < 0 ? -errno : 0;
}

static void awaited_fail(struct awaited_fd *awaited_fd, int error)
{
	for (struct awaiting *one = awaited_fd->first; one; one = one->next)
		(void)scheduler_wake(one->task, error);
}

/* Somebody closed a descriptor that was waited for. If others hold what it was of, epoll goes on
 * telling of it and there is no name by which to take it out: begin anew. */
static void awaited_renew(struct inko_runtime *runtime)
{
	struct awaited *awaited = &runtime->awaited;
	int r;

	descriptor_close(&awaited->epoll_fd);
	r = awaited_open(runtime);
	for (size_t fd = 0; fd < awaited->n_fds; fd++) {
		int error = r;

		if (!awaited->fds[fd].first)
			continue;
		if (error == 0)
			error = awaited_control(awaited, EPOLL_CTL_ADD, (int)fd);
		if (error < 0)
			awaited_fail(&awaited->fds[fd], error);
	}
}

/* Who waits */

static void awaiting_append(struct awaited_fd *awaited_fd, struct awaiting *one)
{
	one->next = NULL;
	one->previous = awaited_fd->last;
	*(one->previous ? &one->previous->next : &awaited_fd->first) = one;
	awaited_fd->last = one;
}

static void awaiting_remove(struct awaited_fd *awaited_fd, struct awaiting *one)
{
	*(one->previous ? &one->previous->next : &awaited_fd->first) = one->next;
	*(one->next ? &one->next->previous : &awaited_fd->last) = one->previous;
}

/* What epoll does not know any more was closed meanwhile. */
static void awaited_leave(struct inko_runtime *runtime, struct awaiting *one)
{
	struct awaited *awaited = &runtime->awaited;
	struct awaited_fd *awaited_fd = &awaited->fds[one->wanted->fd];
	int r;

	awaiting_remove(awaited_fd, one);
	r = awaited_control(
		awaited, awaited_fd->first ? EPOLL_CTL_MOD : EPOLL_CTL_DEL, one->wanted->fd);
	if (r < 0)
		awaited_renew(runtime);
}

/* Has epoll watch fd for one more, watched already or not. */
static int awaited_watch(struct inko_runtime *runtime, int fd, bool watched)
{
	struct awaited *awaited = &runtime->awaited;
	int r;

	if (!watched)
		return awaited_control(awaited, EPOLL_CTL_ADD, fd);
	r = awaited_control(awaited, EPOLL_CTL_MOD, fd);
	if (r != -ENOENT)
		return r;
	/* Those who wait already wait for another one that had this number. */
	awaited_renew(runtime);
	return awaited_control(awaited, EPOLL_CTL_MOD, fd);
}

/* 0; 1 and revents is set when there is nothing to wait for: epoll takes neither plain files, which
 * are always ready, nor what is not open. */
static int awaited_join(struct inko_runtime *runtime, struct awaiting *one)
{
	struct awaited *awaited = &runtime->awaited;
	int fd = one->wanted->fd;
	int r = awaited_reserve(awaited, fd);
	bool watched;

	if (r < 0)
		return r;
	watched = awaited->fds[fd].first;
	awaiting_append(&awaited->fds[fd], one);
	r = awaited_watch(runtime, fd, watched);
	if (r == 0)
		return 0;
	awaiting_remove(&awaited->fds[fd], one);
	if (r != -EPERM && r != -EBADF)
		return r;
	one->wanted->revents = r == -EPERM ? one->wanted->events : POLLNVAL;
	return 1;
}

static void awaited_on_event(struct awaited_fd *awaited_fd, short revents)
{
	for (struct awaiting *one = awaited_fd->first; one; one = one->next) {
		short told = (short)(revents & (one->wanted->events | ALWAYS_TOLD));

		if (told && scheduler_wake(one->task, 0)) {
			one->wanted->revents = told;
			return;
		}
	}
}

void awaited_dispatch(struct inko_runtime *runtime)
{
	struct awaited *awaited = &runtime->awaited;
	struct epoll_event events[AWAITED_EVENTS];
	int n = epoll_wait(awaited->epoll_fd, events, AWAITED_EVENTS, 0);

	for (int i = 0; i < n; i++)
		awaited_on_event(&awaited->fds[events[i].data.u64], (short)events[i].events);
}

/* Waiting */

/* Joins all of fds that there are; *ret_n is how many joined. Result as of awaited_join. */
static int awaited_join_all(struct inko_runtime *runtime, struct pollfd *fds, size_t n_fds,
	struct awaiting *awaiting, size_t *ret_n)
{
	int result = awaited_open(runtime);

	for (size_t i = 0; i < n_fds && result >= 0; i++) {
		struct awaiting *one = &awaiting[*ret_n];
		int r;

		fds[i].revents = 0;
		if (fds[i].fd < 0)
			continue;
		*one = (struct awaiting){.wanted = &fds[i], .task = runtime->running};
		r = awaited_join(runtime, one);
		if (r == 0)
			(*ret_n)++;
		if (r != 0)
			result = r;
	}
	return result;
}

int awaited_wait(struct wait_list *list, struct pollfd *fds, size_t n_fds, uint64_t deadline_usec)
{
	struct inko_runtime *runtime = scheduler_current();
	_cleanup_free_ struct awaiting *awaiting = NULL;
	struct wait_entry entry = {0};
	size_t n_joined = 0;
	int r = 0;

	if (n_fds > 0) {
		awaiting = calloc(n_fds, sizeof(*awaiting));
		r = awaiting ? awaited_join_all(runtime, fds, n_fds, awaiting, &n_joined) : -ENOMEM;
	}
	if (list)
		wait_list_append(list, &entry, runtime->running);
	if (r == 0)
		r = scheduler_park(deadline_usec, n_joined > 0);
	wait_list_remove(&entry);
	while (n_joined > 0)
		awaited_leave(runtime, &awaiting[--n_joined]);
	return r < 0 ? r : 0;
}
