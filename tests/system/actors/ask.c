/*
 * ask TARGET COUNT: sends COUNT questions to the actor TARGET, each with a number and one end of a
 * socket pair, and checks each answer and what comes through the socket. Its status line then says
 * "COUNT answered", or what went wrong.
 */

#include <errno.h>
#include <inko/inko.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* So many are under way at a time: more than one, fewer than a queue of the smallest size. */
#define UNDER_WAY 4

struct asker {
	struct inko_mailbox *own;
	struct inko_mailbox *target;
	unsigned int count;
	struct inko_socket **sockets; /* our ends, by number */
};

static int status(const char *what, const char *detail)
{
	char line[256];

	(void)snprintf(line, sizeof(line), "STATUS=%s %s", what, detail);
	return inko_actor_notify(line);
}

static int ask(struct asker *asker, unsigned int number)
{
	struct inko_message *question = NULL;
	struct inko_socket *socket = NULL;
	char text[64];
	int pair[2];
	int r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	r = inko_socket_adopt(&pair[0], &asker->sockets[number]);
	if (r >= 0)
		r = inko_socket_adopt(&pair[1], &socket);
	(void)snprintf(text, sizeof(text), "question %u", number);
	if (r >= 0)
		r = inko_message_new(text, strlen(text), &question);
	if (r < 0)
		return r;
	inko_message_set_correlation(question, number);
	r = inko_message_push_socket(question, socket);
	return r < 0 ? r : inko_mailbox_send(asker->target, question);
}

static int check_answer(struct asker *asker, struct inko_message *answer)
{
	unsigned int number = (unsigned int)inko_message_get_correlation(answer);
	char expected[64];
	char through[64] = {0};
	size_t size;
	ssize_t n;

	if (inko_message_get_kind(answer) != INKO_ANSWER || number >= asker->count)
		return -EBADMSG;
	(void)snprintf(expected, sizeof(expected), "answer to question %u", number);
	if (strcmp(inko_message_peek_bytes(answer, &size), expected) != 0)
		return -EBADMSG;
	n = inko_socket_read_bytes(asker->sockets[number], through, strlen(expected));
	asker->sockets[number] = inko_socket_close(asker->sockets[number]);
	return n >= 0 && strcmp(through, expected) == 0 ? 0 : -EIO;
}

static int ask_all(struct asker *asker)
{
	unsigned int asked = 0;

	for (unsigned int answered = 0; answered < asker->count; answered++) {
		struct inko_message *answer;
		int r = 0;

		while (r >= 0 && asked < asker->count && asked - answered < UNDER_WAY)
			r = ask(asker, asked++);
		if (r >= 0)
			r = inko_mailbox_receive(asker->own, &answer);
		if (r < 0)
			return r;
		r = check_answer(asker, answer);
		inko_message_free(answer);
		if (r < 0)
			return r;
	}
	return 0;
}

static int wait_for_the_end(struct asker *asker)
{
	struct inko_message *message;
	int r;

	while ((r = inko_mailbox_receive(asker->own, &message)) >= 0)
		inko_message_free(message);
	return r == -ESHUTDOWN ? 0 : r;
}

int main(int argc, char **argv)
{
	struct asker asker = {0};
	int r;

	if (argc != 3)
		return 2;
	asker.count = (unsigned int)strtoul(argv[2], NULL, 10);
	asker.sockets = calloc(asker.count, sizeof(struct inko_socket *));
	if (!asker.sockets)
		return 1;
	r = inko_mailbox_open_own(&asker.own);
	if (r >= 0)
		r = inko_mailbox_open(asker.own, argv[1], &asker.target);
	if (r >= 0)
		r = inko_actor_ready();
	if (r >= 0) {
		int asked = ask_all(&asker);
		r = asked < 0 ? status("failed:", strerror(-asked)) : status(argv[2], "answered");
	}
	if (r >= 0)
		r = wait_for_the_end(&asker);
	inko_mailbox_close(asker.target);
	inko_mailbox_close(asker.own);
	free(asker.sockets);
	return r < 0 ? 1 : 0;
}
