/*
 * The mailbox that a process receives from: a set of lanes behind one epoll descriptor. What has
 * not been received stays in the kernel, so that the descriptor, which is level-triggered, tells
 * the truth and a process that dies loses nothing of it.
 *
 * The first lane is the supervisor's. By it come the others, to receive from and to send to, and
 * the word to stop; so it is listened to whatever else the program waits for.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "libclient/counters.h"
#include "libclient/inbox.h"
#include "libclient/inherited.h"
#include "libclient/message.h"
#include "libclient/service.h"
#include "libclient/wait-list.h"
#include "proto/counters.h"
#include "proto/descriptor.h"
#include "proto/lane.h"
#include "proto/limits.h"
#include "proto/name.h"

/* Of one lane's messages so many are received before the next lane has its turn. */
#define LANE_BUDGET 16
#define READY_MAX 16
/* What a lane sends us in vain (garbage) may not keep the program from its other work. */
#define RECEIVE_TRIES 64

/* While the program accepts or sends, listeners that inkod gives it meanwhile are kept here for
 * receive, so that the stop behind them is seen. inkod gives them again after a death. */
#define HELD_MAX 16

/* What belongs to all instances of an actor together ends with it in the name of a mailbox. */
#define SHARED_SUFFIX "/*"

/* A lane to receive from. */
struct inlet {
	int fd;
	uint64_t number; /* 0 until it is known */
	bool shared;	 /* siblings read it too */
	bool single;	 /* each message brings one descriptor at most */
	struct answer_way *way;
};

struct inbox {
	int epoll_fd;
	struct inlet *supervisor;
	uint32_t supervisor_events; /* it is watched for; 0: it is not in the epoll */
	struct inlet **inlets;	    /* all others */
	size_t n_inlets;

	/* What the last epoll_wait found, and how far we are with it. */
	struct inlet *ready[READY_MAX];
	unsigned int n_ready, next_ready, n_received;

	struct service *service;
	unsigned int concurrency;
	bool paused;   /* the inlets are out of the epoll: too many connections are open */
	bool stopping; /* told to, or inkod is gone */

	struct message_queue held;
	struct outbox *outboxes;
	size_t charge_bytes; /* 0 until it is measured */
	struct counters_page *counters;
	struct wait_list news;
};

static bool inbox_has_ended(const struct inbox *inbox)
{
	return inbox->stopping && inbox->n_inlets == 0;
}

/* What to watch */

/* The supervisor's lane is watched for messages until stop. For as long as there is something to
 * tell that is not in the kernel (a held message, the end) it is watched for room as well: there
 * is always room, since nothing goes that way, so that the mailbox is readable. */
static void inbox_watch_supervisor(struct inbox *inbox)
{
	bool tell = inbox->held.n_messages > 0 || inbox_has_ended(inbox);
	struct epoll_event event = {
		.events = (inbox->stopping ? 0u : EPOLLIN) | (tell ? EPOLLOUT : 0u),
		.data = {.ptr = inbox->supervisor},
	};
	int operation = EPOLL_CTL_MOD;

	if (event.events == inbox->supervisor_events)
		return;
	if (event.events == 0)
		operation = EPOLL_CTL_DEL; /* else its end would be reported */
	else if (inbox->supervisor_events == 0)
		operation = EPOLL_CTL_ADD;
	if (epoll_ctl(inbox->epoll_fd, operation, inbox->supervisor->fd, &event) == 0)
		inbox->supervisor_events = event.events;
}

static int inbox_watch(struct inbox *inbox, struct inlet *inlet)
{
	struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = inlet}};

	return epoll_ctl(inbox->epoll_fd, EPOLL_CTL_ADD, inlet->fd, &event) < 0 ? -errno : 0;
}

static void inbox_unwatch(struct inbox *inbox, const struct inlet *inlet)
{
	(void)epoll_ctl(inbox->epoll_fd, EPOLL_CTL_DEL, inlet->fd, NULL);
}

static void inbox_forget_ready(struct inbox *inbox)
{
	inbox->n_ready = inbox->next_ready = inbox->n_received = 0;
}

/* At the limit only the supervisor's lane is read. The others leave the epoll, or it would be
 * readable all the time. */
static void inbox_pause(struct inbox *inbox)
{
	if (inbox->paused)
		return;
	for (size_t i = 0; i < inbox->n_inlets; i++)
		inbox_unwatch(inbox, inbox->inlets[i]);
	inbox->paused = true;
	inbox_forget_ready(inbox);
}

static bool inbox_is_at_limit(const struct inbox *inbox)
{
	return inbox->service->n_open >= inbox->concurrency;
}

