/*
 * Messages: bytes and descriptors that belong together. A message that dies undelivered closes
 * what it carries.
 */

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "libclient/message.h"
#include "libclient/owned.h"
#include "libclient/socket.h"
#include "libclient/task-mailbox.h"
#include "libclient/wait.h"
#include "proto/descriptor.h"
#include "proto/name.h"

#include <inko/task.h>

/* A connection has one socket, and most others few: those need no memory of their own. */
#define MESSAGE_FEW_FDS 4

/* Descriptors in flight are charged to a uid: some other process of it has to receive first, and
 * nothing says when it has. Five seconds in all. */
#define REFS_WAIT_USEC 10000
#define REFS_TRIES 500

struct inko_message {
	struct envelope envelope; /* its length and sockets count only on a lane */
	char *bytes;		  /* malloc'd, or NULL: then they are inline_bytes */
	size_t n_bytes;
	int *fds; /* few_fds, or malloc'd */
	unsigned int next_fd, n_fds;
	int few_fds[MESSAGE_FEW_FDS];
	/* Of each descriptor the socket that it was pushed as, or NULL: one that stays in this
	 * process arrives as it was. few_sockets, or malloc'd. */
	struct inko_socket **sockets;
	struct inko_socket *few_sockets[MESSAGE_FEW_FDS];
	struct service *service; /* that every descriptor without socket is entered in, or NULL */
	struct answer_way *way;
	struct inko_task *asker; /* that answers go to, if they go by no way */
	struct owned owned;
	struct inko_message *next;
	char inline_bytes[]; /* at least a NUL */
};

/* The way back */

int answer_way_new(int *take_fd, struct answer_way **ret_way)
{
	struct answer_way *way = malloc(sizeof(*way));

	if (!way)
		return -ENOMEM;
	*way = (struct answer_way){.n_references = 1, .fd = descriptor_take(take_fd)};
	*ret_way = way;
	return 0;
}

struct answer_way *answer_way_unref(struct answer_way *way)
{
	if (!way || --way->n_references > 0)
		return NULL;
	descriptor_close(&way->fd);
	free(way);
	return NULL;
}

/* Lifecycle */

static void message_free_owned(struct owned *owned)
{
	inko_message_free(
		(struct inko_message *)((char *)owned - offsetof(struct inko_message, owned)));
}

/* A message with room for size bytes and a NUL after them in itself. */
static struct inko_message *message_allocate(size_t size)
{
	struct inko_message *message = malloc(sizeof(*message) + size + 1);

	if (!message)
		return NULL;
	*message = (struct inko_message){.fds = message->few_fds, .sockets = message->few_sockets};
	message->inline_bytes[size] = '\0';
	owned_enter(&message->owned, message_free_owned);
	return message;
}

int inko_message_new(const void *bytes, size_t size, struct inko_message **ret_message)
{
	struct inko_message *message;

	if (size > LIMIT_BODY_BYTES)
		return -EMSGSIZE;
	message = message_allocate(size);
	if (!message)
		return -ENOMEM;
	message->envelope.kind = ENVELOPE_MESSAGE;
	message->n_bytes = size;
	if (size > 0)
		memcpy(message->inline_bytes, bytes, size);
	*ret_message = message;
	return 0;
}

static void envelope_set_peer(struct envelope *envelope, const struct inko_address *peer)
{
	bool is_ipv6 = peer->ip.version == 6;

	envelope->peer_family = is_ipv6 ? AF_INET6 : AF_INET;
	envelope->peer_port = peer->port;
	envelope->peer_scope = is_ipv6 ? peer->ip.scope : 0;
	memcpy(envelope->peer_address, peer->ip.bytes, is_ipv6 ? 16 : 4);
}

int inko_message_new_connection(int *take_fd, const char *listener, const struct inko_address *peer,
	struct inko_message **ret_message)
{
	struct inko_message *message;

	if (!name_is_valid(listener))
		return -EINVAL;
	message = message_allocate(0);
	if (!message)
		return -ENOMEM;
	message->envelope.kind = ENVELOPE_CONNECTION;
	message->envelope.time_usec = wait_now_usec();
	memcpy(message->envelope.listener, listener, strlen(listener));
	if (peer)
		envelope_set_peer(&message->envelope, peer);
	message->few_fds[0] = descriptor_take(take_fd);
	message->n_fds = 1;
	*ret_message = message;
	return 0;
}

/* Makes room for n descriptors; there are none yet, or they are few. */
static int message_make_room(struct inko_message *message, unsigned int n)
{
	struct inko_socket **sockets;
	int *fds;

	if (n <= MESSAGE_FEW_FDS || message->fds != message->few_fds)
		return 0;
	fds = malloc(LIMIT_SOCKETS * sizeof(int));
	sockets = calloc(LIMIT_SOCKETS, sizeof(struct inko_socket *));
	if (!fds || !sockets) {
		free(fds);
		free(sockets);
		return -ENOMEM;
	}
	memcpy(fds, message->few_fds, sizeof(message->few_fds));
	memcpy(sockets, message->few_sockets, sizeof(message->few_sockets));
	message->fds = fds;
	message->sockets = sockets;
	return 0;
}

