#include "daemon/keeper/reap.h"

#include <sys/wait.h>

#include "proto/keep.h"

pid_t reap_find(void)
{
	siginfo_t info = {0};

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ? 0 : info.si_pid;
}

/* Through the pidfd that is held for it: a number alone may be another process's by now. False
 * when none is held. */
static bool reap_held(struct store *store, pid_t pid)
{
	struct store_entry *entry = NULL;

	while ((entry = store_find_pid(store, entry, pid))) {
		siginfo_t info = {0};

		if (waitid(P_PIDFD, (id_t)entry->fds[0], &info, WEXITED | WNOHANG) < 0 ||
			info.si_pid == 0)
			continue;
		entry->number = KEEP_STATUS_KNOWN | (uint32_t)info.si_code << 8 |
				((uint32_t)info.si_status & 0xff);
		entry->untold = store->has_untold = true;
		return true;
	}
	return false;
}

void reap_child(struct store *store, pid_t pid)
{
	siginfo_t info = {0};

	if (!reap_held(store, pid))
		(void)waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG);
}
