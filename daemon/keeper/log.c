/*
 * Lines on standard error, without stdio's buffers: the keeper lives long and small.
 */

#include "daemon/keeper/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "proto/stamp.h"

#define LINE_BYTES 1024

void log_line(const char *format, ...)
{
	char text[LINE_BYTES - STAMP_BYTES], line[LINE_BYTES + sizeof("inkod: \n")],
		stamp[STAMP_BYTES] = "";
	va_list arguments;
	int length;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (!stamp_is_journal())
		stamp_format(stamp);
	length = snprintf(line, sizeof(line), "%sinkod: %s\n", stamp, text);
	if (write(STDERR_FILENO, line, (size_t)length) < 0)
		return; /* nobody listens any more; the service goes on */
}
