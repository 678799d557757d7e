/*
 * Lines on standard error, without stdio's buffers: the keeper lives long and small.
 */

#include "daemon/keeper/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES 1024
#define LINE_START "inkod: "

void log_line(const char *format, ...)
{
	char line[LINE_BYTES] = LINE_START;
	size_t room = sizeof(line) - strlen(LINE_START) - 1;
	va_list arguments;
	size_t length;

	va_start(arguments, format);
	(void)vsnprintf(line + strlen(LINE_START), room, format, arguments);
	va_end(arguments);
	length = strlen(line);
	line[length++] = '\n';
	if (write(STDERR_FILENO, line, length) < 0)
		return; /* nobody listens any more; the service goes on */
}
