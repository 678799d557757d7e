#pragma once

/*
 * Where actors print to: the journal's stream where there is a journal, else a file of their own
 * that they append to. Both outlive inkod: nobody stands between a program and its log.
 * Files are bounded: their oldest blocks are given back to the file system.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct output;

/* Watches the files in runtime, if there is no journal. Errors of sd_event, -ENOMEM. */
int output_new(sd_event *event, const char *runtime, struct output **ret_output);
/* NULL is nothing. Returns NULL. */
struct output *output_free(struct output *output);

/* A descriptor for instance ("web/0") to print to, the caller's. Errors of open(2) and
 * sd_journal_stream_fd(3), -ENOMEM. */
int output_open(struct output *output, const char *instance, int *ret_fd);
bool output_is_journal(const struct output *output);
/* The file that instance prints to when there is no journal; the caller's. NULL without
 * memory. */
char *output_path(const struct output *output, const char *instance);
/* The last line that instance printed to its file, cut to size at its beginning; "" if none or
 * unknown. */
void output_last_line(const struct output *output, const char *instance, char *text, size_t size);
/* How many bytes of what instance printed to its file were given up. */
int64_t output_count_lost(const struct output *output, const char *instance);
/* Removes the file of instance, if it has one. */
void output_remove(struct output *output, const char *instance);
