#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/supervisor/log.h"
#include "proto/stamp.h"

void log_line(int priority, const char *format, ...)
{
	char line[1024], stamp[STAMP_BYTES];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	if (length < 0)
		return;
	if (stamp_is_journal()) {
		(void)dprintf(STDERR_FILENO, "<%d>%s\n", priority, line);
		return;
	}
	stamp_format(stamp);
	(void)dprintf(STDERR_FILENO, "%sinkod: %s\n", stamp, line);
}
