/*
 * The guide's server and client over TCP, in one process. ping-tcp [PORT]
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
	unsigned int port = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 10) : 40000;
	struct inko_ip ip = inko_ip_v4(127, 0, 0, 1);
	struct inko_socket *listener, *stream, *connection;
	char *message;

	get("listen", inko_tcp_listen(&ip, port, &listener));
	get("connect", inko_tcp_connect(&ip, port, &stream));
	get("write", inko_socket_write_string(stream, "ping"));
	get("accept", inko_socket_accept(listener, &connection));
	get("read", inko_socket_read_string(connection, 4, &message));
	puts(message);
	free(message);
	inko_socket_close(connection);
	inko_socket_close(stream);
	inko_socket_close(listener);
	return 0;
}
