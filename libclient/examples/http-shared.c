/*
 * The guide's second HTTP server: each instance is given the listener and accepts for itself.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <inko/inko.h>

/* A client that sends nothing may hold up the others for so long. */
#define PATIENCE_USEC 2000000
/* How long to wait when there is no room for another. */
#define PAUSE_USEC 100000

static const char reply[] = "HTTP/1.1 200 OK\r\n"
			    "Content-Type: text/plain\r\n"
			    "Content-Length: 12\r\n"
			    "Connection: close\r\n"
			    "\r\n"
			    "Hello, HTTP!";

static void answer(struct inko_socket *client)
{
	char request[4096];

	inko_socket_set_deadline(client, inko_deadline_after(PATIENCE_USEC));
	if (inko_socket_read(client, request, sizeof(request)) > 0)
		(void)inko_socket_write_string(client, reply);
	(void)inko_socket_shutdown(client);
	inko_socket_close(client);
}

static bool is_out_of_room(int r)
{
	return r == -EMFILE || r == -ENFILE || r == -ENOBUFS || r == -ENOMEM;
}

static void serve(struct inko_mailbox *mailbox, struct inko_socket *listener)
{
	struct inko_socket *client;
	int r;

	/* Ends when the listener is closed, and when this actor is to stop. */
	do {
		r = inko_mailbox_accept(mailbox, listener, &client);
		if (r == 0)
			answer(client);
		/* Those who wait to be accepted wait on. */
		if (is_out_of_room(r))
			r = inko_task_sleep(inko_deadline_after(PAUSE_USEC));
	} while (r == 0);
	inko_socket_close(listener);
}

int main(void)
{
	struct inko_mailbox *mailbox;
	struct inko_message *message;
	struct inko_socket *listener;
	int r = inko_mailbox_open_own(&mailbox);

	if (r == 0)
		r = inko_actor_ready();
	while (r >= 0 && (r = inko_mailbox_receive(mailbox, &message)) == 0) {
		if (inko_message_take_socket(message, &listener) == 0)
			serve(mailbox, listener);
		inko_message_free(message);
	}
	if (r == -ESHUTDOWN)
		return 0;
	(void)fprintf(stderr, "http-shared: %s (start it with inkoctl spawn)\n", strerror(-r));
	return 1;
}
