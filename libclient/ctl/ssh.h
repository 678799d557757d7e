#pragma once

/*
 * inkoctl on another host, run by ssh.
 */

#include <sys/types.h>

/* Runs "inkoctl WORDS" on host, for the inkod of runtime_directory (NULL: the default there). words
 * ends with NULL. *ret_fd, a stream socket, is its standard input and output, *ret_pid is ssh,
 * for ssh_end. A negative errno when ssh cannot be run. */
int ssh_start(const char *host, const char *runtime_directory, const char *const *words,
	int *ret_fd, pid_t *ret_pid);

/* Waits until ssh has ended, whose socket was closed, and ends it when it does not. As a status of
 * inkoctl's: STATUS_DONE, or what inkoctl on the other host ended with; STATUS_NO_DAEMON when ssh
 * itself failed, and what it says of that it has said. */
int ssh_end(pid_t pid);
