#pragma once

/*
 * Mailboxes and messages: how actors hand each other bytes and sockets.
 *
 * A mailbox to receive from is this process's own (inko_mailbox_open_own). A mailbox to send to
 * is another actor's, opened by its name (inko_mailbox_open), or one on another host
 * (inko/remote.h). Both are the same type and take the same calls; one that does not fit is
 * -EOPNOTSUPP. Unless said otherwise a call returns 0 or a negative errno.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <inko/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

struct inko_mailbox;
struct inko_message;

enum inko_message_kind {
	INKO_MESSAGE = 1,    /* bytes, sockets, or both, from another program */
	INKO_CONNECTION = 2, /* a connection that an acceptor handed over */
	INKO_LISTENER = 3,   /* a listener that was given to this actor */
	INKO_ANSWER = 6,     /* to a message that this process sent */
};

/* The mailbox of this process, from what inkod passed at its start (LISTEN_FDS). Call it once,
 * before other descriptors are opened. -ENOENT when inkod did not start this process. */
int inko_mailbox_open_own(struct inko_mailbox **ret_mailbox);
/* The mailbox of the actor name, that this actor's spec opens. own stays the caller's and must
 * outlive it. It can be opened before anybody is there: inko_mailbox_send then waits, and
 * inko_mailbox_try_send is -EAGAIN. */
int inko_mailbox_open(
	struct inko_mailbox *own, const char *name, struct inko_mailbox **ret_mailbox);
/* Frees the mailbox; what waits in it stays for the next. NULL is allowed. Returns NULL. */
struct inko_mailbox *inko_mailbox_close(struct inko_mailbox *mailbox);

/* A descriptor to poll for reading: something may have come or (of a mailbox to send to that
 * was full) there may be room. Level-triggered; it stays the mailbox's. */
int inko_mailbox_get_fd(const struct inko_mailbox *mailbox);

/* Waits for a message and receives it; it is the caller's. -ESHUTDOWN when this actor has been
 * told to stop and all that stood before it was delivered: return from main then. -EMFILE when
 * there is no room for its sockets, which stay queued. */
int inko_mailbox_receive(struct inko_mailbox *mailbox, struct inko_message **ret_message);
/* The same without waiting: -EAGAIN when there is nothing. */
int inko_mailbox_try_receive(struct inko_mailbox *mailbox, struct inko_message **ret_message);
/* Accepts a connection from a listener that came in a message. Ends with -ESHUTDOWN when the
 * mailbox says stop, or the listener was closed by inkod, and with -EINTR at a notification
 * (notifier.h). Messages stay in the mailbox. */
int inko_mailbox_accept(struct inko_mailbox *mailbox, struct inko_socket *listener,
	struct inko_socket **ret_socket);

/* How many connections out of this mailbox may be open in this process at a time before receive
 * waits for one to be closed: the spec's concurrency (256) unless set. What waits goes to siblings
 * or stays queued. */
void inko_mailbox_set_concurrency(struct inko_mailbox *mailbox, unsigned int connections);

/* Sends message, which is taken and freed on success and stays the caller's on failure; its
 * sockets are then closed here. Waits while the mailbox is full or nobody is there to receive;
 * -ESHUTDOWN when nobody is and this actor has been told to stop. */
int inko_mailbox_send(struct inko_mailbox *mailbox, struct inko_message *take_message);
/* The same without waiting: -EAGAIN when the mailbox is full or nobody is there to receive. */
int inko_mailbox_try_send(struct inko_mailbox *mailbox, struct inko_message *take_message);
/* Sends a message with nothing but a socket (proc.send(client)), which is taken on success and
 * stays the caller's, as it was, on failure. Waits as inko_mailbox_send does. */
int inko_mailbox_send_socket(struct inko_mailbox *mailbox, struct inko_socket *take_socket);
/* Receives a message and takes its socket (process.receive as TcpStream), for who wants nothing
 * else: what it has besides is lost. -ENOMSG when it had none, -EPROTOTYPE when that was no IP or
 * Unix socket; the errors of inko_mailbox_receive. */
