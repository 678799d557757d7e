#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/announce.h"
#include "daemon/supervisor/builtin.h"
#include "daemon/supervisor/client.h"
#include "daemon/supervisor/files.h"
#include "daemon/supervisor/holding.h"
#include "daemon/supervisor/systemd-socket.h"
#include "daemon/supervisor/listener.h"
#include "daemon/supervisor/log.h"
#include "daemon/supervisor/output.h"
#include "daemon/supervisor/shutdown.h"
#include "proto/runtime.h"

/* What the keeper does when there is one. */
static void remove_directory(const struct supervisor *supervisor)
{
	char path[PATH_MAX];

	if (runtime_path(supervisor->runtime, RUNTIME_LOCK, path) == 0)
		(void)unlink(path);
	(void)rmdir(supervisor->runtime);
}

static void finish(struct supervisor *supervisor)
{
	while (!TAILQ_EMPTY(&supervisor->listeners))
		listener_free(TAILQ_FIRST(&supervisor->listeners));
	supervisor->clients = clients_free(supervisor->clients);
	supervisor->output = output_free(supervisor->output);
	/* systemd listens on its own after the end, and starts inkod for who connects. */
	files_remove(supervisor->runtime, !systemd_socket_has(supervisor, SYSTEMD_SOCKET_CONTROL));
	log_info("stopped");
	if (!holding_is_attached(supervisor->holding))
		remove_directory(supervisor);
	holding_finish(supervisor->holding);
	(void)sd_event_exit(supervisor->event, 0);
}

/* The acceptor goes before those it hands connections to, the gateway after. */
static void begin_removing(struct supervisor *supervisor, bool builtin)
{
	struct actor *actor;

	TAILQ_FOREACH(actor, &supervisor->actors, entries) {
		bool is_acceptor = strcmp(actor->spec.name, BUILTIN_ACCEPTOR) == 0;

		if (!actor->is_removing && (builtin || !actor->is_builtin || is_acceptor))
			actor_remove(actor, false);
	}
}

void shutdown_check(struct supervisor *supervisor)
{
	struct actor *actor;
	bool others = false;

	if (!supervisor->stopping)
		return;
	TAILQ_FOREACH(actor, &supervisor->actors, entries)
		others |= !actor->is_builtin;
	if (!others)
		begin_removing(supervisor, true);
	if (TAILQ_EMPTY(&supervisor->actors))
		finish(supervisor);
}

void shutdown_begin(void *context)
{
	struct supervisor *supervisor = context;

	if (supervisor->stopping)
		return;
	supervisor->stopping = true;
	announce_stopping(supervisor);
	begin_removing(supervisor, false);
	shutdown_check(supervisor);
}
