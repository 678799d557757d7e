/*
 * The mailbox that a process receives from, and what inkod says in it.
 *
 * The first lane is the supervisor's. By it come the others, to receive from and to send to, and
 * the word to stop; so it is listened to whatever else the program waits for.
 */

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "libclient/counters.h"
#include "libclient/inbox.h"
#include "libclient/inherited.h"
#include "libclient/inlets.h"
#include "libclient/message.h"
#include "libclient/outboxes.h"
#include "libclient/service.h"
#include "libclient/wait-list.h"
#include "proto/counters.h"
#include "proto/descriptor.h"
#include "proto/lane.h"
#include "proto/limits.h"

/* What a lane sends us in vain (garbage) may not keep the program from its other work. */
#define RECEIVE_TRIES 64

/* While the program accepts or sends, listeners that inkod gives it meanwhile are kept here for
 * receive, so that the stop behind them is seen. inkod gives them again after a death. */
#define HELD_MAX 16

struct inbox {
	struct inlet *supervisor; /* in the epoll of the others, but not in their set */
	struct inlets inlets;
	struct outboxes outboxes;

	struct service *service;
	unsigned int concurrency;
	bool stopping; /* told to, or inkod is gone */

	struct message_queue held;
	struct counters_page *counters;
	struct wait_list news;
};

static bool inbox_has_ended(const struct inbox *inbox)
{
	return inbox->stopping && inbox->inlets.n == 0;
}

/* What to watch */

/* The supervisor's lane is watched for messages until stop. For as long as there is something to
 * tell that is not in the kernel (a held message, the end) it is watched for room as well: there
 * is always room, since nothing goes that way, so that the mailbox is readable. */
static void inbox_watch_supervisor(struct inbox *inbox)
{
	bool tell = inbox->held.n_messages > 0 || inbox_has_ended(inbox);

	(void)inlets_watch(&inbox->inlets, inbox->supervisor,
		(inbox->stopping ? 0u : EPOLLIN) | (tell ? EPOLLOUT : 0u));
}

/* At the limit only the supervisor's lane is read. */
static bool inbox_is_at_limit(const struct inbox *inbox)
{
	return inbox->service->n_open >= inbox->concurrency;
}

/* A connection was closed, or more are allowed. */
static void inbox_resume(void *context)
{
	struct inbox *inbox = context;

	if (!inbox_is_at_limit(inbox))
		inlets_resume(&inbox->inlets);
}

void inbox_set_concurrency(struct inbox *inbox, unsigned int connections)
{
	inbox->concurrency = connections;
	inbox_resume(inbox);
}

/* Stopping */

struct wait_list *inbox_peek_news(struct inbox *inbox)
{
	return &inbox->news;
}

/* Whoever waits for something beside inkod's lane looks again. */
static void inbox_tell_news(struct inbox *inbox)
{
	wait_list_wake_all(&inbox->news);
	outboxes_tell_news(&inbox->outboxes);
}

/* The last of them may have been what the end waited for. */
static void inbox_drop(struct inbox *inbox, struct inlet *inlet)
{
	inlets_drop(&inbox->inlets, inlet);
	inbox_watch_supervisor(inbox);
}

/* From now on receive what is here and nothing else. What only we read ends by being revoked,
 * if that was not done before; what siblings read too is theirs, unless inkod is gone and they are
 * told the same. */
static void inbox_stop(struct inbox *inbox, bool gone)
{
	inbox->stopping = true;
	inlets_forget_turns(&inbox->inlets);
	for (size_t i = inbox->inlets.n; i-- > 0;) {
		struct inlet *inlet = inbox->inlets.all[i];

		if (inlet->shared && !gone)
			inbox_drop(inbox, inlet);
		else
			(void)lane_revoke(inlet->fd);
	}
	inbox_watch_supervisor(inbox);
	inbox_tell_news(inbox);
}

int inbox_open_outbox(struct inbox *inbox, const char *name, struct outbox **ret_outbox)
{
	return outboxes_open(&inbox->outboxes, name, ret_outbox);
}

void inbox_close_outbox(struct inbox *inbox, struct outbox *outbox)
{
	outboxes_close(&inbox->outboxes, outbox);
}

/* Lane messages */

/* One more lane to receive from; way_fd is where answers go, or -1. */
static int inbox_add_inlet(
	struct inbox *inbox, const struct envelope *envelope, int *take_fd, int *take_way_fd)
{
	struct inlet *inlet;
	int r;

