/*
 * By what names a process sends: lanes come one an instance, and are kept by actor whether the
 * program has opened that mailbox yet or not.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libclient/outboxes.h"
#include "libclient/wait-list.h"
#include "proto/descriptor.h"
#include "proto/lane.h"
#include "proto/name.h"

/* What belongs to all instances of an actor together ends with it in the name of a mailbox. */
#define SHARED_SUFFIX "/*"

void outboxes_done(struct outboxes *outboxes)
{
	while (outboxes->first) {
		struct outbox *outbox = outboxes->first;

		outboxes->first = *outbox_next(outbox);
		outbox_free(outbox);
	}
}

static struct outbox *outboxes_find(const struct outboxes *outboxes, const char *name)
{
	for (struct outbox *outbox = outboxes->first; outbox; outbox = *outbox_next(outbox))
		if (outbox_is_for(outbox, name))
			return outbox;
	return NULL;
}

static int outboxes_ensure(struct outboxes *outboxes, const char *name, struct outbox **ret_outbox)
{
	struct outbox *outbox = outboxes_find(outboxes, name);
	int r;

	if (!outbox) {
		r = outbox_new(name, &outbox);
		if (r < 0)
			return r;
		*outbox_next(outbox) = outboxes->first;
		outboxes->first = outbox;
	}
	*ret_outbox = outbox;
	return 0;
}

/* Of those that are not open nobody looks whether their lanes have ended, which would be kept for
 * ever: one for each life of each instance that this process may send to. */
static void outboxes_tidy(struct outboxes *outboxes)
{
	struct outbox **at = &outboxes->first;

	while (*at) {
		struct outbox *outbox = *at;

		if (!outbox_is_open(outbox))
			outbox_tidy(outbox);
		if (outbox_is_open(outbox) || !outbox_is_empty(outbox)) {
			at = outbox_next(outbox);
			continue;
		}
		*at = *outbox_next(outbox);
		outbox_free(outbox);
	}
}

static bool is_shared_name(const char *name)
{
	size_t length = strlen(name), suffix = strlen(SHARED_SUFFIX);

	return length > suffix && strcmp(name + length - suffix, SHARED_SUFFIX) == 0;
}

int outboxes_add_lane(struct outboxes *outboxes, const char *peer, uint64_t number, int *take_fd)
{
	_cleanup_free_ char *name = strdup(peer);
	struct outbox *outbox;
	int r;

	if (!name)
		return -ENOMEM;
	if (!is_shared_name(name))
		name[strcspn(name, "/")] = '\0';
	outboxes_tidy(outboxes);
	r = outboxes_ensure(outboxes, name, &outbox);
	return r < 0 ? r : outbox_add_lane(outbox, number, take_fd);
}

static int check_name(const char *name)
{
	_cleanup_free_ char *actor = strdup(name);

	if (!actor)
		return -ENOMEM;
	if (is_shared_name(actor))
		actor[strlen(actor) - strlen(SHARED_SUFFIX)] = '\0';
	return name_is_valid(actor) ? 0 : -EINVAL;
}

int outboxes_open(struct outboxes *outboxes, const char *name, struct outbox **ret_outbox)
{
	struct outbox *outbox = NULL;
	int r = check_name(name);

	if (r == 0 && outboxes->charge_bytes == 0)
		r = lane_measure_charge(&outboxes->charge_bytes);
	if (r == 0)
		r = outboxes_ensure(outboxes, name, &outbox);
	if (r == 0)
		r = outbox_open(outbox, outboxes->charge_bytes);
	if (r == 0)
		*ret_outbox = outbox;
	return r;
}

void outboxes_close(struct outboxes *outboxes, struct outbox *outbox)
{
	outbox_close(outbox);
	outboxes_tidy(outboxes);
}

void outboxes_tell_news(struct outboxes *outboxes)
{
	for (struct outbox *outbox = outboxes->first; outbox; outbox = *outbox_next(outbox))
		wait_list_wake_all(outbox_peek_news(outbox));
}