int message_new_from_lane(struct lane_message *take_message, struct service *service,
	struct answer_way *way, struct inko_message **ret_message)
{
	struct passed *passed = &take_message->passed;
	struct inko_message *message = message_allocate(0);

	if (!message)
		return -ENOMEM;
	if (message_make_room(message, (unsigned int)passed->n_fds) < 0)
		return inko_message_free(message), -ENOMEM;

	message->envelope = take_message->envelope;
	message->bytes = take_message->body;
	message->n_bytes = take_message->body ? take_message->envelope.length : 0;
	take_message->body = NULL;
	memcpy(message->fds, passed->fds, passed->n_fds * sizeof(int));
	message->n_fds = (unsigned int)passed->n_fds;
	passed->n_fds = 0;

	if (message->envelope.kind == ENVELOPE_CONNECTION) {
		message->service = service;
		for (unsigned int i = 0; i < message->n_fds; i++)
			service_enter(service);
	}
	if (way)
		way->n_references++;
	message->way = way;
	*ret_message = message;
	return 0;
}

/* Closes the first descriptor that is left. */
static void message_close_one(struct inko_message *message)
{
	unsigned int i = message->next_fd++;

	if (message->sockets[i]) {
		inko_socket_close(message->sockets[i]);
		return;
	}
	descriptor_close(&message->fds[i]);
	service_leave(message->service);
}

struct inko_message *inko_message_free(struct inko_message *message)
{
	if (!message)
		return NULL;
	owned_leave(&message->owned);
	while (message->next_fd < message->n_fds)
		message_close_one(message);
	if (message->fds != message->few_fds) {
		free(message->fds);
		free(message->sockets);
	}
	free(message->bytes);
	answer_way_unref(message->way);
	inko_task_unref(message->asker);
	free(message);
	return NULL;
}

/* Sockets */

int inko_message_push_socket(struct inko_message *message, struct inko_socket *take_socket)
{
	/* What was taken from the front makes no room: who takes does not push. */
	if (message->n_fds >= LIMIT_SOCKETS_WITH_BODY)
		return -E2BIG;
	if (message_make_room(message, message->n_fds + 1) < 0)
		return -ENOMEM;
	owned_leave(&take_socket->owned);
	message->sockets[message->n_fds] = take_socket;
	message->fds[message->n_fds++] = take_socket->fd;
	return 0;
}

size_t inko_message_count_sockets(const struct inko_message *message)
{
	return message->n_fds - message->next_fd;
}

/* Has the next descriptor be a socket, which is the message's. */
static int message_adopt(struct inko_message *message)
{
	unsigned int i = message->next_fd;
	struct inko_socket *socket;
	int r;

	if (message->sockets[i])
		return 0;
	r = socket_adopt(&message->fds[i], message->service, &socket);
	if (r < 0)
		return r == -ENOMEM ? r : -EPROTOTYPE;
	owned_leave(&socket->owned);
	message->sockets[i] = socket;
	message->fds[i] = socket->fd;
	return 0;
}

static void message_take(struct inko_message *message, struct inko_socket **ret_socket)
{
	*ret_socket = message->sockets[message->next_fd++];
	socket_own(*ret_socket);
}

int inko_message_take_socket(struct inko_message *message, struct inko_socket **ret_socket)
{
	int r;

	if (inko_message_count_sockets(message) == 0)
		return -ENOENT;
	r = message_adopt(message);
	if (r == 0)
		message_take(message, ret_socket);
	else if (r == -EPROTOTYPE)
		message_close_one(message); /* or what follows could not be had */
	return r;
}

int inko_message_take_socket_as(
	struct inko_message *message, enum inko_socket_kind kind, struct inko_socket **ret_socket)
{
	int r;

	if (inko_message_count_sockets(message) == 0)
		return -ENOENT;
	r = message_adopt(message);
	if (r == 0)
		r = inko_socket_require(message->sockets[message->next_fd], kind);
	if (r == 0)
		message_take(message, ret_socket);
	return r;
}

int inko_message_take_fd(struct inko_message *message, int *ret_fd)
{
	unsigned int i = message->next_fd;

	if (inko_message_count_sockets(message) == 0)
		return -ENOENT;
	*ret_fd = message->fds[i];
	if (message->sockets[i])
		(void)inko_socket_release(message->sockets[i]);
	else
		service_leave(message->service);
	message->next_fd++;
	return 0;
}

/* What is in it */

enum inko_message_kind inko_message_get_kind(const struct inko_message *message)
{
	return (enum inko_message_kind)message->envelope.kind;
}

