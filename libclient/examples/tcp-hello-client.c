/*
 * The guide's TCP client, for the server beside it. tcp-hello-client [PORT]
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
	struct inko_socket *client;

	get("connect", inko_tcp_connect(&any, port, &client));
	get("write", inko_socket_write_string(client, "Hello, world!"));
	inko_socket_close(client);
	return 0;
}
