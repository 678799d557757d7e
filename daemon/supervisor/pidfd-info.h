#pragma once

/*
 * How a process ended that was nobody's child of ours, by the kernel's own word (Linux 6.15).
 */

/* 0 and what waitid(2) would have said: CLD_* and the status or signal. -EAGAIN: it has ended, and
 * nobody has waited for it yet. Other errors: this kernel does not tell. */
int pidfd_info_read_exit(int pidfd, int *ret_code, int *ret_status);