	if (inlets_know(&inbox->inlets, envelope->correlation))
		return 0;
	r = inlet_new(take_fd, envelope->flags & ENVELOPE_LANE_SHARED, &inlet);
	if (r < 0)
		return r;
	inlet->single = envelope->flags & ENVELOPE_LANE_SINGLE;
	inlet->number = envelope->correlation;
	if (*take_way_fd >= 0)
		r = answer_way_new(take_way_fd, &inlet->way);
	if (r == 0)
		r = inlets_add(&inbox->inlets, inlet);
	if (r < 0)
		inlet_free(inlet);
	return r;
}

static int inbox_handle_lane(struct inbox *inbox, struct lane_message *message)
{
	const struct envelope *envelope = &message->envelope;
	struct passed *passed = &message->passed;
	int no_way = -1;

	switch (envelope->flags & (ENVELOPE_LANE_IN | ENVELOPE_LANE_OUT)) {
	case ENVELOPE_LANE_IN | ENVELOPE_LANE_OUT:
		return inbox_add_inlet(inbox, envelope, &passed->fds[0], &passed->fds[1]);
	case ENVELOPE_LANE_IN:
		return inbox_add_inlet(inbox, envelope, &passed->fds[0], &no_way);
	case ENVELOPE_LANE_OUT:
		if (!message->body)
			return 0;
		return outboxes_add_lane(
			&inbox->outboxes, message->body, envelope->correlation, &passed->fds[0]);
	default:
		return 0;
	}
}

/* Receiving */

/* What comes off a lane and is not for the program: true. Only inkod may say such things. */
static bool inbox_is_internal(
	const struct inbox *inbox, const struct inlet *inlet, const struct lane_message *message)
{
	switch (message->envelope.kind) {
	case ENVELOPE_LANE:
	case ENVELOPE_STOP:
		return true;
	case ENVELOPE_LISTENER:
		return inlet != inbox->supervisor;
	default:
		return false;
	}
}

static int inbox_handle(
	struct inbox *inbox, const struct inlet *inlet, struct lane_message *message)
{
	if (inlet != inbox->supervisor)
		return 0;
	if (message->envelope.kind == ENVELOPE_LANE)
		return inbox_handle_lane(inbox, message);
	if (message->envelope.kind == ENVELOPE_STOP)
		inbox_stop(inbox, false);
	return 0;
}

static void inbox_end_inlet(struct inbox *inbox, struct inlet *inlet)
{
	inlets_end_turn(&inbox->inlets);
	if (inlet == inbox->supervisor)
		inbox_stop(inbox, true);
	else
		inbox_drop(inbox, inlet);
}

/* Receives one message: 1 and a message for the program, 0 when something else was done, or what
 * lane_receive says. */
static int inbox_receive_from(
	struct inbox *inbox, struct inlet *inlet, struct inko_message **ret_message)
{
	struct lane_message message;
	int r = lane_receive(inlet->fd, inlet->single, &message);

	switch (r) {
	case 1:
		break;
	case 0:
		inbox_end_inlet(inbox, inlet);
		return 0;
	case -EBADMSG:	  /* it is gone, go on with the next */
	case -ECONNRESET: /* the sender closed: what it sent before follows */
		return 0;
	default:
		return r;
	}
	if (inbox_is_internal(inbox, inlet, &message))
		r = inbox_handle(inbox, inlet, &message);
	else
		r = message_new_from_lane(&message, inbox->service, inlet->way, ret_message) ?: 1;
	/* What inkod itself says is no traffic. */
	if (r == 1 && inlet != inbox->supervisor)
		counters_note_received(inbox->counters, &message.envelope);
	lane_message_done(&message);
	return r;
}

static struct inko_message *inbox_take_held(struct inbox *inbox)
{
	struct inko_message *message = message_queue_take(&inbox->held);

	if (message)
		inbox_watch_supervisor(inbox);
	return message;
}

static int inbox_try_receive(void *context, struct inko_message **ret_message)
{
	struct inbox *inbox = context;
	struct inko_message *held = inbox_take_held(inbox);

	if (held) {
		*ret_message = held;
		return 0;
	}
	if (inbox_is_at_limit(inbox))
		inlets_pause(&inbox->inlets);
	for (unsigned int n_tries = 0; n_tries < RECEIVE_TRIES && !inbox_has_ended(inbox);
		n_tries++) {
		struct inlet *inlet = inlets_take_turn(&inbox->inlets);
		int r;

		if (!inlet)
			return -EAGAIN;
		r = inbox_receive_from(inbox, inlet, ret_message);
		if (r == 1)
			return 0;
		/* It is empty, a sibling was first, or there is no room for what it brings: in any
		 * case the next lane may do better. */
		if (r < 0)
			inlets_end_turn(&inbox->inlets);
		if (r < 0 && r != -EAGAIN)
			return r;
	}
	return inbox_has_ended(inbox) ? -ESHUTDOWN : -EAGAIN;
}

