#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/supervisor/held.h"
#include "daemon/supervisor/holding.h"
#include "daemon/supervisor/log.h"
#include "daemon/supervisor/state-version.h"
#include "daemon/supervisor/supervisor.h"

#define STATE_VERSION 3

struct state_version {
	int64_t version;
};

static const struct json_field fields[] = {
	JSON_FIELD_INTEGER(state_version, "version", version, true, 0, JSON_INTEGER_MAX),
	JSON_FIELDS_END,
};

void state_version_put(struct supervisor *supervisor)
{
	const struct state_version own = {.version = STATE_VERSION};

	holding_put(supervisor->holding, KEEP_VERSION, fields, &own, NULL, 0);
}

int state_version_check(struct supervisor *supervisor, const struct held *held)
{
	const struct keep_message *message = held_find(held, KEEP_VERSION);
	struct state_version found = {0};
	int r = message ? holding_decode(message, fields, 0, &found) : 0;

	if (r < 0 || found.version > STATE_VERSION) {
		log_error("what the keeper holds was written by a newer inkod (state %" PRIi64
			  ", this one knows %d): nothing is touched and what runs goes on. "
			  "Install that build again, or a newer one",
			found.version, STATE_VERSION);
		return -ENOTSUP;
	}
	if (found.version < STATE_VERSION)
		state_version_put(supervisor);
	return 0;
}

int state_version_try(char *text)
{
	const struct keep_message message = {.bytes = text, .n_bytes = text ? strlen(text) : 0};
	struct state_version found = {0};
	int r = text ? holding_decode(&message, fields, 0, &found) : 0;

	if (r == 0 && found.version <= STATE_VERSION)
		return 0;
	(void)dprintf(STDERR_FILENO,
		"what is held was written by a newer inkod (state %" PRIi64
		", this one knows %d)\n",
		found.version, STATE_VERSION);
	return -ENOTSUP;
}
