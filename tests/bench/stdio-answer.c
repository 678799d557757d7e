/*
 * What the benchmark has run for each connection: reads a request from standard input and answers
 * it on standard output.
 */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

int main(void)
{
	char request[4096];

	if (read(STDIN_FILENO, request, sizeof(request)) <= 0)
		return EXIT_FAILURE;
	return write(STDOUT_FILENO, reply, strlen(reply)) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