struct counters_page *inbox_peek_counters(const struct inbox *inbox)
{
	return inbox->counters;
}

/* While the program does something else than to receive. */

static bool inbox_can_listen(const struct inbox *inbox)
{
	return !inbox->stopping && inbox->held.n_messages < HELD_MAX;
}

int inbox_listen_to_supervisor(struct inbox *inbox)
{
	while (inbox_can_listen(inbox)) {
		struct inko_message *message;
		int r = inbox_receive_from(inbox, inbox->supervisor, &message);

		if (r == -EAGAIN)
			return 0;
		if (r < 0)
			return r;
		if (r == 1) {
			message_queue_push(&inbox->held, message);
			inbox_watch_supervisor(inbox);
		}
	}
	return 0;
}

struct pollfd inbox_poll_supervisor(const struct inbox *inbox)
{
	int fd = inbox_can_listen(inbox) ? inbox->supervisor->fd : -1;

	return (struct pollfd){.fd = fd, .events = POLLIN};
}

bool inbox_is_stopping(const struct inbox *inbox)
{
	return inbox->stopping;
}

/* Lifecycle */

/* The first lane that nobody else reads is the supervisor's. Takes the read end on success. */
static int inbox_add_inherited(struct inbox *inbox, int *take_fd, bool shared)
{
	struct inlet *inlet;
	int r;

	r = inlet_new(take_fd, shared, &inlet);
	if (r < 0)
		return r;
	if (!inbox->supervisor && !shared) {
		inbox->supervisor = inlet;
		inbox_watch_supervisor(inbox);
		return inlet->events ? 0 : -ENOMEM;
	}
	/* Those that inkod's own actors send on alone. */
	inlet->single = !shared;
	r = inlets_add(&inbox->inlets, inlet);
	if (r < 0)
		inlet_free(inlet);
	return r;
}

static int inbox_add_all_inherited(struct inbox *inbox, struct inherited *inherited)
{
	_cleanup_close_ int fd = -1;
	bool shared;
	int r;

	while ((r = inherited_take(inherited, &fd, &shared)) > 0) {
		r = inbox_add_inherited(inbox, &fd, shared);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	return inbox->supervisor ? 0 : -ENOENT;
}

/* What the actor's spec says, as inkod passes it on. */
static unsigned int read_concurrency(void)
{
	const char *text = getenv("INKO_CONCURRENCY");
	unsigned long connections = text ? strtoul(text, NULL, 10) : 0;

	return connections > 0 && connections <= LIMIT_CONCURRENCY ? (unsigned int)connections
								   : LIMIT_CONCURRENCY_DEFAULT;
}

static int inbox_init(struct inbox *inbox)
{
	int r;

	*inbox = (struct inbox){.concurrency = read_concurrency()};
	r = inlets_init(&inbox->inlets);
	if (r < 0)
		return r;
	inbox->service = service_new(inbox_resume, inbox);
	return inbox->service ? 0 : -ENOMEM;
}

int inbox_new(struct inbox **ret_inbox)
{
	struct inherited inherited;
	struct inbox *inbox;
	int counters_fd, r;

	/* Before the first descriptor of our own. */
	r = inherited_init(&inherited);
	if (r < 0)
		return r;
	inbox = malloc(sizeof(*inbox));
	if (!inbox)
		return -ENOMEM;
	r = inbox_init(inbox);
	counters_fd = inherited_find(&inherited, COUNTERS_FD_NAME);
	inbox->counters = counters_map(&counters_fd);
	if (r == 0)
		r = inbox_add_all_inherited(inbox, &inherited);
	if (r < 0) {
		inbox_free(inbox);
		return r;
	}
	*ret_inbox = inbox;
	return 0;
}

struct inbox *inbox_free(struct inbox *inbox)
{
	if (!inbox)
		return NULL;
	if (inbox->service)
		service_abandon(inbox->service);
	message_queue_done(&inbox->held);
	outboxes_done(&inbox->outboxes);
	inlets_done(&inbox->inlets);
	inlet_free(inbox->supervisor);
	counters_unmap(inbox->counters);
	free(inbox);
	return NULL;
}

/* As a mailbox */

static int inbox_get_fd(void *context)
{
	return ((struct inbox *)context)->inlets.epoll_fd;
}

static void inbox_close(void *context)
{
	inbox_free(context);
}

const struct inko_mailbox_transport inbox_transport = {
	.get_fd = inbox_get_fd,
	.try_receive = inbox_try_receive,
	.close = inbox_close,
};
