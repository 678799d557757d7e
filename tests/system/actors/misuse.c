/*
 * misuse HOW: an actor that does to the lanes it holds what no actor should, again and again. It
 * serves nobody. Its status line says what the kernel answered last.
 *
 * It speaks the protocol by itself: libinko would not let it.
 */

#include <errno.h>
#include <fcntl.h>
#include <inko/actor.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/envelope.h"
#include "proto/passing.h"

#define FIRST_FD 3
#define LANES_MAX 64
#define PAUSE_MSEC 5

/* Of Linux 6.16; older headers do not know it and older kernels refuse it. */
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

struct lanes {
	int in[LANES_MAX];
	size_t n_in;
	int out[LANES_MAX];
	size_t n_out;
};

/* Each works on one descriptor and returns 0 or a negative errno. */
typedef int misuse_fn(int fd);

static int send_descriptors(int fd, const void *bytes, size_t size)
{
	struct iovec iov = {(void *)bytes, size};
	int fds[LIMIT_SOCKETS];
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int r;

	if (null < 0)
		return -errno;
	for (size_t i = 0; i < LIMIT_SOCKETS; i++)
		fds[i] = null;
	r = passing_send(fd, &iov, 1, fds, LIMIT_SOCKETS);
	(void)close(null);
	return r;
}

static int fill_backwards(int fd)
{
	return send_descriptors(fd, "x", 1);
}

static int shut_down(int fd)
{
	return shutdown(fd, SHUT_RDWR) < 0 ? -errno : 0;
}

static int set_options(int fd)
{
	static const struct {
		int name, value;
	} options[] = {
		{SO_RCVBUF, 1},
		{SO_SNDBUF, 1},
		{SO_PEEK_OFF, 100},
		{SO_PASSCRED, 1},
		{SO_PASSRIGHTS, 0},
	};
	int r = 0;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (setsockopt(fd, SOL_SOCKET, options[i].name, &options[i].value,
			    sizeof(options[i].value)) < 0)
			r = -errno;
	return r;
}

static int make_blocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ? -errno : 0;
}

static int send_noise(int fd)
{
	unsigned char noise[3000];
	size_t size = 1 + (size_t)(rand() % (int)sizeof(noise));

	for (size_t i = 0; i < size; i++)
		noise[i] = (unsigned char)rand();
	return send(fd, noise, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* What only the supervisor may say: to stop, and to receive from a lane of the sender's. */
static int forge(int fd)
{
	struct envelope stop = {.version = ENVELOPE_VERSION, .kind = ENVELOPE_STOP};
	struct envelope lane = {.version = ENVELOPE_VERSION,
		.kind = ENVELOPE_LANE,
		.flags = ENVELOPE_LANE_IN,
		.sockets = 1,
		.correlation = 1};
	struct iovec iov = {&lane, sizeof(lane)};
	int r;

	r = send(fd, &stop, sizeof(stop), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
	return r < 0 ? r : passing_send(fd, &iov, 1, &fd, 1);
}

/* A body that its sender can still shrink while it is being read. */
static int send_unsealed(int fd)
{
	struct envelope envelope = {.version = ENVELOPE_VERSION,
		.kind = ENVELOPE_MESSAGE,
		.flags = ENVELOPE_BODY_MEMFD,
		.length = 65536};
	struct iovec iov = {&envelope, sizeof(envelope)};
	int body = memfd_create("body", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r = body < 0 || ftruncate(body, 65536) < 0 ? -errno : 0;

	if (r >= 0)
		r = passing_send(fd, &iov, 1, &body, 1);
	if (body >= 0) {
		if (ftruncate(body, 0) < 0 && r >= 0)
			r = -errno;
		(void)close(body);
	}
	return r;
}

static int send_garbage(int fd)
{
	static misuse_fn *const ways[] = {send_noise, forge, send_unsealed};

	return ways[rand() % 3](fd);
}

static int send_many(int fd)
{
	struct envelope envelope = {
		.version = ENVELOPE_VERSION, .kind = ENVELOPE_MESSAGE, .sockets = LIMIT_SOCKETS};

	/* Every other one says that it brings less than it does. */
	if (rand() % 2)
		envelope.sockets = 1;
	return send_descriptors(fd, &envelope, sizeof(envelope));
}

static const struct way {
	const char *name;
	misuse_fn *on_in;
	misuse_fn *on_out;
} ways[] = {
	{"fill", fill_backwards, NULL},
	{"shutdown", shut_down, shut_down},
	{"options", set_options, set_options},
	{"blocking", make_blocking, make_blocking},
	{"garbage", NULL, send_garbage},
	{"descriptors", NULL, send_many},
};

static void keep_lane(int fd, int *fds, size_t *n)
{
	if (*n < LANES_MAX)
		fds[(*n)++] = fd;
	else
		(void)close(fd);
}

/* Takes the lanes that the supervisor sends. False when it says stop. */
static bool receive_lanes(struct lanes *lanes)
{
	union {
		struct envelope envelope;
		char bytes[sizeof(struct envelope) + 256];
	} datagram;
	struct iovec iov = {&datagram, sizeof(datagram)};
	struct passed passed;

	for (;;) {
		ssize_t n = passing_receive(FIRST_FD, &iov, 1, 0, &passed);
		size_t i = 0;

		/* One's own shutdown looks like the end: go on until a signal comes. */
		if (n <= 0)
			return true;
		if (datagram.envelope.kind == ENVELOPE_STOP)
			return false;
		if (datagram.envelope.flags & ENVELOPE_LANE_IN && i < passed.n_fds)
			keep_lane(passed.fds[i++], lanes->in, &lanes->n_in);
		if (datagram.envelope.flags & ENVELOPE_LANE_OUT && i < passed.n_fds)
			keep_lane(passed.fds[i++], lanes->out, &lanes->n_out);
		while (i < passed.n_fds)
			(void)close(passed.fds[i++]);
	}
}

static void misuse(const struct way *way, const struct lanes *lanes)
{
	char line[128];
	int in = 0;
	int out = 0;

	for (size_t i = 0; way->on_in && i < lanes->n_in; i++)
		in = way->on_in(lanes->in[i]);
	for (size_t i = 0; way->on_out && i < lanes->n_out; i++)
		out = way->on_out(lanes->out[i]);
	(void)snprintf(line, sizeof(line), "STATUS=in %zu: %s, out %zu: %s", lanes->n_in,
		strerrorname_np(-in), lanes->n_out, strerrorname_np(-out));
	(void)inko_actor_notify(line);
}

int main(int argc, char **argv)
{
	struct lanes lanes = {.in = {FIRST_FD}, .n_in = 1};
	const struct way *way = NULL;
	int n_given = getenv("LISTEN_FDS") ? atoi(getenv("LISTEN_FDS")) : 0;

	for (size_t i = 0; argc == 2 && i < sizeof(ways) / sizeof(ways[0]); i++)
		if (strcmp(argv[1], ways[i].name) == 0)
			way = &ways[i];
	if (!way || n_given < 1)
		return 2;
	for (int i = 1; i < n_given; i++)
		keep_lane(FIRST_FD + i, lanes.in, &lanes.n_in);
	if (inko_actor_ready() < 0)
		return 1;
	while (receive_lanes(&lanes)) {
		misuse(way, &lanes);
		(void)poll(NULL, 0, PAUSE_MSEC);
	}
	return 0;
}
