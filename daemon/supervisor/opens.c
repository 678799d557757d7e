#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/nearest.h"
#include "daemon/supervisor/opens.h"

#define HINT_BYTES 96

static bool can_be_opened(const struct actor *actor)
{
	return !actor->is_builtin && !actor->is_removing;
}

static bool is_there(const struct supervisor *supervisor, const char *name)
{
	const struct actor *actor;

	TAILQ_FOREACH(actor, &supervisor->actors, entries)
		if (can_be_opened(actor) && strcmp(actor->spec.name, name) == 0)
			return true;
	return false;
}

static void find_hint(
	const struct supervisor *supervisor, const char *name, char hint[static HINT_BYTES])
{
	const struct actor *actor;
	struct nearest nearest;

	nearest_init(&nearest, name);
	TAILQ_FOREACH(actor, &supervisor->actors, entries)
		if (can_be_opened(actor))
			nearest_try(&nearest, actor->spec.name);
	nearest_format(&nearest, hint, HINT_BYTES);
}

int opens_check(
	const struct supervisor *supervisor, const struct spec *spec, char ret_reason[static 512])
{
	char hint[HINT_BYTES];

	for (char **name = spec->opens; name && *name; name++) {
		if (strcmp(*name, spec->name) == 0 || is_there(supervisor, *name))
			continue;
		find_hint(supervisor, *name, hint);
		(void)snprintf(ret_reason, 512, "opens: no actor is called '%.100s'%s", *name,
			*hint ? hint : "; start it first, or apply a configuration that has both");
		return -EINVAL;
	}
	return 0;
}
