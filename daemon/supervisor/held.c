#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/held.h"
#include "daemon/supervisor/holding.h"

static void on_held(void *context, struct keep_message *message)
{
	struct held *held = context;

	if (held->n == held->n_room) {
		held->n_room = held->n_room ? 2 * held->n_room : 64;
		held->messages =
			reallocarray(held->messages, held->n_room, sizeof(*held->messages));
	}
	if (!held->messages)
		abort();
	held->messages[held->n++] = *message;
	message->bytes = NULL;
	message->passed.n_fds = 0;
}

int held_take(struct holding *holding, struct held *ret_held)
{
	*ret_held = (struct held){0};
	return holding_take_all(holding, on_held, ret_held);
}

struct keep_message *held_find(const struct held *held, const char *key)
{
	for (size_t i = 0; i < held->n; i++)
		if (strcmp(held->messages[i].key, key) == 0)
			return &held->messages[i];
	return NULL;
}

bool held_is_cold_start(const struct held *held)
{
	for (size_t i = 0; i < held->n; i++)
		if (strncmp(held->messages[i].key, KEEP_SOCKET, strlen(KEEP_SOCKET)) != 0)
			return false;
	return true;
}

void held_done(struct held *held)
{
	for (size_t i = 0; i < held->n; i++)
		keep_message_done(&held->messages[i]);
	free(held->messages);
	*held = (struct held){0};
}
