#pragma once

/*
 * What is in the environment of an actor's process: nothing of inkod's but what every program
 * wants, what the spec says, and systemd's contract. Made before the fork; only the process's own
 * number is put in after it.
 */

#include <sys/types.h>

struct process_plan;
struct environment;

/* The name of the variable NAME or NAME=VALUE, if it is one that inkod alone says; or NULL. */
const char *environment_find_own(const char *variable);

/* -ENOMEM. */
int environment_new(const struct process_plan *plan, struct environment **ret_environment);
/* NULL is allowed. Returns NULL. */
struct environment *environment_free(struct environment *environment);

/* In the child: what execve(2) takes, with pid as its number. */
char **environment_finish(struct environment *environment, pid_t pid);
