#pragma once

/*
 * Replacing this process by the installed program, in place: it keeps its number, its children, and
 * what it holds.
 */

#include <stdbool.h>

#include "daemon/keeper/supervision.h"

/* Is it wanted, and nothing under way that would be lost by it? */
bool replacement_is_due(struct supervision *supervision);
/* Executes it with argv. Returns only when that fails, after a line that says why; it is no longer
 * wanted then. */
void replacement_execute(struct supervision *supervision, char **argv);
/* In the program that was executed: goes on with what is in carried_fd, which is taken. As
 * carry_read. */
int replacement_go_on(struct supervision *supervision, int carried_fd);
