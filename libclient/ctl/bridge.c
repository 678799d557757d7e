/*
 * The other end of --host: standard input and output are a connection to inkod.
 */

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <inko/control.h>

#include "errors.h"
#include "verbs.h"

#define BLOCK_BYTES 65536

static bool write_all(int fd, const char *bytes, size_t size)
{
	ssize_t n;

	for (size_t written = 0; written < size; written += n) {
		n = write(fd, bytes + written, size - written);
		if (n < 0 && errno != EINTR)
			return false;
		n = n < 0 ? 0 : n;
	}
	return true;
}

/* Carries over what is there to be read. False when from has ended, or to takes nothing. */
static bool carry(int from, int to)
{
	char bytes[BLOCK_BYTES];
	ssize_t n = read(from, bytes, sizeof(bytes));

	if (n < 0)
		return errno == EINTR;
	return n > 0 && write_all(to, bytes, n);
}

/* Until one side has left. Whoever asked and shut his side down still gets the answer. */
static int bridge(int inkod)
{
	struct pollfd ends[] = {
		{.fd = inkod, .events = POLLIN},
		{.fd = STDIN_FILENO, .events = POLLIN},
		{.fd = STDOUT_FILENO},
	};

	for (;;) {
		if (poll(ends, sizeof(ends) / sizeof(ends[0]), -1) < 0 && errno != EINTR)
			return complain(STATUS_REFUSED, "cannot wait: %s", strerror(errno));
		if (ends[0].revents && !carry(inkod, STDOUT_FILENO))
			return STATUS_DONE;
		if (ends[1].revents && !carry(STDIN_FILENO, inkod)) {
			ends[1].fd = -1;
			(void)shutdown(inkod, SHUT_WR);
		}
		if (ends[2].revents & POLLERR)
			return STATUS_DONE;
	}
}

int run_bridge(struct session *session, const struct verb *verb, cJSON *parameters)
{
	int inkod, status = session_open(session);

	(void)verb;
	(void)parameters;
	if (status != STATUS_DONE)
		return status;
	inkod = inko_control_release(session->control);
	session->control = NULL;
	status = bridge(inkod);
	close(inkod);
	return status;
}
