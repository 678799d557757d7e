/*
 * Sockets that come with the process are held like everything else: a restart of inkod is given
 * them again, a restart of the supervisor is not. That they are what a listener needs is for the
 * supervisor to look at, who can tell a person.
 */

#include "daemon/keeper/inherit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/keeper/log.h"
#include "proto/descriptor.h"
#include "proto/name.h"

#define FIRST_FD (STDERR_FILENO + 1)
/* Far above what socket units name, and below what a soft limit of open files usually is. */
#define SOCKETS_MAX 256

static size_t count_given(void)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");

	if (!pid || !n || strtol(pid, NULL, 10) != getpid())
		return 0;
	return strtoul(n, NULL, 10);
}

/* O_NONBLOCK is of the socket, not of the descriptor: systemd clears it at each start where a unit
 * does not say NonBlocking=, under the hands of an acceptor that lives on. */
static void adopt(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (flags >= 0 && !(flags & O_NONBLOCK))
		(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

void inherit_take(struct inherited *ret_inherited)
{
	const char *names = getenv("LISTEN_FDNAMES");
	size_t n = count_given();

	if (n > SOCKETS_MAX) {
		log_line("was given %zu sockets and takes the first %d; the others are closed", n,
			SOCKETS_MAX);
		n = SOCKETS_MAX;
	}
	for (size_t i = 0; i < n; i++)
		adopt(FIRST_FD + (int)i);
	ret_inherited->names = strdup(names ? names : "");
	ret_inherited->n = ret_inherited->names ? n : 0;
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
}

static void put(struct store *store, const char *name, int *take_fd)
{
	struct keep_message message = {.verb = KEEP_PUT, .bytes = strdup("{}"), .n_bytes = 2};
	int r;

	(void)snprintf(message.key, sizeof(message.key), KEEP_SOCKET "%s", name);
	message.passed.fds[0] = descriptor_take(take_fd);
	message.passed.n_fds = 1;
	r = message.bytes ? store_put(store, &message) : -ENOMEM;
	if (r < 0)
		log_line("cannot hold the socket %s that it was given: %s", name, strerror(-r));
	keep_message_done(&message);
}

void inherit_put(struct inherited *inherited, struct store *store)
{
	char *rest = inherited->names, *seen[SOCKETS_MAX];

	for (size_t i = 0; i < inherited->n; i++) {
		_cleanup_close_ int fd = FIRST_FD + (int)i;
		char *name = strsep(&rest, ":");
		const char *complaint;
		size_t same = 0;

		/* Fewer names than sockets: what is left has none. */
		seen[i] = name = name ? name : strchr(inherited->names, '\0');
		while (strcmp(seen[same], name) != 0)
			same++;
		complaint = name_complaint(name);
		if (!complaint && same < i)
			complaint = "is another one's already; give each a FileDescriptorName= of "
				    "its own";
		if (complaint)
			log_line("closed a socket that it was given: its name '%.100s' %s", name,
				complaint);
		else
			put(store, name, &fd);
	}
	free(inherited->names);
	*inherited = (struct inherited){0};
}
