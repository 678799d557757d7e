#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/supervisor/log.h"

void log_line(int priority, const char *format, ...)
{
	char line[1024];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	if (length < 0)
		return;
	if (getenv("JOURNAL_STREAM"))
		(void)dprintf(STDERR_FILENO, "<%d>%s\n", priority, line);
	else
		(void)dprintf(STDERR_FILENO, "inkod: %s\n", line);
}
