/*
 * The guide's HTTP server in one process: a task accepts, and spawns one for each connection.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <inko/inko.h>

static const char reply[] = "HTTP/1.1 200 OK\r\n"
			    "Content-Type: text/plain\r\n"
			    "Content-Length: 12\r\n"
			    "Connection: close\r\n"
			    "\r\n"
			    "Hello, HTTP!";

/* How long to let clients end, when there is no room for another. */
#define PAUSE_USEC 100000

/* A client that sends nothing holds up nobody. */
static int answer(struct inko_mailbox *mailbox, void *argument)
{
	struct inko_socket *client;
	char request[4096];

	(void)argument;
	if (inko_mailbox_receive_socket(mailbox, &client) < 0)
		return 1;
	if (inko_socket_read(client, request, sizeof(request)) > 0)
		(void)inko_socket_write_string(client, reply);
	(void)inko_socket_shutdown(client);
	return 0; /* and with the task its client ends */
}

static int hand_over(struct inko_socket *client)
{
	struct inko_task *task;
	int r = inko_task_spawn(NULL, "answer", answer, NULL, &task);

	if (r < 0) {
		inko_socket_close(client);
		return r;
	}
	r = inko_mailbox_send_socket(inko_task_get_mailbox(task), client);
	if (r < 0) {
		inko_socket_close(client);
		inko_task_cancel(task);
	}
	inko_task_unref(task);
	return r;
}

static bool is_out_of_room(int r)
{
	return r == -EMFILE || r == -ENFILE || r == -ENOBUFS || r == -ENOMEM;
}

static int accept_clients(struct inko_mailbox *mailbox, void *argument)
{
	struct inko_socket *listener = argument, *client;
	int r;

	(void)mailbox;
	do {
		r = inko_socket_accept(listener, &client);
		if (r == 0)
			r = hand_over(client);
		/* Those who wait to be accepted wait on: what is open ends in the meantime. */
		if (is_out_of_room(r))
			r = inko_task_sleep(inko_deadline_after(PAUSE_USEC));
	} while (r == 0);
	return r;
}

int main(int argc, char **argv)
{
	struct inko_ip ip = inko_ip_v4(127, 0, 0, 1);
	struct inko_socket *listener;
	struct inko_runtime *runtime;
	struct inko_task *task;
	int result, r;

	r = inko_tcp_listen(&ip, (uint16_t)(argc > 1 ? atoi(argv[1]) : 8080), &listener);
	if (r == 0)
		r = inko_runtime_new(&runtime);
	if (r == 0)
		r = inko_task_spawn(runtime, "accept", accept_clients, listener, &task);
	if (r == 0)
		r = inko_runtime_run(runtime);
	if (r == 0 && inko_task_join(task, &result) == 0)
		r = result;
	(void)fprintf(stderr, "http-tasks: %s\n", strerror(-r));
	return 1;
}
