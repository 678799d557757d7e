#pragma once

/*
 * Starting the supervisor's program.
 */

#include <limits.h>
#include <sys/types.h>

/* Notes, in the environment, the path that this program was executed from: later the kernel's word
 * for it follows a file that was renamed. -errno. */
int launch_note_own(void);
/* That path, whatever stands there now. -ENOENT when it was not noted. */
int launch_find_own(char ret_path[static PATH_MAX]);
/* The path of inko-supervisor: beside this program, or where it is installed. -ENOENT. */
int launch_find(char ret_path[static PATH_MAX]);
/* Starts it in a session of its own; *ret_link_fd is the keeper's end of the pair whose other end
 * it finds at KEEP_FD, *ret_pidfd is a pidfd of it. It is given the directory's lock as well. */
int launch_start(const char *path, int lock_fd, pid_t *ret_pid, int *ret_pidfd, int *ret_link_fd);
