/*
 * A socket is tried first and waited for after it said EAGAIN. It stands in epoll from then on,
 * edge-triggered, so that most waits cost no system call of their own: what comes after the EAGAIN
 * is a new edge, and what came before it was there to be read. The direction that nobody waited for
 * yet is left out, or each new socket would be told to have room.
 */

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "libclient/scheduler.h"
#include "libclient/socket.h"
#include "libclient/task.h"
#include "libclient/watch.h"

#define CHUNK_WATCHES 128
#define WATCH_READER (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET)
#define WATCH_WRITER (EPOLLOUT | EPOLLET)

#define WAKES_READER (POLLIN | POLLPRI | POLLRDHUP | POLLHUP | POLLERR)
#define WAKES_WRITER (POLLOUT | POLLHUP | POLLERR)

void watches_done(struct watches *watches)
{
	for (uint32_t i = 0; i < watches->n_chunks; i++) {
		for (uint32_t j = 0; j < CHUNK_WATCHES; j++)
			if (watches->chunks[i][j].socket)
				watches->chunks[i][j].socket->watch = NULL;
		free(watches->chunks[i]);
	}
	free(watches->chunks);
	*watches = (struct watches){0};
}

static int watches_grow(struct watches *watches)
{
	struct watch **chunks = reallocarray(
		watches->chunks, (size_t)watches->n_chunks + 1, sizeof(struct watch *));
	struct watch *chunk;

	if (!chunks)
		return -ENOMEM;
	watches->chunks = chunks;
	chunk = calloc(CHUNK_WATCHES, sizeof(*chunk));
	if (!chunk)
		return -ENOMEM;
	for (uint32_t i = CHUNK_WATCHES; i-- > 0;) {
		chunk[i].index = watches->n_chunks * CHUNK_WATCHES + i;
		chunk[i].next = watches->unused;
		watches->unused = &chunk[i];
	}
	chunks[watches->n_chunks++] = chunk;
	return 0;
}

/* Gives socket a watch, which is not in epoll yet. */
static int watch_begin(struct inko_runtime *runtime, struct inko_socket *socket)
{
	struct watches *watches = &runtime->watches;
	struct watch *watch;

	if (!watches->unused && watches_grow(watches) < 0)
		return -ENOMEM;
	watch = watches->unused;
	watches->unused = watch->next;
	watch->runtime = runtime;
	watch->socket = socket;
	socket->watch = watch;
	return 0;
}

/* Has epoll tell of events, in poll's names, and of all that it was asked for before. */
static int watch_ask(struct watch *watch, short events)
{
	struct epoll_event event = {
		.events = watch->events,
		.data.u64 = (uint64_t)watch->generation << 32 | watch->index,
	};
	int operation = watch->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (events & WAKES_READER)
		event.events |= WATCH_READER;
	if (events & WAKES_WRITER)
		event.events |= WATCH_WRITER;
	if (event.events == watch->events)
		return 0;
	if (epoll_ctl(watch->runtime->epoll_fd, operation, watch->socket->fd, &event) < 0)
		return -errno;
	watch->events = event.events;
	return 0;
}

static void watch_wake(struct watch_side *side, int result)
{
	if (side->task)
		(void)scheduler_wake(side->task, result);
}

void watch_on_event(
	struct inko_runtime *runtime, uint32_t index, uint32_t generation, uint32_t events)
{
	struct watch *watch =
		&runtime->watches.chunks[index / CHUNK_WATCHES][index % CHUNK_WATCHES];

	if (watch->generation != generation)
		return;
	watch->reader.seen |= (short)(events & WAKES_READER);
	watch->writer.seen |= (short)(events & WAKES_WRITER);
	if (events & WAKES_READER)
		watch_wake(&watch->reader, 0);
	if (events & WAKES_WRITER)
		watch_wake(&watch->writer, 0);
}

void watch_forget(struct inko_socket *socket)
{
	struct watch *watch = socket->watch;
	struct watches *watches;

	if (!watch)
		return;
	/* What nobody else holds leaves epoll when it is closed: most connections of a server. */
	if (watch->events && socket->shared)
		(void)epoll_ctl(watch->runtime->epoll_fd, EPOLL_CTL_DEL, socket->fd, NULL);
	watch_wake(&watch->reader, -EBADF);
	watch_wake(&watch->writer, -EBADF);
	watches = &watch->runtime->watches;
	*watch = (struct watch){
		.index = watch->index,
		.generation = watch->generation + 1,
		.next = watches->unused,
	};
	watches->unused = watch;
	socket->watch = NULL;
}

/* Is the socket ready, whatever an event said that may have been of an earlier state of it? */
static bool is_ready(const struct inko_socket *socket, short events, short *ret_revents)
{
	struct pollfd wanted = {.fd = socket->fd, .events = events};

	if (poll(&wanted, 1, 0) != 1)
		return false;
	*ret_revents = wanted.revents;
	return true;
}

/* An end is told once. Most calls say so by themselves, but not accept on a Unix listener. */
static bool has_ended(const struct watch *watch, short events, short *ret_revents)
{
	short told = POLLHUP | POLLRDHUP;

	if (!(events & WAKES_READER && watch->reader.seen & told))
		return false;
	return is_ready(watch->socket, events, ret_revents);
}

static void watch_occupy(struct watch *watch, short events, struct inko_task *task)
{
	if (events & WAKES_READER)
		watch->reader = (struct watch_side){.task = task};
	if (events & WAKES_WRITER)
		watch->writer = (struct watch_side){.task = task};
}

/* What was seen stays seen, for has_ended. */
static short watch_vacate(struct watch *watch, short events)
{
	short seen = 0;

	if (events & WAKES_READER) {
		seen |= watch->reader.seen;
		watch->reader.task = NULL;
	}
	if (events & WAKES_WRITER) {
		seen |= watch->writer.seen;
		watch->writer.task = NULL;
	}
	return seen;
}

static bool watch_is_busy(const struct watch *watch, short events)
{
	return (events & WAKES_READER && watch->reader.task) ||
	       (events & WAKES_WRITER && watch->writer.task);
}

/* Parks until an event, or the socket was closed: -EBADF, and watch is another's. */
static int watch_park(struct inko_socket *socket, short events, short *ret_revents)
{
	struct watch *watch = socket->watch;
	uint32_t generation = watch->generation;
	bool spurious;
	int r;

	do {
		r = scheduler_park(socket->deadline_usec, true);
		if (watch->generation != generation)
			return -EBADF;
		/* Who waits to write may wait for connect, which is not tried again but believed.
		 */
		spurious = r == 0 && events & POLLOUT && !is_ready(socket, events, ret_revents);
	} while (spurious);
	return r;
}

int watch_wait(struct inko_socket *socket, short events, short *ret_revents)
{
	struct inko_runtime *runtime = scheduler_current();
	short seen, revents = 0;
	int r = 0;

	if (!socket->watch)
		r = watch_begin(runtime, socket);
	if (r < 0)
		return r;
	if (socket->watch->runtime != runtime)
		return -EXDEV;
	if (watch_is_busy(socket->watch, events))
		return -EBUSY;
	r = watch_ask(socket->watch, events);
	if (r < 0)
		return r;
	if (has_ended(socket->watch, events, ret_revents))
		return 0;
	watch_occupy(socket->watch, events, runtime->running);
	r = watch_park(socket, events, &revents);
	if (r == -EBADF)
		return r;
	seen = watch_vacate(socket->watch, events);
	if (r == 0)
		*ret_revents = (short)(seen | revents);
	return r;
}
