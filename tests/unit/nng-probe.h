#pragma once

/*
 * A listener of nng that is probed as port scanners do, by peers that leave during the handshake,
 * and what is left of it then. A case for each way to build it: with the mend, and nng alone.
 */

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <inko/remote.h>

#define NNG_PROBE_TIMES 100
#define NNG_PROBE_WAIT_MSEC 3000
/* So often a dialer finds one that leaves; each time it waits longer before it comes again. */
#define NNG_PROBE_LEAVES 10

struct nng_probe {
	char directory[32], path[48], url[64];
	struct inko_mailbox *listener;
};

/* A place for one, and nothing there. */
static inline void nng_probe_prepare(struct nng_probe *probe)
{
	*probe = (struct nng_probe){.directory = "/tmp/inko-test-nng.XXXXXX"};
	assert_non_null(mkdtemp(probe->directory));
	(void)snprintf(probe->path, sizeof(probe->path), "%s/s", probe->directory);
	(void)snprintf(probe->url, sizeof(probe->url), "ipc://%s", probe->path);
}

static inline void nng_probe_open(struct nng_probe *probe)
{
	nng_probe_prepare(probe);
	assert_int_equal(inko_mailbox_listen(probe->url, &probe->listener), 0);
}

static inline void nng_probe_close(struct nng_probe *probe)
{
	inko_mailbox_close(probe->listener);
	(void)unlink(probe->path);
	assert_int_equal(rmdir(probe->directory), 0);
}

/* Connects and leaves at once, again and again. Who does not read from the start is one who has
 * left, however late nng looks. */
static inline void nng_probe_disturb(const struct nng_probe *probe)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memcpy(address.sun_path, probe->path, strlen(probe->path));
	for (int i = 0; i < NNG_PROBE_TIMES; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		assert_true(fd >= 0);
		assert_int_equal(shutdown(fd, SHUT_RD), 0);
		(void)connect(fd, (const struct sockaddr *)&address, sizeof(address));
		close(fd);
	}
}

/* Listens, and leaves when somebody has connected: false when nobody does any more. */
static inline bool nng_probe_leave(const struct nng_probe *probe)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct pollfd arrival = {.events = POLLIN};
	bool came;

	memcpy(address.sun_path, probe->path, strlen(probe->path));
	arrival.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(arrival.fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(arrival.fd, 1), 0);
	came = poll(&arrival, 1, NNG_PROBE_WAIT_MSEC) == 1;
	close(arrival.fd);
	assert_int_equal(unlink(probe->path), 0);
	return came;
}

/* Does a message of sender arrive? */
static inline bool nng_probe_delivers_of(const struct nng_probe *probe, struct inko_mailbox *sender)
{
	struct pollfd room = {.events = POLLIN}, arrival = {.events = POLLIN};
	struct inko_message *message;
	bool arrives = false;

	room.fd = inko_mailbox_get_fd(sender);
	arrival.fd = inko_mailbox_get_fd(probe->listener);
	assert_int_equal(inko_message_new("x", 1, &message), 0);
	(void)poll(&room, 1, NNG_PROBE_WAIT_MSEC);
	if (inko_mailbox_try_send(sender, message) < 0)
		inko_message_free(message);
	else if (poll(&arrival, 1, NNG_PROBE_WAIT_MSEC) == 1)
		arrives = inko_mailbox_try_receive(probe->listener, &message) == 0;
	if (arrives)
		inko_message_free(message);
	return arrives;
}

/* And one from somebody who comes now? */
static inline bool nng_probe_delivers(const struct nng_probe *probe)
{
	struct inko_mailbox *sender;
	bool arrives;

	assert_int_equal(inko_mailbox_dial(probe->url, &sender), 0);
	arrives = nng_probe_delivers_of(probe, sender);
	inko_mailbox_close(sender);
	return arrives;
}
