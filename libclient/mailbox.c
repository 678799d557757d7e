/*
 * Mailboxes: the type, and the mailbox that a process receives from. That one is a set of lanes
 * behind one epoll descriptor. What has not been received stays in the kernel, so that the
 * descriptor, which is level-triggered, tells the truth and a process that dies loses nothing of
 * it.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libclient/message.h"
#include "libclient/outbox.h"
#include "libclient/stream.h"
#include "proto/descriptor.h"
#include "proto/lane.h"
#include "proto/name.h"

#define CONCURRENCY_DEFAULT 256

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

struct inko_mailbox {
	const struct inko_mailbox_transport *transport;
	void *context;
};

/* A lane to receive from. */
struct inlet {
	int fd;
	uint64_t number; /* 0 until it is known */
	bool shared;	 /* siblings read it too */
	bool single;	 /* each message brings one descriptor at most */
	struct answer_way *way;
};

struct own {
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
	size_t charge_bytes;
};

/* A mailbox to send to. */
struct opened {
	struct own *own;
	struct outbox *outbox;
};

static int own_get_fd(void *context);
static int own_try_receive(void *context, struct inko_message **ret_message);
static void own_free(void *context);

static const struct inko_mailbox_transport own_transport = {
	.get_fd = own_get_fd,
	.try_receive = own_try_receive,
	.close = own_free,
};

static int opened_get_fd(void *context);
static int opened_send(void *context, struct inko_message *take_message, bool wait);

static const struct inko_mailbox_transport opened_transport = {
	.get_fd = opened_get_fd,
	.send = opened_send,
	.close = free,
};

/* What to watch */

/* The supervisor's lane is watched for messages until stop. For as long as there is something to
 * tell that is not in the kernel (a held message, the end) it is watched for room as well: there
 * is always room, since nothing goes that way, so that the mailbox is readable. */
static void own_watch_supervisor(struct own *own)
{
	bool tell = own->held.n_messages > 0 || (own->stopping && own->n_inlets == 0);
	struct epoll_event event = {
		.events = (own->stopping ? 0u : EPOLLIN) | (tell ? EPOLLOUT : 0u),
		.data = {.ptr = own->supervisor},
	};
	int operation = EPOLL_CTL_MOD;

	if (event.events == own->supervisor_events)
		return;
	if (event.events == 0)
		operation = EPOLL_CTL_DEL; /* else its end would be reported */
	else if (own->supervisor_events == 0)
		operation = EPOLL_CTL_ADD;
	if (epoll_ctl(own->epoll_fd, operation, own->supervisor->fd, &event) == 0)
		own->supervisor_events = event.events;
}

static int own_watch(struct own *own, struct inlet *inlet)
{
	struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = inlet}};

	return epoll_ctl(own->epoll_fd, EPOLL_CTL_ADD, inlet->fd, &event) < 0 ? -errno : 0;
}

static void own_unwatch(struct own *own, const struct inlet *inlet)
{
	(void)epoll_ctl(own->epoll_fd, EPOLL_CTL_DEL, inlet->fd, NULL);
}

static void own_forget_ready(struct own *own)
{
	own->n_ready = own->next_ready = own->n_received = 0;
}

/* At the limit only the supervisor's lane is read. The others leave the epoll, or it would be
 * readable all the time. */
static void own_pause(struct own *own)
{
	if (own->paused)
		return;
	for (size_t i = 0; i < own->n_inlets; i++)
		own_unwatch(own, own->inlets[i]);
	own->paused = true;
	own_forget_ready(own);
}

static bool own_is_at_limit(const struct own *own)
{
	return own->service->n_open >= own->concurrency;
}

