/*
 * Which of inkod's processes is the cause when it does not answer, and what to do about it.
 */

#include <stdio.h>
#include <stdlib.h>

#include <inko/control.h>

#include "errors.h"
#include "processes.h"
#include "silence.h"

#define LOG "inkod's own log (its standard error, or 'journalctl -u inkod')"

static int format_hint(
	const struct process *keeper, const struct process *supervisor, char **ret_hint)
{
	if (keeper->is_stopped && supervisor->is_stopped)
		return asprintf(ret_hint,
			"the process (pid %d) and the keeper's (pid %d) are stopped, and 'kill -CONT %d "
			"%d' lets them go on",
			supervisor->pid, keeper->pid, keeper->pid, supervisor->pid);
	if (supervisor->is_stopped)
		return asprintf(ret_hint,
			"the process (pid %d) is stopped, and 'kill -CONT %d' lets it go on",
			supervisor->pid, supervisor->pid);
	if (keeper->is_stopped)
		return asprintf(ret_hint,
			"its keeper (pid %d) is stopped, and 'kill -CONT %d' lets it go on",
			keeper->pid, keeper->pid);
	/* Without a keeper it is all that holds what runs. */
	if (supervisor->pid > 0 && keeper->pid > 0)
		return asprintf(ret_hint,
			LOG " may say why; 'kill -KILL %d' ends it, and the keeper starts another",
			supervisor->pid);
	if (keeper->pid > 0)
		return asprintf(ret_hint,
			"there is none, though the keeper (pid %d) starts it again and again, and " LOG
			" says why",
			keeper->pid);
	return asprintf(ret_hint, LOG " says why");
}

int silence_complain(const char *runtime_directory)
{
	struct process keeper = {}, supervisor = {};
	char *directory = NULL, *hint;

	if (inko_control_directory(runtime_directory, &directory) == 0)
		processes_find(directory, &keeper, &supervisor);
	/* Without memory the sentence still stands. */
	if (format_hint(&keeper, &supervisor, &hint) < 0)
		hint = NULL;
	complain(STATUS_NO_DAEMON,
		"inkod runs in %s, but its supervisor does not answer: what runs goes on and is "
		"held%s%s",
		directory ? directory : "the runtime directory", hint ? "; " : "",
		hint ? hint : "");
	free(hint);
	free(directory);
	return STATUS_NO_DAEMON;
}
