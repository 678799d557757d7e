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

static unsigned int find_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size = {};
	long value = columns ? strtol(columns, NULL, 10) : 0;

	/* Not a terminal, whatever COLUMNS says: who reads it wants all of it. */
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		return 0;
	return value > 0 && value <= 10000 ? value : size.ws_col;
}

unsigned int terminal_columns(void)
{
	struct winsize size = {};

	(void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	return size.ws_col;
}

bool terminal_is_there(void)
{
	return isatty(STDOUT_FILENO);
}

static bool has_colour(const char *when)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");

	if (when && strcmp(when, "always") == 0)
		return true;
	if ((when && strcmp(when, "never") == 0) || (no_colour && *no_colour))
		return false;
	return term && strcmp(term, "dumb") != 0 && terminal_is_there();
}

struct look terminal_look(const char *when)
{
	return (struct look){.width = find_width(), .colour = has_colour(when)};
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
