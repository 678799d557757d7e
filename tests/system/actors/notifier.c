/*
 * Says that it is ready and waits: an actor that costs next to nothing, so that a test can have a
 * thousand. With a file it pings its notify socket every 10 ms as a watchdog's client does, and
 * writes there how many pings it sent and how many of these it would have been blocked in.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PING_USEC 10000

static int notify(int fd, const struct sockaddr_un *address, const char *line, int flags)
{
	return sendto(fd, line, strlen(line), MSG_NOSIGNAL | flags,
		       (const struct sockaddr *)address, sizeof(*address)) < 0
		       ? -errno
		       : 0;
}

static int ping(int fd, const struct sockaddr_un *address, int record_fd)
{
	int64_t n = 0, n_blocked = 0;

	for (;;) {
		int r = notify(fd, address, "WATCHDOG=1", MSG_DONTWAIT);
		char text[64];

		if (r == -EAGAIN) {
			n_blocked++;
			r = notify(fd, address, "WATCHDOG=1", 0);
		}
		if (r < 0)
			return EXIT_FAILURE;
		(void)snprintf(text, sizeof(text), "%20lld %20lld\n", (long long)++n,
			(long long)n_blocked);
		if (pwrite(record_fd, text, strlen(text), 0) < 0)
			return EXIT_FAILURE;
		(void)usleep(PING_USEC);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int record_fd = argc > 1 ? open(argv[1], O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;

	if (!path || strlen(path) >= sizeof(address.sun_path) || fd < 0 ||
		(argc > 1 && record_fd < 0))
		return EXIT_FAILURE;
	(void)strcpy(address.sun_path, path);
	if (notify(fd, &address, "READY=1", 0) < 0)
		return EXIT_FAILURE;
	if (record_fd >= 0)
		return ping(fd, &address, record_fd);
	(void)pause();
	return EXIT_SUCCESS;
}
