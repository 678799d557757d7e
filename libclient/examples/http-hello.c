/*
 * The guide's HTTP server, split over two processes: inkod accepts, this one answers.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <inko/inko.h>

/* A client that sends nothing may hold up the others for so long. */
#define PATIENCE_USEC 2000000

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

int main(void)
{
	struct inko_mailbox *mailbox;
	struct inko_message *message;
	struct inko_socket *client;
	int r = inko_mailbox_open_own(&mailbox);

	if (r == 0)
		r = inko_actor_ready();
	while (r >= 0 && (r = inko_mailbox_receive(mailbox, &message)) == 0) {
		if (inko_message_get_kind(message) != INKO_CONNECTION)
			(void)printf("message: %s\n", inko_message_peek_bytes(message, NULL));
		else if (inko_message_take_socket(message, &client) == 0)
			answer(client);
		inko_message_free(message);
		(void)fflush(stdout);
	}
	if (r == -ESHUTDOWN)
		return 0;
	(void)fprintf(stderr, "http-hello: %s (start it with inkoctl spawn)\n", strerror(-r));
	return 1;
}
