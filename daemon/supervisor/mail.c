#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/held-lane.h"
#include "daemon/supervisor/instance-state.h"
#include "daemon/supervisor/mail.h"
#include "daemon/supervisor/routing.h"
#include "proto/lane.h"

/* The lane is made when the first message is sent: most mailboxes never get one this way. */
static int send_to(struct instance *instance, const void *bytes, size_t size)
{
	struct envelope envelope = {.kind = ENVELOPE_MESSAGE};
	struct held_lane *lane;
	int r = routing_open_control(instance, &lane);

	return r < 0 ? r : lane_send(lane->write_fd, &envelope, bytes, size, NULL, 0);
}

int mail_send(struct actor *actor, const void *bytes, size_t size, const char **ret_instance)
{
	struct instance *instance;
	int64_t index = 0, n = 0;
	int r = -EHOSTDOWN;

	TAILQ_FOREACH(instance, &actor->instances, entries)
		n++;
	if (actor->next_mail >= n)
		actor->next_mail = 0;
	/* Twice around, from the one whose turn it is to the one before it. */
	for (int round = 0; round < 2; round++)
		TAILQ_FOREACH(instance, &actor->instances, entries) {
			if (index++ < actor->next_mail || index > actor->next_mail + n ||
				!instance_reads(instance) || !routing_has_mailbox(instance))
				continue;
			r = send_to(instance, bytes, size);
			if (r == -EAGAIN || r == -EPIPE)
				continue;
			actor->next_mail = index % n;
			*ret_instance = instance->name;
			return r;
		}
	return r;
}

static int decode_digit(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *found = c ? strchr(digits, c) : NULL;

	return found ? (int)(found - digits) : -EINVAL;
}

int mail_decode_base64(const char *text, void **ret_bytes, size_t *ret_size)
{
	size_t length = strlen(text), n = 0;
	size_t digits = length - (length > 0 && text[length - 1] == '=') -
			(length > 1 && text[length - 2] == '=');
	unsigned char *bytes;
	uint32_t bits = 0;

	if (length % 4 != 0)
		return -EINVAL;
	bytes = malloc(length / 4 * 3 + 1);
	if (!bytes)
		return -ENOMEM;
	for (size_t i = 0; i < digits; i++) {
		int digit = decode_digit(text[i]);

		if (digit < 0) {
			free(bytes);
			return -EINVAL;
		}
		bits = bits << 6 | (uint32_t)digit;
		if (i % 4 != 0)
			bytes[n++] = (unsigned char)(bits >> (6 - 2 * (i % 4)));
	}
	*ret_bytes = bytes;
	*ret_size = n;
	return 0;
}
