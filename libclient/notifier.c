/*
 * Notifiers: an eventfd that counts notifications, so that one which nobody waits for yet is kept.
 */

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "libclient/notifier.h"
#include "libclient/socket.h"
#include "proto/descriptor.h"

struct inko_notifier {
	int fd;
};

int inko_notifier_new(struct inko_notifier **ret_notifier)
{
	_cleanup_close_ int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
	struct inko_notifier *notifier;

	if (fd < 0)
		return -errno;
	notifier = malloc(sizeof(*notifier));
	if (!notifier)
		return -ENOMEM;
	notifier->fd = descriptor_take(&fd);
	*ret_notifier = notifier;
	return 0;
}

struct inko_notifier *inko_notifier_free(struct inko_notifier *notifier)
{
	if (!notifier)
		return NULL;
	descriptor_close(&notifier->fd);
	free(notifier);
	return NULL;
}

void inko_notifier_notify(struct inko_notifier *notifier)
{
	const uint64_t one = 1;
	int saved = errno;

	/* It fails only when there are 2^64 - 2 already. */
	(void)!write(notifier->fd, &one, sizeof(one));
	errno = saved;
}

int notifier_get_fd(const struct inko_notifier *notifier)
{
	return notifier->fd;
}

bool notifier_take(struct inko_notifier *notifier)
{
	uint64_t one;

	return read(notifier->fd, &one, sizeof(one)) == sizeof(one);
}

void inko_socket_set_notifier(struct inko_socket *listener, struct inko_notifier *notifier)
{
	listener->notifier = notifier;
}
