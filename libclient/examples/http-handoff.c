/*
 * The guide's HTTP server as it is there: one process accepts, another answers. With a port this
 * one accepts, and sends each client to the actor "answer"; without, it is that one.
 *
 *     inkoctl spawn answer -- http-handoff
 *     inkoctl spawn accept --opens answer -- http-handoff 8080
 */

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
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

static bool is_out_of_room(int r)
{
	return r == -EMFILE || r == -ENFILE || r == -ENOBUFS || r == -ENOMEM;
}

static int accept_client(
	struct inko_mailbox *own, struct inko_socket *listener, struct inko_mailbox *answerer)
{
	struct inko_socket *client;
	int r = inko_mailbox_accept(own, listener, &client);

	if (r < 0)
		return r;
	r = inko_mailbox_send_socket(answerer, client);
	if (r < 0)
		inko_socket_close(client);
	return r;
}

static int accept_clients(struct inko_mailbox *own, unsigned int port)
{
	struct inko_ip ip = inko_ip_v4(127, 0, 0, 1);
	struct inko_socket *listener;
	struct inko_mailbox *answerer;
	int r;

	r = inko_mailbox_open(own, "answer", &answerer);
	if (r == 0)
		r = inko_tcp_listen(&ip, port, &listener);
	if (r == 0)
		r = inko_actor_ready();
	while (r >= 0) {
		r = accept_client(own, listener, answerer);
		/* Those who wait to be accepted wait on. */
		if (is_out_of_room(r))
			r = inko_task_sleep(inko_deadline_after(PAUSE_USEC));
	}
	return r;
}

static void answer(struct inko_socket *client)
{
	char request[4096];

	inko_socket_set_deadline(client, inko_deadline_after(PATIENCE_USEC));
	if (inko_socket_read(client, request, sizeof(request)) > 0)
		(void)inko_socket_write_string(client, reply);
	(void)inko_socket_shutdown(client);
	inko_socket_close(client);
}

static int answer_clients(struct inko_mailbox *own)
{
	struct inko_message *message;
	struct inko_socket *client;
	int r = inko_actor_ready();

	while (r >= 0 && (r = inko_mailbox_receive(own, &message)) == 0) {
		if (inko_message_take_socket(message, &client) == 0)
			answer(client);
		inko_message_free(message);
	}
	return r;
}

int main(int argc, char **argv)
{
	struct inko_mailbox *own;
	int r = inko_mailbox_open_own(&own);

	if (r == 0)
		r = argc > 1 ? accept_clients(own, (unsigned int)strtoul(argv[1], NULL, 10))
			     : answer_clients(own);
	if (r == -ESHUTDOWN)
		return 0;
	(void)fprintf(stderr, "http-handoff: %s (start it with inkoctl spawn)\n", strerror(-r));
	return 1;
}
