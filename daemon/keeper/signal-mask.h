#pragma once

/*
 * The signals that the keeper acts upon: they wait until its loop reads them, from its start on, so
 * that none ends a process that has begun to be the keeper.
 */

/* Before anybody can know this process as the keeper. SIGPIPE is ignored from then on. Children
 * have to undo it: see signals_reset. */
void signal_mask_block(void);
/* *ret_fd is a signalfd of them, which does not wait. -errno. */
int signal_mask_open(int *ret_fd);
