#include <string.h>

#include "daemon/supervisor/listener-state.h"
#include "daemon/supervisor/listener.h"
#include "daemon/supervisor/monitor.h"

void listener_say(const struct listener *listener, const char *to)
{
	const struct monitor_event event = {.kind = MONITOR_LISTENER,
		.name = listener->name,
		.to = to,
		.why = listener->address};

	monitor_say(listener->supervisor, &event);
}

const char *listener_state(const struct listener *listener)
{
	if (listener->is_paused)
		return "paused";
	if (listener->is_refusing)
		return "refusing";
	return listener->hold ? "waiting" : "open";
}

void listener_say_state(struct listener *listener)
{
	const char *state = listener_state(listener);

	if (listener->said_state && strcmp(listener->said_state, state) == 0)
		return;
	listener->said_state = state;
	listener_say(listener, state);
}
