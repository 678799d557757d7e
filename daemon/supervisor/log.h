#pragma once

/*
 * What the supervisor says to its operator: one line on standard error, once, where it is decided.
 * Lines carry a sd-daemon(3) priority where standard error is the journal, else the time.
 */

#include <syslog.h>

void log_line(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERR, __VA_ARGS__)
