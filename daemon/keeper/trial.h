#pragma once

/*
 * Trying whether a program that is installed can run at all, before one that works gives way to it:
 * a file that is broken, or a library that is missing, shows in a child and costs nothing.
 */

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define TRIAL_REASON_BYTES 512

/* One child at a time. */
struct trial {
	pid_t pid; /* 0 while there is none */
	int pidfd;
	int output_fd; /* what it prints */
	uint64_t end_msec;
	char path[PATH_MAX];
};

void trial_init(struct trial *trial);
/* Executes argv[0], a path, in a child, whose end SIGCHLD tells. Only when there is none. -errno.
 */
int trial_start(struct trial *trial, char *const *argv, uint64_t now_msec);
bool trial_is_under_way(const struct trial *trial);
/* When trial_check has something to do; UINT64_MAX for never. */
uint64_t trial_due_msec(const struct trial *trial);
/* Ends a child that takes too long. */
void trial_check(struct trial *trial, uint64_t now_msec);
/* Reaps the child, which has ended, and closes everything. 0 when it ended as it should, else
 * -ENOEXEC, and ret_reason says what it did, and the first line that it printed. */
int trial_end(struct trial *trial, char ret_reason[static TRIAL_REASON_BYTES]);
/* Ends a child that there may be, without an answer. */
void trial_done(struct trial *trial);