/* A connection was closed, or more are allowed. */
static void inbox_resume(void *context)
{
	struct inbox *inbox = context;

	if (!inbox->paused || inbox_is_at_limit(inbox))
		return;
	/* Without memory for an item of epoll: the next connection that closes tries again. */
	inbox->paused = false;
	for (size_t i = 0; i < inbox->n_inlets; i++) {
		int r = inbox_watch(inbox, inbox->inlets[i]);

		if (r < 0 && r != -EEXIST)
			inbox->paused = true;
	}
}

void inbox_set_concurrency(struct inbox *inbox, unsigned int connections)
{
	inbox->concurrency = connections;
	inbox_resume(inbox);
}

/* Lanes that come and go */

static struct inlet *inlet_free(struct inlet *inlet)
{
	if (!inlet)
		return NULL;
	descriptor_close(&inlet->fd);
	answer_way_unref(inlet->way);
	free(inlet);
	return NULL;
}

/* Takes the read end on success. */
static int inlet_new(int *take_fd, bool shared, struct inlet **ret_inlet)
{
	struct inlet *inlet = malloc(sizeof(*inlet));

	if (!inlet)
		return -ENOMEM;
	*inlet = (struct inlet){.fd = descriptor_take(take_fd), .shared = shared};
	*ret_inlet = inlet;
	return 0;
}

/* Takes inlet on success. */
static int inbox_append(struct inbox *inbox, struct inlet *inlet)
{
	struct inlet **inlets = reallocarray(inbox->inlets, inbox->n_inlets + 1, sizeof(*inlets));
	int r = 0;

	if (!inlets)
		return -ENOMEM;
	inbox->inlets = inlets;
	if (!inbox->paused)
		r = inbox_watch(inbox, inlet);
	if (r == 0)
		inlets[inbox->n_inlets++] = inlet;
	return r;
}

static void inbox_drop(struct inbox *inbox, size_t i)
{
	struct inlet *inlet = inbox->inlets[i];

	/* Others hold this description too: closing ours does not take it out of the epoll. */
	inbox_unwatch(inbox, inlet);
	inbox->inlets[i] = inbox->inlets[--inbox->n_inlets];
	inlet_free(inlet);
	inbox_watch_supervisor(inbox);
}

static void inbox_drop_inlet(struct inbox *inbox, const struct inlet *inlet)
{
	for (size_t i = 0; i < inbox->n_inlets; i++) {
		if (inbox->inlets[i] == inlet) {
			inbox_drop(inbox, i);
			return;
		}
	}
}

struct wait_list *inbox_peek_news(struct inbox *inbox)
{
	return &inbox->news;
}

/* Whoever waits for something beside inkod's lane looks again. */
static void inbox_tell_news(struct inbox *inbox)
{
	wait_list_wake_all(&inbox->news);
	for (struct outbox *outbox = inbox->outboxes; outbox; outbox = *outbox_next(outbox))
		wait_list_wake_all(outbox_peek_news(outbox));
}

/* From now on receive what is here and nothing else. What only we read ends by being revoked,
 * if that was not done before; what siblings read too is theirs, unless inkod is gone and they are
 * told the same. */
static void inbox_stop(struct inbox *inbox, bool gone)
{
	inbox->stopping = true;
	inbox_forget_ready(inbox);
	for (size_t i = inbox->n_inlets; i-- > 0;) {
		if (inbox->inlets[i]->shared && !gone)
			inbox_drop(inbox, i);
		else
			(void)lane_revoke(inbox->inlets[i]->fd);
	}
	inbox_watch_supervisor(inbox);
	inbox_tell_news(inbox);
}

/* Outboxes */

static struct outbox *inbox_find_outbox(struct inbox *inbox, const char *name)
{
	for (struct outbox *outbox = inbox->outboxes; outbox; outbox = *outbox_next(outbox))
		if (outbox_is_for(outbox, name))
			return outbox;
	return NULL;
}

static int inbox_ensure_outbox(struct inbox *inbox, const char *name, struct outbox **ret_outbox)
{
	struct outbox *outbox = inbox_find_outbox(inbox, name);
	int r;

	if (!outbox) {
		r = outbox_new(name, &outbox);
		if (r < 0)
			return r;
		*outbox_next(outbox) = inbox->outboxes;
		inbox->outboxes = outbox;
	}
	*ret_outbox = outbox;
	return 0;
}

static bool is_shared_name(const char *name)
{
	size_t length = strlen(name), suffix = strlen(SHARED_SUFFIX);

	return length > suffix && strcmp(name + length - suffix, SHARED_SUFFIX) == 0;
}

/* One more lane to send to peer, an instance ("web/0", which is one of web's lanes) or all
 * instances together. */
