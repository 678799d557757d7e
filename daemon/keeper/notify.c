/*
 * Only the keeper may speak to systemd (NotifyAccess=main), and it must never wait for it: what
 * does not go through now is said later, together with what comes meanwhile.
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

/* Is there a line in text with the name that line has? */
static bool has_name(const char *text, const char *line)
{
	size_t length = strcspn(line, "=\n");

	for (; text; text = strchr(text, '\n')) {
		text += *text == '\n';
		if (strncmp(text, line, length) == 0 && text[length] == '=')
			return true;
	}
	return false;
}

/* Leaves out of older what text says anew, so that it stays as short as there are names. */
static void join(const char *text, char *older, char both[static NOTIFY_BYTES])
{
	size_t length = (size_t)snprintf(both, NOTIFY_BYTES, "%s", text);

	for (char *line = strsep(&older, "\n"); line; line = strsep(&older, "\n"))
		if (*line && !has_name(text, line) && length + 1 + strlen(line) < NOTIFY_BYTES)
			length += (size_t)sprintf(both + length, "\n%s", line);
}

void notify_say(struct notify *notify, const char *text, uint64_t now_msec)
{
	char both[NOTIFY_BYTES];
	bool was_waiting = notify->waiting[0] != '\0';

	if (!notify_is_wanted(notify) || strlen(text) >= sizeof(both))
		return;
	join(text, notify->waiting, both);
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
