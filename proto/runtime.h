#pragma once

/*
 * The runtime directory and the paths in it.
 */

#include <limits.h>
#include <sys/un.h>

#define RUNTIME_CONTROL "io.inkod.Supervisor"
#define RUNTIME_LOCK "lock"
/* Where the supervisor waits for a keeper to take over from one that died; see proto/keep.h. */
#define RUNTIME_KEEPER "keeper"

/* Where inkod runs: option if not NULL, else INKO_RUNTIME_DIR, else /run/inko for root, else
 * $XDG_RUNTIME_DIR/inko. -ENXIO when there is none of these, -ENAMETOOLONG when a socket in it
 * could not be named (sun_path is 108 bytes). */
int runtime_directory(const char *option, char ret_path[static PATH_MAX]);

/* directory/name formatted into ret_path; -ENAMETOOLONG. */
int runtime_path(const char *directory, const char *name, char ret_path[static PATH_MAX]);

/* The address of the socket directory/name; -ENAMETOOLONG. */
int runtime_address(const char *directory, const char *name, struct sockaddr_un *ret_address);