static int inbox_add_outlet(struct inbox *inbox, const char *peer, uint64_t number, int *take_fd)
{
	_cleanup_free_ char *name = strdup(peer);
	struct outbox *outbox;
	int r;

	if (!name)
		return -ENOMEM;
	if (!is_shared_name(name))
		name[strcspn(name, "/")] = '\0';
	r = inbox_ensure_outbox(inbox, name, &outbox);
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

int inbox_open_outbox(struct inbox *inbox, const char *name, struct outbox **ret_outbox)
{
	struct outbox *outbox = NULL;
	int r;

	r = check_name(name);
	if (r == 0 && inbox->charge_bytes == 0)
		r = lane_measure_charge(&inbox->charge_bytes);
	if (r == 0)
		r = inbox_ensure_outbox(inbox, name, &outbox);
	if (r == 0)
		r = outbox_open(outbox, inbox->charge_bytes);
	if (r == 0)
		*ret_outbox = outbox;
	return r;
}

/* Lane messages */

static bool inbox_knows(const struct inbox *inbox, uint64_t number)
{
	for (size_t i = 0; i < inbox->n_inlets; i++)
		if (inbox->inlets[i]->number == number)
			return true;
	return false;
}

/* One more lane to receive from; way_fd is where answers go, or -1. */
static int inbox_add_inlet(
	struct inbox *inbox, const struct envelope *envelope, int *take_fd, int *take_way_fd)
{
	struct inlet *inlet;
	int r;

	if (inbox_knows(inbox, envelope->correlation))
		return 0;
	r = inlet_new(take_fd, envelope->flags & ENVELOPE_LANE_SHARED, &inlet);
	if (r < 0)
		return r;
	inlet->single = envelope->flags & ENVELOPE_LANE_SINGLE;
	inlet->number = envelope->correlation;
	if (*take_way_fd >= 0)
		r = answer_way_new(take_way_fd, &inlet->way);
	if (r == 0)
		r = inbox_append(inbox, inlet);
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
		return inbox_add_outlet(
			inbox, message->body, envelope->correlation, &passed->fds[0]);
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
	inbox->next_ready++;
	inbox->n_received = 0;
	if (inlet == inbox->supervisor)
		inbox_stop(inbox, true);
	else
		inbox_drop_inlet(inbox, inlet);
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

/* The lane whose turn it is, or NULL when none has anything. */
static struct inlet *inbox_next_ready(struct inbox *inbox)
{
	struct epoll_event events[READY_MAX];
	int n;

	if (inbox->n_received >= LANE_BUDGET) {
		inbox->next_ready++;
		inbox->n_received = 0;
	}
	if (inbox->next_ready >= inbox->n_ready) {
		inbox_forget_ready(inbox);
		n = epoll_wait(inbox->epoll_fd, events, READY_MAX, 0);
		for (int i = 0; i < n; i++)
			inbox->ready[inbox->n_ready++] = events[i].data.ptr;
	}
	return inbox->n_ready > 0 ? inbox->ready[inbox->next_ready] : NULL;
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
		inbox_pause(inbox);
	for (unsigned int n_tries = 0; n_tries < RECEIVE_TRIES && !inbox_has_ended(inbox);
		n_tries++) {
		struct inlet *inlet = inbox_next_ready(inbox);
		int r;

		if (!inlet)
			return -EAGAIN;
		inbox->n_received++;
		r = inbox_receive_from(inbox, inlet, ret_message);
		if (r == 1)
			return 0;
		/* It is empty, a sibling was first, or there is no room for what it brings: in any
		 * case the next lane may do better. */
		if (r < 0)
			inbox->n_received = LANE_BUDGET;
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
		return inbox->supervisor_events ? 0 : -ENOMEM;
	}
	/* Those that inkod's own actors send on alone. */
	inlet->single = !shared;
	r = inbox_append(inbox, inlet);
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
	*inbox = (struct inbox){.epoll_fd = -1, .concurrency = read_concurrency()};
	inbox->service = service_new(inbox_resume, inbox);
	if (!inbox->service)
		return -ENOMEM;
	inbox->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return inbox->epoll_fd < 0 ? -errno : 0;
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
	while (inbox->outboxes) {
		struct outbox *outbox = inbox->outboxes;

		inbox->outboxes = *outbox_next(outbox);
		outbox_free(outbox);
	}
	for (size_t i = 0; i < inbox->n_inlets; i++)
		inlet_free(inbox->inlets[i]);
	free(inbox->inlets);
	inlet_free(inbox->supervisor);
	counters_unmap(inbox->counters);
	descriptor_close(&inbox->epoll_fd);
	free(inbox);
	return NULL;
}

/* As a mailbox */

static int inbox_get_fd(void *context)
{
	return ((struct inbox *)context)->epoll_fd;
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
