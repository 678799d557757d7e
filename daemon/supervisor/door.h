#pragma once

/*
 * Where a new keeper comes to: a socket in the runtime directory (RUNTIME_KEEPER) that the
 * supervisor always listens on, so that whoever starts inkod after the keeper died finds it.
 */

#include <sys/types.h>
#include <systemd/sd-event.h>

struct door;

/* Somebody came, of this process's own user or root, as the process pid; *take_fd is closed when
 * it was not taken. */
typedef void (*door_handler)(void *context, int *take_fd, pid_t pid);

/* Listens there; handle is called with context, which is borrowed, as long as this process lives.
 * Errors of own_socket_open and sd_event, -ENOMEM. */
int door_new(sd_event *event, const char *runtime, door_handler handle, void *context,
	struct door **ret_door);
