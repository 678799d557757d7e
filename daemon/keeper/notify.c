/*
 * Only the keeper may speak to systemd (NotifyAccess=main), and it must never wait for it: what
 * does not go through now is said later. Of a line that is said twice systemd takes the first, so
 * that what is newer goes in front.
 */

#include "daemon/keeper/notify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/keeper/log.h"
#include "proto/descriptor.h"

#define AGAIN_MSEC 100

/* unix(7): a path, or behind '@' a name in the abstract namespace, which has no NUL at its end. */
static int parse_address(const char *text, struct sockaddr_un *address, socklen_t *ret_length)
{
	size_t length = strlen(text);

	if ((text[0] != '/' && text[0] != '@') || length < 2)
		return -EINVAL;
	if (length >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path, text, length + 1);
	*ret_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	if (text[0] == '@')
		address->sun_path[0] = '\0';
	else
		*ret_length += 1;
	return 0;
}

void notify_open(struct notify *notify)
{
	const char *text = getenv("NOTIFY_SOCKET");
	int r;

	*notify = (struct notify){.fd = -1};
	if (!text || text[0] == '\0')
		return;
	r = parse_address(text, &notify->address, &notify->length);
	if (r == 0)
		notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (notify->fd < 0)
		log_line("NOTIFY_SOCKET=%.100s cannot be used: %s", text,
			strerror(r < 0 ? -r : errno));
}

void notify_close(struct notify *notify)
{
	descriptor_close(&notify->fd);
}

bool notify_is_wanted(const struct notify *notify)
{
	return notify->fd >= 0;
}

static void send_waiting(struct notify *notify, uint64_t now_msec)
{
	ssize_t size = sendto(notify->fd, notify->waiting, strlen(notify->waiting),
		MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&notify->address, notify->length);

	/* Whoever reads it may be starting again as well. */
	if (size < 0)
		notify->again_msec = now_msec + AGAIN_MSEC;
	else
		notify->waiting[0] = '\0';
}

void notify_say(struct notify *notify, const char *text, uint64_t now_msec)
{
	char both[NOTIFY_BYTES];
	bool was_waiting = notify->waiting[0] != '\0';
	int length;

	if (!notify_is_wanted(notify))
		return;
	length = snprintf(
		both, sizeof(both), "%s%s%s", text, was_waiting ? "\n" : "", notify->waiting);
	/* Of what is too much for one the older part is given up, whole lines of it. */
	while (length >= (int)sizeof(both) || length < 0) {
		char *newline = strrchr(both, '\n');

		if (!newline)
			return;
		*newline = '\0';
		length = (int)strlen(both);
	}
	(void)strcpy(notify->waiting, both);
	if (!was_waiting)
		send_waiting(notify, now_msec);
}

uint64_t notify_due_msec(const struct notify *notify)
{
	return notify->waiting[0] ? notify->again_msec : UINT64_MAX;
}

void notify_retry(struct notify *notify, uint64_t now_msec)
{
	if (now_msec >= notify_due_msec(notify))
		send_waiting(notify, now_msec);
}
