/*
 * The terminal that standard output may be.
 */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "errors.h"
#include "terminal.h"

unsigned int terminal_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size = {};
	long value = columns ? strtol(columns, NULL, 10) : 0;

	if (value > 0 && value <= 10000)
		return value;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		return 0;
	return size.ws_col;
}

bool terminal_is_there(void)
{
	return isatty(STDOUT_FILENO);
}

bool terminal_has_colour(void)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");

	if (no_colour && *no_colour)
		return false;
	return term && strcmp(term, "dumb") != 0 && terminal_is_there();
}

bool terminal_is_gone(int wait_msec)
{
	struct pollfd output = {.fd = STDOUT_FILENO};

	return poll(&output, 1, wait_msec) > 0 && (output.revents & POLLERR);
}

int terminal_flush(void)
{
	/* When it was an earlier write that failed, its errno is gone. */
	bool failed = ferror(stdout);
	int error = fflush(stdout) < 0 ? errno : 0;

	if (!failed && !error)
		return STATUS_DONE;
	if (error == EPIPE || terminal_is_gone(0))
		return STATUS_REFUSED;
	return complain(STATUS_REFUSED, "the output could not be written%s%s", error ? ": " : "",
		error ? strerror(error) : "");
}