bool message_has_bytes(const struct inko_message *message)
{
	return message->n_bytes > 0;
}

const char *inko_message_peek_bytes(const struct inko_message *message, size_t *ret_size)
{
	if (ret_size)
		*ret_size = message->n_bytes;
	return message->bytes ? message->bytes : message->inline_bytes;
}

const char *inko_message_peek_listener(const struct inko_message *message)
{
	return message->envelope.listener;
}

int inko_message_peek_peer(const struct inko_message *message, struct inko_address *ret_peer)
{
	const struct envelope *envelope = &message->envelope;
	struct inko_address peer = {.port = envelope->peer_port};
	bool is_ipv6 = envelope->peer_family == AF_INET6;

	if (!is_ipv6 && envelope->peer_family != AF_INET)
		return -ENOENT;
	peer.ip.version = is_ipv6 ? 6 : 4;
	peer.ip.scope = is_ipv6 ? envelope->peer_scope : 0;
	memcpy(peer.ip.bytes, envelope->peer_address, is_ipv6 ? 16 : 4);
	*ret_peer = peer;
	return 0;
}

uint64_t inko_message_get_time(const struct inko_message *message)
{
	return message->envelope.time_usec;
}

void inko_message_set_correlation(struct inko_message *message, uint64_t correlation)
{
	message->envelope.correlation = correlation;
}

uint64_t inko_message_get_correlation(const struct inko_message *message)
{
	return message->envelope.correlation;
}

/* Sending */

/* Whoever receives them holds what they are descriptors of. */
static void message_share_sockets(struct inko_message *message)
{
	for (unsigned int i = message->next_fd; i < message->n_fds; i++)
		if (message->sockets[i])
			message->sockets[i]->shared = true;
}

int message_send_into_lane(int write_fd, struct inko_message *message, enum envelope_kind kind)
{
	struct envelope envelope = message->envelope;

	envelope.kind = (uint8_t)kind;
	envelope.flags = 0;
	message_share_sockets(message);
	return lane_send(write_fd, &envelope, inko_message_peek_bytes(message, NULL),
		message->n_bytes, message->fds + message->next_fd,
		inko_message_count_sockets(message));
}

void message_note_sent(
	struct inko_message *message, enum inko_message_kind kind, struct inko_task *asker)
{
	message->envelope.kind = (uint8_t)kind;
	if (kind != INKO_CONNECTION)
		message->envelope.time_usec = wait_now_usec();
	if (asker && !message->way && !message->asker && kind != INKO_ANSWER)
		message->asker = inko_task_ref(asker);
}

int message_wait_for_refs(unsigned int *n_tries)
{
	int r;

	if ((*n_tries)++ >= REFS_TRIES)
		return -ETOOMANYREFS;
	r = wait_for(NULL, 0, wait_now_usec() + REFS_WAIT_USEC);
	return r == -ETIMEDOUT ? 0 : r;
}

/* Waits until an answer that failed with error may fit: 0, or it does not wait for that. */
static int answer_wait(int way_fd, int error, unsigned int *n_tries)
{
	struct pollfd room = {.fd = way_fd, .events = POLLOUT};

	if (error == -EAGAIN)
		return wait_for(&room, 1, 0);
	return error == -ETOOMANYREFS ? message_wait_for_refs(n_tries) : error;
}

static int message_answer_by_lane(int way_fd, struct inko_message *take_answer)
{
	unsigned int n_tries = 0;
	int r;

	while ((r = message_send_into_lane(way_fd, take_answer, ENVELOPE_ANSWER)) < 0) {
		r = answer_wait(way_fd, r, &n_tries);
		if (r < 0)
			return r == -EPIPE ? -ENOTCONN : r;
	}
	inko_message_free(take_answer);
	return 0;
}

int inko_message_reply(struct inko_message *question, struct inko_message *take_answer)
{
	if (!question->way && !question->asker)
		return -ENOTCONN;
	take_answer->envelope.correlation = question->envelope.correlation;
	if (question->asker)
		return task_mailbox_answer(question->asker, take_answer);
	return message_answer_by_lane(question->way->fd, take_answer);
}

/* Queues */

void message_queue_push(struct message_queue *queue, struct inko_message *take_message)
{
	owned_leave(&take_message->owned);
	take_message->next = NULL;
	if (queue->last)
		queue->last->next = take_message;
	else
		queue->first = take_message;
	queue->last = take_message;
	queue->n_messages++;
}

struct inko_message *message_queue_take(struct message_queue *queue)
{
	struct inko_message *message = queue->first;

	if (!message)
		return NULL;
	queue->first = message->next;
	if (!queue->first)
		queue->last = NULL;
	queue->n_messages--;
	owned_enter(&message->owned, message_free_owned);
	return message;
}

void message_queue_done(struct message_queue *queue)
{
	struct inko_message *message;

	while ((message = message_queue_take(queue)))
		inko_message_free(message);
}
