/*
 * Mailboxes as the program sees them: a transport and its context. Of the transports two are made
 * of lanes: the process's own mailbox, which is an inbox, and one to send to, which is an outbox
 * and what inkod tells the inbox of it while the program sends and does not receive.
 */

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "libclient/accept.h"
#include "libclient/counters.h"
#include "libclient/inbox.h"
#include "libclient/mailbox.h"
#include "libclient/message.h"
#include "libclient/outbox.h"
#include "libclient/socket.h"
#include "libclient/task-mailbox.h"
#include "libclient/wait.h"

/* A mailbox to send to. The outbox is the inbox's, which outlives this. */
struct opened {
	struct inbox *inbox;
	struct outbox *outbox;
};

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
	if (!mailbox || mailbox->of_task)
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

/* Waits until there may be something to receive, or room to send. */
static int mailbox_wait(struct inko_mailbox *mailbox, bool to_send)
{
	struct pollfd readable = {.events = POLLIN};

	if (mailbox->transport->wait)
		return mailbox->transport->wait(mailbox->context, to_send);
	readable.fd = inko_mailbox_get_fd(mailbox);
	return readable.fd < 0 ? readable.fd : wait_for(&readable, 1, 0);
}

int inko_mailbox_receive(struct inko_mailbox *mailbox, struct inko_message **ret_message)
{
	int r = wait_for_turn(NULL);

	while (r == 0) {
		r = inko_mailbox_try_receive(mailbox, ret_message);
		if (r != -EAGAIN)
			return r;
		r = mailbox_wait(mailbox, false);
	}
	return r;
}

int inko_mailbox_try_send(struct inko_mailbox *mailbox, struct inko_message *take_message)
{
	if (!mailbox->transport->try_send)
		return -EOPNOTSUPP;
	return mailbox->transport->try_send(mailbox->context, take_message);
}

int inko_mailbox_send(struct inko_mailbox *mailbox, struct inko_message *take_message)
{
	unsigned int n_tries = 0;
	int r = wait_for_turn(NULL);

	while (r == 0) {
		r = inko_mailbox_try_send(mailbox, take_message);
		if (r == -EAGAIN)
			r = mailbox_wait(mailbox, true);
		else if (r == -ETOOMANYREFS)
			r = message_wait_for_refs(&n_tries);
		else
			break;
	}
	return r;
}

int inko_mailbox_send_socket(struct inko_mailbox *mailbox, struct inko_socket *take_socket)
{
	struct inko_message *message;
	int r = inko_message_new(NULL, 0, &message);

	if (r < 0)
		return r;
	r = inko_message_push_socket(message, take_socket);
	if (r == 0)
		r = inko_mailbox_send(mailbox, message);
	if (r == 0)
		return 0;
	/* What was pushed comes out as it was. */
	(void)inko_message_take_socket(message, &take_socket);
	inko_message_free(message);
	return r;
}

int inko_mailbox_receive_socket(struct inko_mailbox *mailbox, struct inko_socket **ret_socket)
{
	struct inko_message *message;
	int r = inko_mailbox_receive(mailbox, &message);

	if (r < 0)
		return r;
	r = inko_message_take_socket(message, ret_socket);
	inko_message_free(message);
	return r == -ENOENT ? -ENOMSG : r;
}

/* The process's own */

int inko_mailbox_open_own(struct inko_mailbox **ret_mailbox)
{
	struct inbox *inbox;
	int r;

	r = inbox_new(&inbox);
	if (r < 0)
		return r;
	r = inko_mailbox_new(&inbox_transport, inbox, ret_mailbox);
	if (r < 0)
		inbox_free(inbox);
	return r;
}

/* NULL for a mailbox of another kind. */
static struct inbox *inbox_of(const struct inko_mailbox *mailbox)
{
	return mailbox->transport == &inbox_transport ? mailbox->context : NULL;
}

void inko_mailbox_set_concurrency(struct inko_mailbox *mailbox, unsigned int connections)
{
	if (inbox_of(mailbox))
		inbox_set_concurrency(inbox_of(mailbox), connections);
}

struct inko_tally *inko_tally_open(struct inko_mailbox *own, const char *source)
{
	struct inbox *inbox = inbox_of(own);

	return inbox ? counters_find_row(inbox_peek_counters(inbox), source) : NULL;
}

