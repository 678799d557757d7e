/*
 * An HTTP server that keeps a record of what it does with each connection, in a file that its
 * instances share, so that a test can tell what was in the hands of one that it killed:
 *
 *	begin web/0 4711 127.0.0.1:40000	before it serves the connection from there
 *	end web/0 4711 127.0.0.1:40000		after it has closed it
 *	message web/0 4711 5 a430d84680aabd0b	a message of five bytes and their FNV-1a hash
 *
 * It serves one connection at a time, as a linear program does, and answers with its name and pid.
 * --gate FILE: receives nothing until FILE exists. --keep FILE: takes connections and keeps
 * them open, unanswered, until FILE exists.
 */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inko/inko.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEPT_MAX 4096
#define POLL_USEC 5000

struct recorder {
	int record_fd;
	const char *gate;
	const char *keep;
	unsigned int delay_msec;
	struct inko_mailbox *mailbox;
	size_t n_kept;
	struct inko_message *kept[KEPT_MAX];
};

static void give_up(const char *what, int error)
{
	fprintf(stderr, "recorder: %s: %s\n", what, strerror(error));
	exit(1);
}

/* One write to an O_APPEND file: lines of several instances never mix. */
static void record(const struct recorder *recorder, const char *what, const char *detail)
{
	char line[256];
	int n = snprintf(
		line, sizeof(line), "%s %s %d %s\n", what, inko_actor_name(), getpid(), detail);

	if (recorder->record_fd >= 0 && write(recorder->record_fd, line, (size_t)n) != n)
		give_up("cannot write the record", errno);
}

static void format_peer(const struct inko_message *message, char *text, size_t size)
{
	char peer_text[INKO_ADDRESS_TEXT_BYTES] = "-";
	struct inko_address peer;

	if (inko_message_peek_peer(message, &peer) == 0)
		inko_address_format(&peer, peer_text);
	(void)snprintf(text, size, "%s", peer_text);
}

static void answer(struct inko_socket *client)
{
	char request[2048];
	char body[128];
	char text[512];
	int n;

	if (inko_socket_read(client, request, sizeof(request)) <= 0)
		return;
	n = snprintf(body, sizeof(body), "%s %d\n", inko_actor_name(), getpid());
	(void)snprintf(text, sizeof(text),
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n"
		"Connection: close\r\n\r\n%s",
		n, body);
	(void)inko_socket_write_string(client, text);
	(void)inko_socket_shutdown(client);
}

static void serve(const struct recorder *recorder, struct inko_message *take_message)
{
	struct inko_socket *client = NULL;
	char peer[INKO_IP_TEXT_BYTES + 8];
	int r;

	format_peer(take_message, peer, sizeof(peer));
	record(recorder, "begin", peer);
	r = inko_message_take_socket(take_message, &client);
	if (r < 0)
		give_up("cannot take the connection", -r);
	if (recorder->delay_msec)
		(void)usleep(recorder->delay_msec * 1000);
	answer(client);
	inko_socket_close(client);
	inko_message_free(take_message);
	record(recorder, "end", peer);
}

static void note_message(const struct recorder *recorder, struct inko_message *take_message)
{
	char detail[64];
	uint64_t hash = 0xcbf29ce484222325;
	size_t size;
	const char *bytes = inko_message_peek_bytes(take_message, &size);

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3;
	(void)snprintf(detail, sizeof(detail), "%zu %016llx", size, (unsigned long long)hash);
	record(recorder, "message", detail);
	inko_message_free(take_message);
}

static void serve_kept(struct recorder *recorder)
{
	recorder->keep = NULL;
	for (size_t i = 0; i < recorder->n_kept; i++)
		serve(recorder, recorder->kept[i]);
	recorder->n_kept = 0;
}

static void keep(struct recorder *recorder, struct inko_message *take_message)
{
	char peer[INKO_IP_TEXT_BYTES + 8];

	if (recorder->n_kept == KEPT_MAX)
		give_up("too many connections to keep", ENOBUFS);
	format_peer(take_message, peer, sizeof(peer));
	record(recorder, "keep", peer);
	recorder->kept[recorder->n_kept++] = take_message;
}

static void handle(struct recorder *recorder, struct inko_message *take_message)
{
	if (inko_message_get_kind(take_message) != INKO_CONNECTION)
		note_message(recorder, take_message);
	else if (recorder->keep)
		keep(recorder, take_message);
	else
		serve(recorder, take_message);
}

/* While connections are kept the file must be looked for too. */
static int receive(struct recorder *recorder, struct inko_message **ret_message)
{
	int r;

	while (recorder->keep) {
		r = inko_mailbox_try_receive(recorder->mailbox, ret_message);
		if (r != -EAGAIN)
			return r;
		if (access(recorder->keep, F_OK) == 0)
			serve_kept(recorder);
		else
			(void)usleep(POLL_USEC);
	}
	return inko_mailbox_receive(recorder->mailbox, ret_message);
}

static void run(struct recorder *recorder)
{
	struct inko_message *message;
	int r;

	while (recorder->gate && access(recorder->gate, F_OK) < 0)
		(void)usleep(POLL_USEC);
	while ((r = receive(recorder, &message)) >= 0 || r == -EMFILE) {
		if (r >= 0)
			handle(recorder, message);
		else
			(void)usleep(POLL_USEC);
	}
	if (r != -ESHUTDOWN)
		give_up("cannot receive", -r);
	serve_kept(recorder);
}

static unsigned int number(const char *text)
{
	return (unsigned int)strtoul(text, NULL, 10);
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
		{"record", required_argument, NULL, 'r'},
		{"gate", required_argument, NULL, 'g'},
		{"keep", required_argument, NULL, 'k'},
		{"delay", required_argument, NULL, 'd'},
		{"concurrency", required_argument, NULL, 'c'},
		{0},
	};
	struct recorder *recorder = calloc(1, sizeof(*recorder));
	const char *path = NULL;
	unsigned int concurrency = 0;
	int option;
	int r;

	if (!recorder)
		give_up("calloc", ENOMEM);
	while ((option = getopt_long(argc, argv, "", names, NULL)) >= 0) {
		if (option == 'r')
			path = optarg;
		else if (option == 'g')
			recorder->gate = optarg;
		else if (option == 'k')
			recorder->keep = optarg;
		else if (option == 'd')
			recorder->delay_msec = number(optarg);
		else if (option == 'c')
			concurrency = number(optarg);
		else
			return 2;
	}
	r = inko_mailbox_open_own(&recorder->mailbox);
	if (r < 0)
		give_up("no mailbox", -r);
	if (concurrency)
		inko_mailbox_set_concurrency(recorder->mailbox, concurrency);
	recorder->record_fd =
		path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
	if (path && recorder->record_fd < 0)
		give_up(path, errno);
	r = inko_actor_ready();
	if (r < 0)
		give_up("cannot say that I am ready", -r);
	run(recorder);
	inko_mailbox_close(recorder->mailbox);
	free(recorder);
	return 0;
}
