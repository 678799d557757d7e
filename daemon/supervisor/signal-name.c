#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/signal-name.h"

#define PREFIX "SIG"
#define REALTIME "RTMIN+"

static int find_realtime(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	return *text >= '0' && *text <= '9' && !*end && n <= SIGRTMAX - SIGRTMIN ? SIGRTMIN + (int)n
										 : -EINVAL;
}

int signal_name_find(const char *name)
{
	if (strncmp(name, PREFIX, strlen(PREFIX)) == 0)
		name += strlen(PREFIX);
	if (strncmp(name, REALTIME, strlen(REALTIME)) == 0)
		return find_realtime(name + strlen(REALTIME));
	for (int number = 1; number < NSIG; number++) {
		const char *known = sigabbrev_np(number);

		if (known && strcmp(known, name) == 0)
			return number;
	}
	return -EINVAL;
}
