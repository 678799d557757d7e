#pragma once

/*
 * What is seen to before anything gives way to the installed build: that its programs run, the
 * supervisor's, with what is held, and then the keeper's own.
 */

#include <stdbool.h>

#include "daemon/keeper/store.h"
#include "daemon/keeper/trial.h"

struct upgrade {
	struct trial trial;
	bool keeper_wanted; /* shall this process be replaced too? */
	bool keeper_tried;
	char refusal[TRIAL_REASON_BYTES]; /* why it was refused, until that was told; or "" */
};

void upgrade_init(struct upgrade *upgrade);
/* Ends what is under way, without an answer. */
void upgrade_done(struct upgrade *upgrade);

/* Begins, or has what is under way look at the keeper as well. As upgrade_on_child. */
int upgrade_begin(
	struct upgrade *upgrade, const struct store *store, bool keeper, uint64_t now_msec);
/* Is pid a child that it has started, and that it is to be told the end of? */
bool upgrade_has_child(const struct upgrade *upgrade, pid_t pid);
/* That child has ended; it is reaped. 0 when all that was wanted can run, -EINPROGRESS when
 * something is still to be tried, else -ENOEXEC, and refusal says why. */
int upgrade_on_child(struct upgrade *upgrade, uint64_t now_msec);
