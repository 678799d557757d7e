/*
 * The guide's server and client over a Unix socket, in one process. ping-unix [PATH]
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
	const char *path = argc > 1 ? argv[1] : "/tmp/test.sock";
	struct inko_socket *listener, *stream, *connection;
	char *message;

	get("listen", inko_unix_listen(path, &listener));
	get("connect", inko_unix_connect(path, &stream));
	get("write", inko_socket_write_string(stream, "ping"));
	get("accept", inko_socket_accept(listener, &connection));
	get("read", inko_socket_read_string(connection, 4, &message));
	puts(message);
	free(message);
	inko_socket_close(connection);
	inko_socket_close(stream);
	inko_socket_close(listener);
	(void)unlink(path); /* closing leaves it */
	return 0;
}