int inko_mailbox_receive_socket(struct inko_mailbox *mailbox, struct inko_socket **ret_socket);
/* How many messages without bodies could be sent now without waiting; 0 is none. */
unsigned int inko_mailbox_room(struct inko_mailbox *mailbox);

/* A message of kind INKO_MESSAGE with a copy of bytes. */
int inko_message_new(const void *bytes, size_t size, struct inko_message **ret_message);
/* Frees the message and closes the sockets in it. NULL is allowed. Returns NULL. */
struct inko_message *inko_message_free(struct inko_message *message);
/* Moves socket into message, up to 252 of them: then -E2BIG. Taken on success. Taken out again in
 * this process it is the same socket. */
int inko_message_push_socket(struct inko_message *message, struct inko_socket *take_socket);
/* Moves the connection in *take_fd into a message of kind INKO_CONNECTION, with the name of the
 * listener that it came in on and the peer's address, or NULL: what an acceptor sends. -EINVAL
 * when listener is no name. */
int inko_message_new_connection(int *take_fd, const char *listener, const struct inko_address *peer,
	struct inko_message **ret_message);

enum inko_message_kind inko_message_get_kind(const struct inko_message *message);
/* The bytes, *ret_size of them and a NUL after; they stay the message's. Never NULL. */
const char *inko_message_peek_bytes(const struct inko_message *message, size_t *ret_size);
/* How many sockets are in the message still. */
size_t inko_message_count_sockets(const struct inko_message *message);
/* Moves the first socket that is left out of the message. -ENOENT when there is none, -EPROTOTYPE
 * (and it is closed) when the kernel says that it is no IP or Unix socket. */
int inko_message_take_socket(struct inko_message *message, struct inko_socket **ret_socket);
/* The same if it is of kind (process.receive as TcpStream). -EPROTOTYPE when it is another: then
 * it stays in the message. */
int inko_message_take_socket_as(
	struct inko_message *message, enum inko_socket_kind kind, struct inko_socket **ret_socket);
/* The same as a plain descriptor of any kind; it counts no longer as open (see concurrency). */
int inko_message_take_fd(struct inko_message *message, int *ret_fd);
/* The listener that a connection came in on, or whose listener this is; "" if none. */
const char *inko_message_peek_listener(const struct inko_message *message);
/* Who connected; -ENOENT when the connection has no IP peer. */
int inko_message_peek_peer(const struct inko_message *message, struct inko_address *ret_peer);
/* When it was accepted or sent, CLOCK_MONOTONIC in microseconds. */
uint64_t inko_message_get_time(const struct inko_message *message);

/* The number that an answer carries to tell which message it answers; the sender chooses. */
void inko_message_set_correlation(struct inko_message *message, uint64_t correlation);
uint64_t inko_message_get_correlation(const struct inko_message *message);
/* Answers question to who sent it. answer is taken on success. -ENOTCONN when its sender
 * receives no answers, or has ended. Waits while the sender's mailbox is full. */
int inko_message_reply(struct inko_message *question, struct inko_message *take_answer);

/* What a transport of another kind provides to be a mailbox; libinko-nng does. Any may be NULL.
 * Errors and ownership are those of the calls above. What a call has to wait for is get_fd's
 * descriptor, or if there is a wait what that waits for: until try_receive, or with to_send
 * try_send, may be more than -EAGAIN. */
struct inko_mailbox_transport {
	int (*get_fd)(void *context);
	int (*try_receive)(void *context, struct inko_message **ret_message);
	int (*try_send)(void *context, struct inko_message *take_message);
	int (*wait)(void *context, bool to_send);
	void (*close)(void *context);
};

/* A mailbox over transport, which must live as long as it does; context is passed to its calls. */
int inko_mailbox_new(const struct inko_mailbox_transport *transport, void *context,
	struct inko_mailbox **ret_mailbox);

#ifdef __cplusplus
}
#endif
