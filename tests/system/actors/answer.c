/*
 * Answers each question of ask.c with "answer to " and its bytes, over the mailbox and through the
 * socket that came with it.
 */

#include <errno.h>
#include <inko/inko.h>
#include <stdio.h>
#include <string.h>

static void answer(struct inko_message *take_question)
{
	struct inko_socket *socket = NULL;
	struct inko_message *reply = NULL;
	char text[256];
	size_t size;

	(void)snprintf(
		text, sizeof(text), "answer to %s", inko_message_peek_bytes(take_question, &size));
	if (inko_message_take_socket(take_question, &socket) >= 0) {
		(void)inko_socket_write_string(socket, text);
		(void)inko_socket_shutdown(socket);
	}
	inko_socket_close(socket);
	if (inko_message_new(text, strlen(text), &reply) >= 0) {
		inko_message_set_correlation(reply, inko_message_get_correlation(take_question));
		if (inko_message_reply(take_question, reply) < 0)
			inko_message_free(reply);
	}
	inko_message_free(take_question);
}

int main(void)
{
	struct inko_mailbox *mailbox;
	struct inko_message *question;
	int r = inko_mailbox_open_own(&mailbox);

	if (r >= 0)
		r = inko_actor_ready();
	if (r < 0) {
		fprintf(stderr, "answer: %s\n", strerror(-r));
		return 1;
	}
	while ((r = inko_mailbox_receive(mailbox, &question)) >= 0)
		answer(question);
	inko_mailbox_close(mailbox);
	return r == -ESHUTDOWN ? 0 : 1;
}
