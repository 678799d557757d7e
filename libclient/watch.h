#pragma once

/*
 * Sockets that tasks wait for, each kept in epoll from its first wait to its close.
 */

#include <stdbool.h>
#include <stdint.h>

struct inko_runtime;
struct inko_socket;
struct inko_task;

/* Who waits for one direction. */
struct watch_side {
	struct inko_task *task;
	short seen; /* by poll(2)'s names, since the last wait began */
};

/* One socket in epoll. Watches are never freed before the runtime, so that no event, however late,
 * finds other memory. */
struct watch {
	struct inko_runtime *runtime;
	struct inko_socket *socket; /* NULL while it is free */
	uint32_t index, generation;
	uint32_t events; /* that epoll was asked for */
	struct watch_side reader, writer;
	struct watch *next; /* while it is free */
};

struct watches {
	struct watch **chunks;
	uint32_t n_chunks;
	struct watch *unused;
};

/* Sockets that still have one lose it. */
void watches_done(struct watches *watches);

/* An event that epoll has for the watch of that index, if it is of that generation still. */
void watch_on_event(
	struct inko_runtime *runtime, uint32_t index, uint32_t generation, uint32_t events);

/* Parks the running task until socket has one of events, up to its deadline. -EBUSY when another
 * waits for the same, -EXDEV when the socket belongs to another runtime. */
int watch_wait(struct inko_socket *socket, short events, short *ret_revents);

/* Takes the socket out of epoll, before its descriptor is closed or given away; who waits for it
 * is woken with -EBADF. Nothing when it never waited. */
void watch_forget(struct inko_socket *socket);
