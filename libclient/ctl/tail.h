#pragma once

/*
 * The log files of an actor's instances, read line by line and printed with their names.
 */

#include <stdbool.h>

struct tails;

struct tails *tails_new(void);
struct tails *tails_free(struct tails *tails);

/* Reads path too, as the output of instance, unless it does already. -ENOMEM. */
int tails_add(struct tails *tails, const char *instance, const char *path);

/* Prints the whole lines that are there and were not printed yet. STATUS_DONE, also when a file is
 * not there (yet); another status after a complaint. */
int tails_print(struct tails *tails);

/* Prints what is left: beginnings of lines that were not ended. */
void tails_finish(struct tails *tails);
