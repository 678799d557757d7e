/*
 * The guide's TCP server: it prints what one client says. tcp-hello-server [PORT]
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <inko/inko.h>

/* What failed ends the program. */
static void get(const char *what, ssize_t r)
{
	if (r >= 0)
		return;
	(void)fprintf(stderr, "%s: %s\n", what, strerror((int)-r));
	exit(1);
}

int main(int argc, char **argv)
{
	unsigned int port = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 10) : 9999;
	struct inko_ip any = inko_ip_v4(0, 0, 0, 0);
	struct inko_socket *server, *client;
	char *text;

	get("listen", inko_tcp_listen(&any, port, &server));
	get("accept", inko_socket_accept(server, &client));
	get("read", inko_socket_read_string(client, 32, &text));
	puts(text);
	free(text);
	inko_socket_close(client);
	inko_socket_close(server);
	return 0;
}
