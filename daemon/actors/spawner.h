#pragma once

/*
 * Starting a program for each connection, by several threads: who starts one waits until it runs
 * (vfork(2)), which on a busy machine is mostly waiting for its turn.
 */

#include <sys/types.h>

struct spawner;

/* One start; the caller's, who knows more of it, before and after. */
struct spawner_job {
	int fd;		     /* standard input and output; is closed, and -1 then */
	const char *more[3]; /* variables besides those that all have, up to a NULL */
	pid_t pid;	     /* of the process, or -errno */
};

/* So many jobs may be under way: what is pushed never has to wait. */
#define SPAWNER_JOBS_MAX 64

/* Both are borrowed for good: an absolute path with its arguments, and what all have in their
 * environment. Children start with no signal blocked, those ignored that this process ignores, and
 * the descriptors of it that are not closed on exec; it handles no signal but by a signalfd(2), and
 * has something open as 0, 1 and 2. -errno. */
int spawner_new(char **command, char **environment, struct spawner **ret_spawner);
void spawner_push(struct spawner *spawner, struct spawner_job *job);
/* To poll for reading: a job is done. */
int spawner_get_fd(const struct spawner *spawner);
/* A job that is done, or NULL. Its process may have ended, and is the caller's to wait for. */
struct spawner_job *spawner_pop(struct spawner *spawner);