/* A connection was closed, or more are allowed. */
static void own_resume(void *context)
{
	struct own *own = context;

	if (!own->paused || own_is_at_limit(own))
		return;
	/* Without memory for an item of epoll: the next connection that closes tries again. */
	own->paused = false;
	for (size_t i = 0; i < own->n_inlets; i++) {
		int r = own_watch(own, own->inlets[i]);

		if (r < 0 && r != -EEXIST)
			own->paused = true;
	}
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
static int own_append(struct own *own, struct inlet *inlet)
{
	struct inlet **inlets = reallocarray(own->inlets, own->n_inlets + 1, sizeof(*inlets));
	int r = 0;

	if (!inlets)
		return -ENOMEM;
	own->inlets = inlets;
	if (!own->paused)
		r = own_watch(own, inlet);
	if (r == 0)
		inlets[own->n_inlets++] = inlet;
	return r;
}

static void own_drop(struct own *own, size_t i)
{
	struct inlet *inlet = own->inlets[i];

	/* Others hold this description too: closing ours does not take it out of the epoll. */
	own_unwatch(own, inlet);
	own->inlets[i] = own->inlets[--own->n_inlets];
	inlet_free(inlet);
	own_watch_supervisor(own);
}

static void own_drop_inlet(struct own *own, const struct inlet *inlet)
{
	for (size_t i = 0; i < own->n_inlets; i++) {
		if (own->inlets[i] == inlet) {
			own_drop(own, i);
			return;
		}
	}
}

/* From now on receive what is here and nothing else. What only we read ends by being revoked,
 * if that was not done before; what siblings read too is theirs, unless inkod is gone and they are
 * told the same. */
static void own_stop(struct own *own, bool gone)
{
	own->stopping = true;
	own_forget_ready(own);
	for (size_t i = own->n_inlets; i-- > 0;) {
		if (own->inlets[i]->shared && !gone)
			own_drop(own, i);
		else
			(void)lane_revoke(own->inlets[i]->fd);
	}
	own_watch_supervisor(own);
}

/* Lane messages */

static struct outbox *own_find_outbox(struct own *own, const char *name)
{
	for (struct outbox *outbox = own->outboxes; outbox; outbox = *outbox_next(outbox))
		if (outbox_is_for(outbox, name))
			return outbox;
	return NULL;
}

static int own_ensure_outbox(struct own *own, const char *name, struct outbox **ret_outbox)
{
	struct outbox *outbox = own_find_outbox(own, name);
	int r;

	if (!outbox) {
		r = outbox_new(name, &outbox);
		if (r < 0)
			return r;
		*outbox_next(outbox) = own->outboxes;
		own->outboxes = outbox;
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
static int own_add_outlet(struct own *own, const char *peer, uint64_t number, int *take_fd)
{
	_cleanup_free_ char *name = strdup(peer);
	struct outbox *outbox;
	int r;

	if (!name)
		return -ENOMEM;
	if (!is_shared_name(name))
		name[strcspn(name, "/")] = '\0';
	r = own_ensure_outbox(own, name, &outbox);
	return r < 0 ? r : outbox_add_lane(outbox, number, take_fd);
}

static bool own_knows(const struct own *own, uint64_t number)
{
	for (size_t i = 0; i < own->n_inlets; i++)
		if (own->inlets[i]->number == number)
			return true;
	return false;
}

/* One more lane to receive from; way_fd is where answers go, or -1. */
static int own_add_inlet(
	struct own *own, const struct envelope *envelope, int *take_fd, int *take_way_fd)
{
	struct inlet *inlet;
	int r;

	if (own_knows(own, envelope->correlation))
		return 0;
	r = inlet_new(take_fd, envelope->flags & ENVELOPE_LANE_SHARED, &inlet);
	if (r < 0)
		return r;
	inlet->single = envelope->flags & ENVELOPE_LANE_SINGLE;
	inlet->number = envelope->correlation;
	if (*take_way_fd >= 0)
		r = answer_way_new(take_way_fd, &inlet->way);
	if (r == 0)
		r = own_append(own, inlet);
	if (r < 0)
		inlet_free(inlet);
	return r;
}

static int own_handle_lane(struct own *own, struct lane_message *message)
{
	const struct envelope *envelope = &message->envelope;
	struct passed *passed = &message->passed;
	int no_way = -1;

	switch (envelope->flags & (ENVELOPE_LANE_IN | ENVELOPE_LANE_OUT)) {
	case ENVELOPE_LANE_IN | ENVELOPE_LANE_OUT:
		return own_add_inlet(own, envelope, &passed->fds[0], &passed->fds[1]);
	case ENVELOPE_LANE_IN:
		return own_add_inlet(own, envelope, &passed->fds[0], &no_way);
	case ENVELOPE_LANE_OUT:
		if (!message->body)
			return 0;
		return own_add_outlet(own, message->body, envelope->correlation, &passed->fds[0]);
	default:
		return 0;
	}
}

/* Receiving */

/* What comes off a lane and is not for the program: true. Only inkod may say such things. */
static bool own_is_internal(
	const struct own *own, const struct inlet *inlet, const struct lane_message *message)
{
	switch (message->envelope.kind) {
	case ENVELOPE_LANE:
	case ENVELOPE_STOP:
		return true;
	case ENVELOPE_LISTENER:
		return inlet != own->supervisor;
	default:
		return false;
	}
}

static int own_handle(struct own *own, const struct inlet *inlet, struct lane_message *message)
{
	if (inlet != own->supervisor)
		return 0;
	if (message->envelope.kind == ENVELOPE_LANE)
		return own_handle_lane(own, message);
	if (message->envelope.kind == ENVELOPE_STOP)
		own_stop(own, false);
	return 0;
}

static void own_end_inlet(struct own *own, struct inlet *inlet)
{
	own->next_ready++;
	own->n_received = 0;
	if (inlet == own->supervisor)
		own_stop(own, true);
	else
		own_drop_inlet(own, inlet);
}

/* Receives one message: 1 and a message for the program, 0 when something else was done, or what
 * lane_receive says. */
static int own_receive_from(struct own *own, struct inlet *inlet, struct inko_message **ret_message)
{
	struct lane_message message;
	int r = lane_receive(inlet->fd, inlet->single, &message);

	switch (r) {
	case 1:
		break;
	case 0:
		own_end_inlet(own, inlet);
		return 0;
	case -EBADMSG:	  /* it is gone, go on with the next */
	case -ECONNRESET: /* the sender closed: what it sent before follows */
		return 0;
	default:
		return r;
	}
	if (own_is_internal(own, inlet, &message))
		r = own_handle(own, inlet, &message);
	else
		r = message_new_from_lane(&message, own->service, inlet->way, ret_message) ?: 1;
	lane_message_done(&message);
	return r;
}

/* The lane whose turn it is, or NULL when none has anything. */
static struct inlet *own_next_ready(struct own *own)
{
	struct epoll_event events[READY_MAX];
	int n;

	if (own->n_received >= LANE_BUDGET) {
		own->next_ready++;
		own->n_received = 0;
	}
	if (own->next_ready >= own->n_ready) {
		own_forget_ready(own);
		n = epoll_wait(own->epoll_fd, events, READY_MAX, 0);
		for (int i = 0; i < n; i++)
			own->ready[own->n_ready++] = events[i].data.ptr;
	}
	return own->n_ready > 0 ? own->ready[own->next_ready] : NULL;
}

static struct inko_message *own_take_held(struct own *own)
{
	struct inko_message *message = message_queue_take(&own->held);

	if (message)
		own_watch_supervisor(own);
	return message;
}

static bool own_has_ended(const struct own *own)
{
	return own->stopping && own->n_inlets == 0;
}

static int own_try_receive(void *context, struct inko_message **ret_message)
{
	struct own *own = context;
	struct inko_message *held = own_take_held(own);

	if (held) {
		*ret_message = held;
		return 0;
	}
	if (own_is_at_limit(own))
		own_pause(own);
	for (unsigned int n_tries = 0; n_tries < RECEIVE_TRIES && !own_has_ended(own); n_tries++) {
		struct inlet *inlet = own_next_ready(own);
		int r;

		if (!inlet)
			return -EAGAIN;
		own->n_received++;
		r = own_receive_from(own, inlet, ret_message);
		if (r == 1)
			return 0;
		/* It is empty, a sibling was first, or there is no room for what it brings: in any
		 * case the next lane may do better. */
		if (r < 0)
			own->n_received = LANE_BUDGET;
		if (r < 0 && r != -EAGAIN)
			return r;
	}
	return own_has_ended(own) ? -ESHUTDOWN : -EAGAIN;
}

/* Does what the supervisor says, and holds what is for the program, while it does something else
 * than to receive. 0, or -EMFILE and the like. */
static int own_listen_to_supervisor(struct own *own)
{
	while (!own->stopping && own->held.n_messages < HELD_MAX) {
		struct inko_message *message;
		int r = own_receive_from(own, own->supervisor, &message);

		if (r == -EAGAIN)
			return 0;
		if (r < 0)
			return r;
		if (r == 1) {
			message_queue_push(&own->held, message);
			own_watch_supervisor(own);
		}
	}
	return 0;
}

/* The supervisor's lane, to be polled beside something else for as long as that makes sense. */
static struct pollfd own_poll_supervisor(const struct own *own)
{
	bool useful = !own->stopping && own->held.n_messages < HELD_MAX;

	return (struct pollfd){.fd = useful ? own->supervisor->fd : -1, .events = POLLIN};
}

/* Opening one's own */

static bool parse_number(const char *text, unsigned long max, unsigned long *ret_number)
{
	unsigned long number = 0;

	if (!text || !*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		number = number * 10 + (unsigned long)(*text - '0');
		if (number > max)
			return false;
	}
	*ret_number = number;
	return true;
}

/* sd_listen_fds(3), which leaves the environment as it is. */
static int count_passed_fds(unsigned int *ret_n_fds)
{
	unsigned long pid, n_fds;

	if (!parse_number(getenv("LISTEN_PID"), INT_MAX, &pid) || (pid_t)pid != getpid())
		return -ENOENT;
	if (!parse_number(getenv("LISTEN_FDS"), INT_MAX - 3, &n_fds) || n_fds == 0)
		return -ENOENT;
	*ret_n_fds = (unsigned int)n_fds;
	return 0;
}

static int check_lane(int fd)
{
	socklen_t size = sizeof(int);
	int type;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
		return -errno;
	return type == SOCK_SEQPACKET ? 0 : -EPROTOTYPE;
}

/* Adds the lane that was passed as fd, which is taken on success. */
static int own_add_passed(struct own *own, int fd, bool shared)
{
	struct inlet *inlet = NULL;
	int r;

	r = check_lane(fd);
	if (r == 0)
		r = inlet_new(&fd, shared, &inlet);
	if (r < 0)
		return r;
	if (!own->supervisor && !shared) {
		own->supervisor = inlet;
		own_watch_supervisor(own);
		return own->supervisor_events ? 0 : -ENOMEM;
	}
	/* Those that inkod's own actors send on alone. */
	inlet->single = !shared;
	r = own_append(own, inlet);
	if (r < 0)
		inlet_free(inlet);
	return r;
}

static bool name_is(const char *name, size_t length, const char *wanted)
{
	return strlen(wanted) == length && memcmp(name, wanted, length) == 0;
}

/* Keeps all of them from the programs that this one executes. First of all, so that those that
 * are announced and not there are not taken for what is opened next. */
static int close_on_exec(unsigned int n_fds)
{
	for (int fd = 3; fd < 3 + (int)n_fds; fd++)
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			return -errno;
	return 0;
}

/* Goes through the descriptors with their names (LISTEN_FDNAMES, separated by colons). Those of
 * other names are the program's. */
static int own_add_all_passed(struct own *own, unsigned int n_fds)
{
	const char *name = getenv("LISTEN_FDNAMES");

	for (int fd = 3; fd < 3 + (int)n_fds; fd++) {
		size_t length = name ? strcspn(name, ":") : 0;
		int r = 0;

		if (name_is(name, length, "mailbox"))
			r = own_add_passed(own, fd, false);
		else if (name_is(name, length, "mailbox-shared"))
			r = own_add_passed(own, fd, true);
		if (r < 0)
			return r;
		if (name)
			name = name[length] ? name + length + 1 : NULL;
	}
	return own->supervisor ? 0 : -ENOENT;
}

static int own_init(struct own *own)
{
	*own = (struct own){.epoll_fd = -1, .concurrency = CONCURRENCY_DEFAULT};
	own->service = service_new(own_resume, own);
	if (!own->service)
		return -ENOMEM;
	own->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return own->epoll_fd < 0 ? -errno : 0;
}

static void own_free(void *context)
{
	struct own *own = context;

	if (own->service)
		service_abandon(own->service);
	message_queue_done(&own->held);
	while (own->outboxes) {
		struct outbox *outbox = own->outboxes;

		own->outboxes = *outbox_next(outbox);
		outbox_free(outbox);
	}
	for (size_t i = 0; i < own->n_inlets; i++)
		inlet_free(own->inlets[i]);
	free(own->inlets);
	inlet_free(own->supervisor);
	descriptor_close(&own->epoll_fd);
	free(own);
}

static int own_get_fd(void *context)
{
	return ((struct own *)context)->epoll_fd;
}

int inko_mailbox_open_own(struct inko_mailbox **ret_mailbox)
{
	unsigned int n_fds;
	struct own *own;
	int r;

	r = count_passed_fds(&n_fds);
	if (r == 0)
		r = close_on_exec(n_fds);
	if (r < 0)
		return r;
	own = malloc(sizeof(*own));
	if (!own)
		return -ENOMEM;
	r = own_init(own);
	if (r == 0)
		r = own_add_all_passed(own, n_fds);
	if (r == 0)
		r = inko_mailbox_new(&own_transport, own, ret_mailbox);
	if (r < 0)
		own_free(own);
	return r;
}

static struct own *own_of(const struct inko_mailbox *mailbox)
{
	return mailbox->transport == &own_transport ? mailbox->context : NULL;
}

/* Sending */

static int check_target(const char *target)
{
	_cleanup_free_ char *name = strdup(target);

	if (!name)
		return -ENOMEM;
	if (is_shared_name(name))
		name[strlen(name) - strlen(SHARED_SUFFIX)] = '\0';
	return name_is_valid(name) ? 0 : -EINVAL;
}

static int own_open_outbox(struct own *own, const char *name, struct outbox **ret_outbox)
{
	struct outbox *outbox = NULL;
	int r = 0;

	if (own->charge_bytes == 0)
		r = lane_measure_charge(&own->charge_bytes);
	if (r == 0)
		r = own_ensure_outbox(own, name, &outbox);
	if (r == 0)
		r = outbox_open(outbox, own->charge_bytes);
	if (r == 0)
		*ret_outbox = outbox;
	return r;
}

int inko_mailbox_open(struct inko_mailbox *own, const char *name, struct inko_mailbox **ret_mailbox)
{
	struct opened *opened;
	struct outbox *outbox = NULL;
	int r;

	if (!own_of(own))
		return -EOPNOTSUPP;
	r = check_target(name);
	if (r == 0)
		r = own_open_outbox(own_of(own), name, &outbox);
	if (r < 0)
		return r;
	opened = malloc(sizeof(*opened));
	if (!opened)
		return -ENOMEM;
	*opened = (struct opened){.own = own_of(own), .outbox = outbox};
	r = inko_mailbox_new(&opened_transport, opened, ret_mailbox);
	if (r < 0)
		free(opened);
	return r;
}

static int opened_get_fd(void *context)
{
	return outbox_get_fd(((struct opened *)context)->outbox);
}

/* A new lane may wait unread: the program need not receive to be able to send. */
static int opened_try_send(struct opened *opened, struct inko_message *message)
{
	int r = outbox_send(opened->outbox, message);

	if (r != -EAGAIN)
		return r;
	r = own_listen_to_supervisor(opened->own);
	return r < 0 ? r : outbox_send(opened->outbox, message);
}

/* Waits until there may be room, or a lane more. */
static int opened_wait(struct opened *opened)
{
	struct pollfd fds[] = {
		{.fd = outbox_get_fd(opened->outbox), .events = POLLIN},
		own_poll_supervisor(opened->own),
	};

	/* Nobody is there, and nobody will tell us of anybody any more. */
	if (opened->own->stopping && outbox_is_empty(opened->outbox))
		return -ESHUTDOWN;
	return stream_wait(fds, 2, 0);
}

static int opened_send(void *context, struct inko_message *take_message, bool wait)
{
	struct opened *opened = context;
	unsigned int n_tries = 0;

	for (;;) {
		int r = opened_try_send(opened, take_message);

		if (!wait || (r != -EAGAIN && r != -ETOOMANYREFS))
			return r;
		r = r == -EAGAIN ? opened_wait(opened) : message_wait_for_refs(&n_tries);
		if (r < 0)
			return r;
	}
}

static unsigned int opened_room(struct opened *opened)
{
	unsigned int room = outbox_room(opened->outbox);

	if (room == 0 && own_listen_to_supervisor(opened->own) == 0)
		room = outbox_room(opened->outbox);
	return room;
}

/* The type */

int inko_mailbox_new(const struct inko_mailbox_transport *transport, void *context,
	struct inko_mailbox **ret_mailbox)
{
	struct inko_mailbox *mailbox = malloc(sizeof(*mailbox));

	if (!mailbox)
		return -ENOMEM;
	*mailbox = (struct inko_mailbox){.transport = transport, .context = context};
	*ret_mailbox = mailbox;
	return 0;
}

struct inko_mailbox *inko_mailbox_close(struct inko_mailbox *mailbox)
{
	if (!mailbox)
		return NULL;
	if (mailbox->transport->close)
		mailbox->transport->close(mailbox->context);
	free(mailbox);
	return NULL;
}

int inko_mailbox_get_fd(const struct inko_mailbox *mailbox)
{
	if (!mailbox->transport->get_fd)
		return -EOPNOTSUPP;
	return mailbox->transport->get_fd(mailbox->context);
}

int inko_mailbox_try_receive(struct inko_mailbox *mailbox, struct inko_message **ret_message)
{
	if (!mailbox->transport->try_receive)
		return -EOPNOTSUPP;
	return mailbox->transport->try_receive(mailbox->context, ret_message);
}

int inko_mailbox_receive(struct inko_mailbox *mailbox, struct inko_message **ret_message)
{
	for (;;) {
		struct pollfd readable = {.events = POLLIN};
		int r = inko_mailbox_try_receive(mailbox, ret_message);

		if (r != -EAGAIN)
			return r;
		readable.fd = inko_mailbox_get_fd(mailbox);
		if (readable.fd < 0)
			return readable.fd;
		r = stream_wait(&readable, 1, 0);
		if (r < 0)
			return r;
	}
}

int inko_mailbox_accept(
	struct inko_mailbox *mailbox, struct inko_socket *listener, struct inko_socket **ret_socket)
{
	struct own *own = own_of(mailbox);
	int r;

	if (!own)
		return -EOPNOTSUPP;
	r = stream_prepare_accept(listener);
	while (r == 0) {
		struct pollfd fds[] = {
			{.fd = listener->fd, .events = STREAM_ACCEPT_EVENTS},
			own_poll_supervisor(own),
		};

		if (own->stopping)
			return -ESHUTDOWN;
		/* Before accept, not after it failed: a busy listener must not hide a stop. */
		r = stream_wait(fds, 2, listener->deadline_usec);
		if (r == 0 && fds[1].revents)
			r = own_listen_to_supervisor(own);
		if (r < 0 || own->stopping || !fds[0].revents)
			continue;
		r = stream_try_accept(listener, fds[0].revents, ret_socket);
		if (r != -EAGAIN)
			return r;
		r = 0;
	}
	return r;
}

void inko_mailbox_set_concurrency(struct inko_mailbox *mailbox, unsigned int connections)
{
	struct own *own = own_of(mailbox);

	if (!own)
		return;
	own->concurrency = connections;
	own_resume(own);
}

static int mailbox_send(struct inko_mailbox *mailbox, struct inko_message *take_message, bool wait)
{
	if (!mailbox->transport->send)
		return -EOPNOTSUPP;
	return mailbox->transport->send(mailbox->context, take_message, wait);
}

int inko_mailbox_send(struct inko_mailbox *mailbox, struct inko_message *take_message)
{
	return mailbox_send(mailbox, take_message, true);
}

int inko_mailbox_try_send(struct inko_mailbox *mailbox, struct inko_message *take_message)
{
	return mailbox_send(mailbox, take_message, false);
}

unsigned int inko_mailbox_room(struct inko_mailbox *mailbox)
{
	struct pollfd readable = {.events = POLLIN};

	if (mailbox->transport == &opened_transport)
		return opened_room(mailbox->context);
	/* Another transport tells by its descriptor only whether there is any. */
	if (!mailbox->transport->send)
		return 0;
	readable.fd = inko_mailbox_get_fd(mailbox);
	return readable.fd >= 0 && poll(&readable, 1, 0) == 1;
}
