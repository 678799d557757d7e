#pragma once

/*
 * The configuration that inkod begins with: the file that INKO_CONFIG names, which `inkod --config`
 * sets. It counts when nothing is held yet. That it counts is held until all of it has been begun,
 * so that a supervisor that is killed meanwhile leaves the rest to the next one.
 */

struct held;
struct supervisor;

/* Before anything is taken over out of held: notes whether the file counts. */
void configuration_file_begin(struct supervisor *supervisor, const struct held *held);
/* After that: applies it, if it counts, and returns when all that it says has been begun.
 * -ECANCELED when this process is to end: somebody wants it, or the file is wrong and nothing is
 * there that would be lost, so that it was said why, and the keeper was told to end. */
int configuration_file_apply(struct supervisor *supervisor);
