#pragma once

/*
 * What tells an instance without a mailbox that inkod has died as a whole. Others see it by their
 * lanes; it would serve on for ever, and keep the addresses that the next inkod is to begin with.
 *
 * It is a pipe whose writing end keeper and supervisor have, and nobody else. Each such process has
 * a reading end of its own (fcntl(2), F_SETSIG and F_SETOWN): when the last writer is gone the
 * kernel sends it its stop signal.
 */

#include "proto/keep.h"

struct supervisor;

#define LIFELINE_KEY "lifeline"

/* Makes one unless a former supervisor did, and has it held. Without one nobody is told. */
void lifeline_begin(struct supervisor *supervisor);
/* In the child, before its copies of inkod's descriptors are closed: has that signal sent to it.
 * The descriptor that must stay open for that, least_fd or above, or -1 where it cannot be had. */
int lifeline_open(int lifeline_fd, int signal_number, int least_fd);

void lifeline_put(struct supervisor *supervisor);
/* Takes over what a former supervisor held. -EBADMSG, -EINVAL. */
int lifeline_adopt(struct supervisor *supervisor, struct keep_message *message);
