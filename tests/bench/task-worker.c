/*
 * The worker beside this one as it reads with tasks: one for each connection, which it accepts from
 * the listener FD.
 */

#include <errno.h>
#include <inko/inko.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n"
			     "Connection: close\r\n\r\nHello, HTTP!";

static int serve(struct inko_mailbox *mailbox, void *argument)
{
	struct inko_socket *client;
	char request[1024];
	size_t n_request = 0;
	int r = inko_mailbox_receive_socket(mailbox, &client);

	(void)argument;
	if (r < 0)
		return r;
	while (n_request < sizeof(request) - 1) {
		ssize_t n = inko_socket_read(
			client, request + n_request, sizeof(request) - 1 - n_request);

		if (n <= 0)
			break;
		n_request += (size_t)n;
		request[n_request] = '\0';
		if (strstr(request, "\r\n\r\n")) {
			(void)inko_socket_write_bytes(client, answer, sizeof(answer) - 1);
			break;
		}
	}
	(void)inko_socket_shutdown(client);
	inko_socket_close(client);
	return 0;
}

/* As its argument it would stay this task's, and end with it. */
static int hand_over(struct inko_socket *client)
{
	struct inko_task *task;
	int r = inko_task_spawn(NULL, "connection", serve, NULL, &task);

	if (r < 0)
		return r;
	r = inko_mailbox_send_socket(inko_task_get_mailbox(task), client);
	inko_task_unref(task);
	return r;
}

static int accept_all(struct inko_mailbox *mailbox, void *argument)
{
	struct inko_socket *listener, *client;
	int fd = atoi(argument);
	int r = inko_socket_adopt(&fd, &listener);

	(void)mailbox;
	while (r == 0) {
		r = inko_socket_accept(listener, &client);
		if (r == 0)
			r = hand_over(client);
	}
	return r;
}

int main(int argc, char **argv)
{
	struct inko_runtime *runtime;
	struct inko_task *task;
	int result = 0, r;

	if (argc != 2) {
		fprintf(stderr, "usage: task-worker FD\n");
		return 2;
	}
	r = inko_runtime_new(&runtime);
	if (r == 0)
		r = inko_task_spawn(runtime, "accept", accept_all, argv[1], &task);
	if (r == 0)
		r = inko_runtime_run(runtime);
	if (r == 0)
		r = inko_task_join(task, &result);
	fprintf(stderr, "task-worker: %s\n", strerror(r < 0 ? -r : -result));
	return 1;
}
