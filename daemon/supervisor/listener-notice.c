#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/former-socket.h"
#include "daemon/supervisor/listener-notice.h"
#include "daemon/supervisor/listener.h"
#include "daemon/supervisor/notify.h"
#include "daemon/supervisor/requests.h"

static void on_closed(struct supervisor *supervisor, const char *name, uint64_t number)
{
	struct listener *listener = listener_find(supervisor, name);

	(void)number;
	if (!listener || !listener->is_closing)
		return;
	listener_free(listener);
	requests_check(supervisor);
}

static void on_paused(struct supervisor *supervisor, const char *name, uint64_t turn)
{
	struct listener *listener = listener_find(supervisor, name);

	/* It may be the answer to a pause that was ended, and begun again, meanwhile. */
	if (!listener || !listener->is_paused || turn != (uint64_t)listener->turn)
		return;
	listener->has_confirmed = true;
	requests_check(supervisor);
}

static const struct {
	const char *variable;
	void (*on_confirmed)(struct supervisor *supervisor, const char *name, uint64_t number);
} confirmations[] = {
	{"X_INKO_CLOSED", on_closed},
	{"X_INKO_PAUSED", on_paused},
	{"X_INKO_DRAINED", former_socket_on_drained},
};

void listener_notice_read(struct supervisor *supervisor, const char *line)
{
	for (size_t i = 0; i < sizeof(confirmations) / sizeof(*confirmations); i++) {
		const char *value = notify_find_value(line, confirmations[i].variable);
		size_t length = value ? strcspn(value, " ") : 0;
		char name[LIMIT_NAME_CHARS + 1];

		if (!value || length >= sizeof(name))
			continue;
		(void)snprintf(name, sizeof(name), "%.*s", (int)length, value);
		confirmations[i].on_confirmed(supervisor, name, strtoull(value + length, NULL, 10));
	}
}
