#pragma once

/*
 * What the kernel says of a process that is no child of ours.
 */

#include <sys/types.h>

/* pidfd's process, whose number is pid, has ended. 0 and what waitid(2) would have said of it:
 * CLD_* and the status or signal. The kernel tells as long as nobody has waited for it (proc(5),
 * /proc/PID/stat, to whom might trace it), and since Linux 6.15 as long as it has a pidfd. Another
 * errno: nobody is told, now at least. */
int process_info_read_exit(int pidfd, pid_t pid, int *ret_code, int *ret_status);
/* The parent of pidfd's process, which runs; init where nobody can tell. */
pid_t process_info_read_parent(int pidfd, pid_t pid);
