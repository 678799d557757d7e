/*
 * An HTTP server that says whether it can connect to somebody else: outward ADDRESS PORT. Whoever
 * asks is handed to it, so that it can answer where it has no network.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <inko/inko.h>

static const char *try_to_connect(const char *address, const char *port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const char *result = "connected";

	if (fd < 0 || inet_pton(AF_INET, address, &to.sin_addr) != 1 ||
		connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		result = strerrorname_np(errno);
	(void)close(fd);
	return result;
}

static void answer(struct inko_socket *client, const char *result)
{
	char request[4096], text[256];

	(void)inko_socket_read(client, request, sizeof(request));
	(void)snprintf(text, sizeof(text),
		"HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
		strlen(result), result);
	(void)inko_socket_write_string(client, text);
	(void)inko_socket_shutdown(client);
	inko_socket_close(client);
}

int main(int argc, char **argv)
{
	struct inko_mailbox *mailbox;
	struct inko_message *message;
	struct inko_socket *client;

	if (argc != 3 || inko_mailbox_open_own(&mailbox) < 0 || inko_actor_ready() < 0)
		return EXIT_FAILURE;
	while (inko_mailbox_receive(mailbox, &message) == 0) {
		if (inko_message_take_socket(message, &client) == 0)
			answer(client, try_to_connect(argv[1], argv[2]));
		inko_message_free(message);
	}
	inko_mailbox_close(mailbox);
	return EXIT_SUCCESS;
}
