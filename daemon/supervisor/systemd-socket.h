#pragma once

/*
 * The sockets that systemd gave inkod, by their FileDescriptorName=: the control socket, and what
 * listeners `systemd:NAME` are made of. They stay systemd's: nobody here ends them.
 */

#include <stdbool.h>
#include <sys/queue.h>

#include "proto/keep.h"

struct supervisor;

/* The name of the control socket. */
#define SYSTEMD_SOCKET_CONTROL "varlink"

struct systemd_socket {
	TAILQ_ENTRY(systemd_socket) entries;
	int fd;
	char name[];
};

/* Takes over what the keeper holds under KEEP_SOCKET; a former one of that name makes way. */
int systemd_socket_adopt(struct supervisor *supervisor, struct keep_message *message);
/* Has another keeper hold them. */
void systemd_socket_put_all(struct supervisor *supervisor);
bool systemd_socket_has(struct supervisor *supervisor, const char *name);
/* Another descriptor of the one of that name, the caller's; -ENOENT when there is none. */
int systemd_socket_open(struct supervisor *supervisor, const char *name, int *ret_fd);
/* The names of those that a listener can be made of, with commas between them. */
void systemd_socket_format_names(const struct supervisor *supervisor, char *text, size_t size);
