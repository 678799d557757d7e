#include <errno.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "daemon/supervisor/pidfd-info.h"

/* linux/pidfd.h's struct pidfd_info as far as its first version goes, and its numbers: the header
 * of Debian 12 has none of it. */
struct info {
	uint64_t mask, cgroup_id;
	uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	int32_t exit_code; /* as of wait(2) */
};

#define GET_INFO _IOWR(0xff, 11, struct info)
#define INFO_EXIT (UINT64_C(1) << 3)

_Static_assert(sizeof(struct info) == 64, "the ioctl's number tells the size");

int pidfd_info_read_exit(int pidfd, int *ret_code, int *ret_status)
{
	struct info info = {.mask = INFO_EXIT};

	if (ioctl(pidfd, GET_INFO, &info) < 0)
		return errno == EAGAIN ? -EIO : -errno;
	if (!(info.mask & INFO_EXIT))
		return -EAGAIN;
	if (WIFEXITED(info.exit_code)) {
		*ret_code = CLD_EXITED;
		*ret_status = WEXITSTATUS(info.exit_code);
	} else {
		*ret_code = WCOREDUMP(info.exit_code) ? CLD_DUMPED : CLD_KILLED;
		*ret_status = WTERMSIG(info.exit_code);
	}
	return 0;
}