int inko_mailbox_accept(
	struct inko_mailbox *mailbox, struct inko_socket *listener, struct inko_socket **ret_socket)
{
	struct inbox *inbox = inbox_of(mailbox);
	int r;

	if (!inbox)
		return -EOPNOTSUPP;
	r = accept_prepare(listener);
	while (r == 0) {
		struct pollfd fds[] = {
			{.fd = listener->fd, .events = ACCEPT_EVENTS},
			inbox_poll_supervisor(inbox),
			accept_poll_notifier(listener),
		};

		if (inbox_is_stopping(inbox))
			return -ESHUTDOWN;
		/* Before accept, not after it failed: a busy listener must not hide a stop. */
		r = wait_beside_socket(listener, inbox_peek_news(inbox), fds,
			sizeof(fds) / sizeof(*fds), listener->deadline_usec);
		if (r == 0 && fds[1].revents)
			r = inbox_listen_to_supervisor(inbox);
		if (r < 0 || inbox_is_stopping(inbox) || !(fds[0].revents || fds[2].revents))
			continue;
		r = accept_try(listener, fds[0].revents, ret_socket);
		if (r != -EAGAIN)
			return r;
		r = 0;
	}
	return r;
}

/* One to send to */

static int opened_get_fd(void *context)
{
	return outbox_get_fd(((struct opened *)context)->outbox);
}

/* A new lane may wait unread: the program need not receive to be able to send. */
static int opened_try_send(void *context, struct inko_message *take_message)
{
	struct opened *opened = context;
	int r = outbox_send(opened->outbox, take_message);

	if (r != -EAGAIN)
		return r;
	r = inbox_listen_to_supervisor(opened->inbox);
	return r < 0 ? r : outbox_send(opened->outbox, take_message);
}

/* Waits until there may be room, or a lane more. */
static int opened_wait(void *context, bool to_send)
{
	struct opened *opened = context;
	struct pollfd fds[] = {
		{.fd = outbox_get_fd(opened->outbox), .events = POLLIN},
		inbox_poll_supervisor(opened->inbox),
	};

	(void)to_send;
	/* Nobody is there, and nobody will tell us of anybody any more. */
	if (inbox_is_stopping(opened->inbox) && outbox_is_empty(opened->outbox))
		return -ESHUTDOWN;
	return wait_in(outbox_peek_news(opened->outbox), fds, 2, 0);
}

static unsigned int opened_room(struct opened *opened)
{
	unsigned int room = outbox_room(opened->outbox);

	if (room == 0 && inbox_listen_to_supervisor(opened->inbox) == 0)
		room = outbox_room(opened->outbox);
	return room;
}

static void opened_close(void *context)
{
	struct opened *opened = context;

	inbox_close_outbox(opened->inbox, opened->outbox);
	free(opened);
}

static const struct inko_mailbox_transport opened_transport = {
	.get_fd = opened_get_fd,
	.try_send = opened_try_send,
	.wait = opened_wait,
	.close = opened_close,
};

int inko_mailbox_open(struct inko_mailbox *own, const char *name, struct inko_mailbox **ret_mailbox)
{
	struct opened *opened;
	struct outbox *outbox;
	int r;

	if (!inbox_of(own))
		return -EOPNOTSUPP;
	r = inbox_open_outbox(inbox_of(own), name, &outbox);
	if (r < 0)
		return r;
	opened = malloc(sizeof(*opened));
	if (!opened) {
		inbox_close_outbox(inbox_of(own), outbox);
		return -ENOMEM;
	}
	*opened = (struct opened){.inbox = inbox_of(own), .outbox = outbox};
	r = inko_mailbox_new(&opened_transport, opened, ret_mailbox);
	if (r < 0)
		opened_close(opened);
	return r;
}

unsigned int inko_mailbox_room(struct inko_mailbox *mailbox)
{
	struct pollfd readable = {.events = POLLIN};

	if (mailbox->transport == &opened_transport)
		return opened_room(mailbox->context);
	if (mailbox->transport == &task_mailbox_transport)
		return task_mailbox_room(mailbox->context);
	/* Another transport tells by its descriptor only whether there is any. */
	if (!mailbox->transport->try_send)
		return 0;
	readable.fd = inko_mailbox_get_fd(mailbox);
	return readable.fd >= 0 && poll(&readable, 1, 0) == 1;
}
