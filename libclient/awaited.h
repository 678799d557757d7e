#pragma once

/*
 * Descriptors of any kind that tasks wait for, in epoll only while somebody does.
 */

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

struct inko_runtime;
struct wait_list;

/* What is known of one descriptor, by its number. */
struct awaited_fd {
	struct awaiting *first, *last; /* who waits for it; NULL: it is not in epoll */
};

struct awaited {
	int epoll_fd; /* of their own, in the runtime's; -1 until it is needed */
	struct awaited_fd *fds;
	size_t n_fds;
};

void awaited_init(struct awaited *awaited);
void awaited_done(struct awaited *awaited);

/* The awaited's epoll has something. */
void awaited_dispatch(struct inko_runtime *runtime);

/* Parks the running task as wait_for_or says. */
int awaited_wait(struct wait_list *list, struct pollfd *fds, size_t n_fds, uint64_t deadline_usec);
