/*
 * Attempts to connect to several addresses, as happy-eyeballs.h says when. The first that stands is
 * the socket, the others are closed.
 */

#include <errno.h>
#include <stdbool.h>

#include "libclient/connect-any.h"
#include "libclient/connect.h"
#include "libclient/happy-eyeballs.h"
#include "libclient/socket.h"
#include "libclient/tcp.h"
#include "libclient/wait.h"
#include "proto/descriptor.h"

#include <inko/option.h>
#include <inko/resolve.h>
#include <inko/tcp.h>

#define PORT_MAX 65535u

struct race {
	struct happy_eyeballs course;
	struct inko_socket
		*sockets[HAPPY_EYEBALLS_ATTEMPTS];	 /* of course.ips; NULL once it failed */
	struct pollfd attempts[HAPPY_EYEBALLS_ATTEMPTS]; /* fd is -1 then */
	unsigned int port;
	uint64_t deadline_usec;
};

static void race_done(struct race *race)
{
	for (size_t i = 0; i < race->course.n_begun; i++)
		inko_socket_close(race->sockets[i]);
}

#define _cleanup_race_done_ __attribute__((cleanup(race_done)))

static void race_fail(struct race *race, size_t i, int error)
{
	race->sockets[i] = inko_socket_close(race->sockets[i]);
	race->attempts[i].fd = -1;
	happy_eyeballs_fail(&race->course, error);
}

static void race_begin(struct race *race)
{
	size_t i = race->course.n_begun - 1;
	const struct inko_ip *ip = &race->course.ips[i];
	int r = tcp_open(ip, &race->sockets[i]);

	race->attempts[i] = (struct pollfd){.fd = -1, .events = POLLOUT};
	if (r == 0) {
		race->attempts[i].fd = race->sockets[i]->fd;
		r = connect_begin(race->sockets[i], ip, race->port);
	}
	if (r < 0)
		race_fail(race, i, r);
}

/* Waits for an attempt to end, or for the next to be due. */
static int race_wait(struct race *race)
{
	uint64_t next_usec = race->course.next_usec;
	bool is_last = race->deadline_usec && (!next_usec || race->deadline_usec <= next_usec);
	int r;

	r = wait_for(
		race->attempts, race->course.n_begun, is_last ? race->deadline_usec : next_usec);
	return r == -ETIMEDOUT && !is_last ? 0 : r;
}

/* Looks at the attempts that have ended: the socket, or -EINPROGRESS while there is none. */
static int race_finish(struct race *race, struct inko_socket **ret_socket)
{
	for (size_t i = 0; i < race->course.n_begun; i++) {
		int r;

		if (race->attempts[i].fd < 0 || !race->attempts[i].revents)
			continue;
		r = connect_result(race->sockets[i]);
		if (r == 0)
			r = inko_socket_set_no_delay(race->sockets[i], true);
		if (r == 0) {
			*ret_socket = race->sockets[i];
			race->sockets[i] = NULL;
			return 0;
		}
		race_fail(race, i, r);
	}
	return -EINPROGRESS;
}

static int race_run(struct race *race, struct inko_socket **ret_socket)
{
	for (;;) {
		int r;

		switch (happy_eyeballs_step(&race->course, wait_now_usec())) {
		case HAPPY_EYEBALLS_BEGIN:
			race_begin(race);
			break;
		case HAPPY_EYEBALLS_WAIT:
			r = race_wait(race);
			if (r == 0)
				r = race_finish(race, ret_socket);
			if (r != -EINPROGRESS)
				return r;
			break;
		case HAPPY_EYEBALLS_GIVE_UP:
			return race->course.error;
		}
	}
}

int connect_any(const struct inko_ip *ips, size_t n_ips, unsigned int port, uint64_t delay_usec,
	uint64_t deadline_usec, struct inko_socket **ret_socket)
{
	_cleanup_race_done_ struct race race = {.port = port, .deadline_usec = deadline_usec};

	if (n_ips == 0 || port > PORT_MAX)
		return -EINVAL;
	happy_eyeballs_init(&race.course, ips, n_ips, delay_usec);
	return race_run(&race, ret_socket);
}

int inko_tcp_connect_any(const struct inko_ip *ips, size_t n_ips, unsigned int port,
	uint64_t deadline_usec, struct inko_socket **ret_socket)
{
	return connect_any(ips, n_ips, port, HAPPY_EYEBALLS_DELAY_USEC, deadline_usec, ret_socket);
}

int inko_tcp_connect_host(const char *host, unsigned int port, uint64_t deadline_usec,
	struct inko_socket **ret_socket)
{
	_cleanup_free_ struct inko_ip *ips = NULL;
	size_t n_ips;
	int r;

	if (port > PORT_MAX)
		return -EINVAL;
	r = inko_resolve(host, deadline_usec, &ips, &n_ips);
	if (r < 0)
		return r;
	return inko_tcp_connect_any(ips, n_ips, port, deadline_usec, ret_socket);
}
