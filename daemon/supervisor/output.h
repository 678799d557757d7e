#pragma once

/*
 * Where actors print to: the journal's stream where there is a journal, else a file of their own
 * that they append to. Both outlive inkod: nobody stands between a program and its log.
 * Files are bounded: their oldest blocks are given back to the file system.
 */

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

struct output;

int output_new(sd_event *event, const char *runtime, struct output **ret_output);
struct output *output_free(struct output *output);

/* A descriptor for instance ("web/0") to print to. */
int output_open(struct output *output, const char *instance, int *ret_fd);
bool output_is_journal(const struct output *output);
/* The file that instance prints to when there is no journal; the caller's. */
char *output_path(const struct output *output, const char *instance);
/* The last line that instance printed to its file; "" if none or unknown. */
void output_last_line(const struct output *output, const char *instance, char *text, size_t size);
void output_remove(struct output *output, const char *instance);
