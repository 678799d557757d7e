#include "daemon/keeper/upgrade.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/keeper/launch.h"
#include "proto/keep.h"

void upgrade_init(struct upgrade *upgrade)
{
	*upgrade = (struct upgrade){0};
	trial_init(&upgrade->trial);
}

void upgrade_done(struct upgrade *upgrade)
{
	trial_done(&upgrade->trial);
}

static int try_supervisor(struct upgrade *upgrade, const struct store *store, uint64_t now_msec)
{
	const struct store_entry *version = store_find(store, KEEP_VERSION);
	char path[PATH_MAX], option[] = "--try";
	char *const argv[] = {path, option, version ? version->bytes : NULL, NULL};
	int r = launch_find(path);

	return r < 0 ? r : trial_start(&upgrade->trial, argv, now_msec);
}

static int try_keeper(struct upgrade *upgrade, uint64_t now_msec)
{
	char path[PATH_MAX], option[] = "--version";
	char *const argv[] = {path, option, NULL};
	int r = launch_find_own(path);

	upgrade->keeper_tried = true;
	return r < 0 ? r : trial_start(&upgrade->trial, argv, now_msec);
}

/* Of something that was begun with r. */
static int follow(struct upgrade *upgrade, int r)
{
	if (r == 0)
		return -EINPROGRESS;
	(void)snprintf(upgrade->refusal, sizeof(upgrade->refusal),
		"what is installed cannot be tried: %s",
		r == -ENOENT ? "there is no inko-supervisor" : strerror(-r));
	return -ENOEXEC;
}

int upgrade_begin(
	struct upgrade *upgrade, const struct store *store, bool keeper, uint64_t now_msec)
{
	if (!trial_is_under_way(&upgrade->trial))
		upgrade->keeper_wanted = upgrade->keeper_tried = false;
	upgrade->keeper_wanted |= keeper;
	if (trial_is_under_way(&upgrade->trial))
		return -EINPROGRESS;
	return follow(upgrade, try_supervisor(upgrade, store, now_msec));
}

bool upgrade_has_child(const struct upgrade *upgrade, pid_t pid)
{
	return trial_is_under_way(&upgrade->trial) && upgrade->trial.pid == pid;
}

int upgrade_on_child(struct upgrade *upgrade, uint64_t now_msec)
{
	int r = trial_end(&upgrade->trial, upgrade->refusal);

	if (r < 0 || !upgrade->keeper_wanted || upgrade->keeper_tried)
		return r;
	return follow(upgrade, try_keeper(upgrade, now_msec));
}
