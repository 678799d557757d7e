#include "proto/signals.h"

#include <signal.h>
#include <stddef.h>

void signals_reset(void)
{
	sigset_t none;

	/* Those that have no disposition to change say EINVAL. */
	for (int number = 1; number < _NSIG; number++)
		(void)signal(number, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}
