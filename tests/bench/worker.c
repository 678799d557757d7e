/*
 * An event-driven HTTP server to measure a handoff with: the same code serves connections that
 * come out of a mailbox (--mailbox, under inkod) and those that it accepts by itself from a
 * listener that it shares with its siblings (--listener FD).
 */

#include <errno.h>
#include <fcntl.h>
#include <inko/inko.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 128
/* Connections taken before those that are open get their turn. */
#define BUDGET 16

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n"
			     "Connection: close\r\n\r\nHello, HTTP!";

struct connection {
	int fd;
	bool watched;
	size_t n_request;
	char request[1024];
};

struct worker {
	int epoll_fd;
	struct inko_mailbox *mailbox; /* NULL: accepts from listener_fd */
	int listener_fd;
};

static void connection_close(struct worker *worker, struct connection *connection)
{
	/* The acceptor may hold its copy for a moment longer, and epoll goes by what is open: an
	 * event for a connection that is freed would follow. */
	if (connection->watched)
		(void)epoll_ctl(worker->epoll_fd, EPOLL_CTL_DEL, connection->fd, NULL);
	(void)shutdown(connection->fd, SHUT_RDWR);
	(void)close(connection->fd);
	free(connection);
}

/* Small answers always fit the send buffer of a new connection. */
static void connection_answer(struct worker *worker, struct connection *connection)
{
	(void)send(connection->fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	connection_close(worker, connection);
}

static void connection_step(struct worker *worker, struct connection *connection)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
	ssize_t n = recv(connection->fd, connection->request + connection->n_request,
		sizeof(connection->request) - 1 - connection->n_request, MSG_DONTWAIT);

	if (n > 0) {
		connection->n_request += (size_t)n;
		connection->request[connection->n_request] = 0;
		if (strstr(connection->request, "\r\n\r\n")) {
			connection_answer(worker, connection);
			return;
		}
	}
	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		connection_close(worker, connection);
		return;
	}
	if (connection->watched)
		return;
	connection->watched =
		epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) == 0;
	if (!connection->watched)
		connection_close(worker, connection);
}

static int take_from_mailbox(struct worker *worker, int *ret_fd)
{
	struct inko_message *message;
	int r = inko_mailbox_try_receive(worker->mailbox, &message);

	if (r < 0)
		return r;
	r = inko_message_take_fd(message, ret_fd);
	inko_message_free(message);
	return r;
}

static int take_from_listener(int listener_fd, int *ret_fd)
{
	*ret_fd = accept4(listener_fd, NULL, NULL, SOCK_CLOEXEC);
	return *ret_fd < 0 ? -errno : 0;
}

static int take_connections(struct worker *worker)
{
	for (int i = 0; i < BUDGET; i++) {
		struct connection *connection;
		int fd = -1;
		int r = worker->mailbox ? take_from_mailbox(worker, &fd)
					: take_from_listener(worker->listener_fd, &fd);

		if (r == -EAGAIN)
			return 0;
		if (r < 0)
			return r;
		connection = calloc(1, sizeof(*connection));
		if (!connection) {
			(void)close(fd);
			return -ENOMEM;
		}
		connection->fd = fd;
		connection_step(worker, connection);
	}
	return 0;
}

static int worker_run(struct worker *worker)
{
	struct epoll_event source = {.events = EPOLLIN, .data.ptr = NULL};
	int source_fd =
		worker->mailbox ? inko_mailbox_get_fd(worker->mailbox) : worker->listener_fd;

	if (epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, source_fd, &source) < 0)
		return -errno;
	for (;;) {
		struct epoll_event events[EVENTS];
		int n = epoll_wait(worker->epoll_fd, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			int r = 0;
			if (events[i].data.ptr)
				connection_step(worker, events[i].data.ptr);
			else
				r = take_connections(worker);
			if (r < 0)
				return r;
		}
	}
}

static int open_source(struct worker *worker, int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--mailbox") == 0)
		return inko_mailbox_open_own(&worker->mailbox);
	if (argc == 3 && strcmp(argv[1], "--listener") == 0) {
		worker->listener_fd = atoi(argv[2]);
		return fcntl(worker->listener_fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
	}
	fprintf(stderr, "usage: worker --mailbox | --listener FD\n");
	return -EINVAL;
}

int main(int argc, char **argv)
{
	struct worker worker = {.epoll_fd = -1};
	int r = open_source(&worker, argc, argv);

	worker.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (r >= 0 && worker.epoll_fd < 0)
		r = -errno;
	if (r >= 0 && worker.mailbox)
		r = inko_actor_ready();
	if (r >= 0)
		r = worker_run(&worker);
	inko_mailbox_close(worker.mailbox);
	if (r == -ESHUTDOWN)
		return 0;
	fprintf(stderr, "worker: %s\n", strerror(-r));
	return 1;
}
