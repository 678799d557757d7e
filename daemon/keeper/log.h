#pragma once

/*
 * The keeper's few lines on standard error, with the time unless it is the journal.
 */

/* Writes one line, without its newline, in one write(2). */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
