#pragma once

/*
 * How a process ended that is nobody's child of ours, by the kernel's own word.
 */

#include <sys/types.h>

/* pidfd's process, whose number is pid, has ended. 0 and what waitid(2) would have said of it:
 * CLD_* and the status or signal. The kernel tells as long as nobody has waited for it (proc(5),
 * /proc/PID/stat, to whom might trace it), and since Linux 6.15 as long as it has a pidfd. Another
 * errno: nobody is told, now at least. */
int exit_status_read(int pidfd, pid_t pid, int *ret_code, int *ret_status);
