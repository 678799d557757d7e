#pragma once

/*
 * A process's mailbox as inkod would give it: lanes from descriptor 3 on, of which somebody else,
 * here the test, holds both ends too.
 */

#include "tests/unit/leaks.h"

#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/descriptor.h"
#include "proto/lane.h"

#include <inko/mailbox.h>

#define LANES_MAX 8
#define LANES_QUEUE 64
/* Above what a test opens, so that 3 and the following are free. */
#define LANES_HIGH_FD 100

struct lane_ends {
	int write_fd, read_fd;
};

struct lanes {
	struct inko_mailbox *own;
	size_t n_lanes;
	struct lane_ends ends[LANES_MAX]; /* the first is the supervisor's */
};

static inline int lanes_move_up(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, LANES_HIGH_FD);

	assert_true(high >= LANES_HIGH_FD);
	close(fd);
	return high;
}

static inline struct lane_ends lane_ends_open(unsigned int queue)
{
	struct lane_ends ends;

	assert_int_equal(lane_open(queue, &ends.write_fd, &ends.read_fd), 0);
	ends.write_fd = lanes_move_up(ends.write_fd);
	ends.read_fd = lanes_move_up(ends.read_fd);
	return ends;
}

static inline void lane_ends_close(struct lane_ends *ends)
{
	descriptor_close(&ends->write_fd);
	descriptor_close(&ends->read_fd);
}

static inline void lanes_set_environment(pid_t pid, size_t n_fds, const char *names)
{
	char text[32];

	snprintf(text, sizeof(text), "%d", (int)pid);
	setenv("LISTEN_PID", text, 1);
	snprintf(text, sizeof(text), "%zu", n_fds);
	setenv("LISTEN_FDS", text, 1);
	setenv("LISTEN_FDNAMES", names, 1);
}

/* names as in LISTEN_FDNAMES. */
static inline void lanes_open(struct lanes *lanes, const char *names)
{
	*lanes = (struct lanes){.n_lanes = 1};
	for (const char *c = names; *c; c++)
		lanes->n_lanes += *c == ':';
	assert_in_range(lanes->n_lanes, 1, LANES_MAX);
	for (size_t i = 0; i < lanes->n_lanes; i++) {
		lanes->ends[i] = lane_ends_open(LANES_QUEUE);
		assert_int_equal(fcntl(3 + (int)i, F_GETFD), -1);
		assert_int_equal(dup2(lanes->ends[i].read_fd, 3 + (int)i), 3 + (int)i);
	}
	lanes_set_environment(getpid(), lanes->n_lanes, names);
	assert_int_equal(inko_mailbox_open_own(&lanes->own), 0);
}

static inline void lanes_close(struct lanes *lanes)
{
	lanes->own = inko_mailbox_close(lanes->own);
	for (size_t i = 0; i < lanes->n_lanes; i++)
		lane_ends_close(&lanes->ends[i]);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

/* Sends as inkod or another actor would. The descriptors stay the caller's. */
static inline int lanes_send(struct lanes *lanes, size_t lane, enum envelope_kind kind,
	const char *body, const int *fds, size_t n_fds)
{
	struct envelope envelope = {.kind = kind};

	return lane_send(lanes->ends[lane].write_fd, &envelope, body, strlen(body), fds, n_fds);
}

static inline void lanes_tell(struct lanes *lanes, uint64_t number, unsigned int flags,
	const char *peer, const int *fds, size_t n_fds)
{
	struct envelope envelope = {
		.kind = ENVELOPE_LANE, .flags = (uint8_t)flags, .correlation = number};

	assert_int_equal(
		lane_send(lanes->ends[0].write_fd, &envelope, peer, strlen(peer), fds, n_fds), 0);
}

static inline bool lanes_is_readable(const struct inko_mailbox *mailbox)
{
	struct pollfd readable = {.fd = inko_mailbox_get_fd(mailbox), .events = POLLIN};

	return poll(&readable, 1, 0) == 1;
}

/* Receives a message and compares its bytes. */
static inline void lanes_expect(struct inko_mailbox *mailbox, const char *bytes)
{
	struct inko_message *message;

	assert_int_equal(inko_mailbox_try_receive(mailbox, &message), 0);
	assert_string_equal(inko_message_peek_bytes(message, NULL), bytes);
	inko_message_free(message);
}

/* One end of a connection to hand over; the other is *ret_peer. */
static inline int lanes_connection(int *ret_peer)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	*ret_peer = lanes_move_up(fds[1]);
	return lanes_move_up(fds[0]);
}

/* Has the other side of the connection been closed everywhere? */
static inline bool lanes_is_hung_up(int peer)
{
	struct pollfd end = {.fd = peer};

	return poll(&end, 1, 0) == 1 && end.revents & POLLHUP;
}
