/*
 * Times as a person writes them.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "duration.h"

#define DURATION_MAX_USEC (INT64_C(1) << 53)

/* From the largest to the smallest. */
static const struct {
	const char *name;
	int64_t usec;
} units[] = {
	{"h", INT64_C(3600000000)},
	{"min", INT64_C(60000000)},
	{"s", INT64_C(1000000)},
	{"ms", INT64_C(1000)},
	{"us", INT64_C(1)},
};

#define UNITS (sizeof(units) / sizeof(units[0]))

int duration_parse(const char *text, int64_t *ret_usec)
{
	size_t digits = strspn(text, "0123456789");
	const char *unit = text[digits] ? text + digits : "s";
	int64_t count;

	if (digits == 0 || digits > 16)
		return -EINVAL;
	count = strtoll(text, NULL, 10);
	for (size_t i = 0; i < UNITS; i++) {
		if (strcmp(units[i].name, unit) != 0)
			continue;
		if (count > DURATION_MAX_USEC / units[i].usec)
			return -EINVAL;
		*ret_usec = count * units[i].usec;
		return 0;
	}
	return -EINVAL;
}

void duration_format(int64_t usec, char text[static DURATION_TEXT_BYTES])
{
	size_t i = 0;

	if (usec == 0) {
		strcpy(text, "0s");
		return;
	}
	while (i < UNITS - 1 && usec % units[i].usec != 0)
		i++;
	snprintf(text, DURATION_TEXT_BYTES, "%" PRId64 "%s", usec / units[i].usec, units[i].name);
}
