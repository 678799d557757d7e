/*
 * The guide's first sockets: one sends to the other.
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

int main(void)
{
	struct inko_ip any = inko_ip_v4(0, 0, 0, 0);
	struct inko_socket *server, *client;
	struct inko_address address;
	char *text;

	get("server", inko_udp_bind(&any, 0, &server));
	get("client", inko_udp_bind(&any, 0, &client));
	get("address", inko_socket_local_address(server, &address));

	get("connect", inko_socket_connect(client, &address.ip, address.port));
	get("write", inko_socket_write_string(client, "Hello, world!"));

	get("read", inko_socket_read_string(server, 32, &text));
	puts(text);
	free(text);
	inko_socket_close(client);
	inko_socket_close(server);
	return 0;
}
