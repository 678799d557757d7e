#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "daemon/supervisor/nearest.h"

/* What is longer is compared by its beginning. */
#define CHARS 64

void nearest_init(struct nearest *nearest, const char *wanted)
{
	/* Of a short name a few letters are another name. */
	size_t length = strnlen(wanted, CHARS);

	*nearest = (struct nearest){.wanted = wanted, .distance = length < 3 ? 1 : length / 3 + 1};
}

static size_t least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

static bool is_same(char a, char b)
{
	return strncasecmp(&a, &b, 1) == 0;
}

/* How many letters must be put in, taken out or replaced, whatever their case: row by row of the
 * table of all beginnings of a and b. */
static size_t measure(const char *a, const char *b)
{
	size_t row[CHARS + 1], n = strnlen(b, CHARS);

	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 0; a[i] && i < CHARS; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < n; j++) {
			size_t above = row[j + 1];

			row[j + 1] = least(
				above + 1, row[j] + 1, diagonal + (is_same(a[i], b[j]) ? 0 : 1));
			diagonal = above;
		}
	}
	return row[n];
}

void nearest_try(struct nearest *nearest, const char *candidate)
{
	size_t distance = measure(nearest->wanted, candidate);

	/* Where no letter is left nothing is near. */
	if (distance >= strnlen(nearest->wanted, CHARS) || distance > nearest->distance ||
		(nearest->found && distance == nearest->distance))
		return;
	nearest->found = candidate;
	nearest->distance = distance;
}

void nearest_format(const struct nearest *nearest, char *text, size_t size)
{
	if (nearest->found)
		(void)snprintf(text, size, "; did you mean %.63s?", nearest->found);
	else
		text[0] = '\0';
}
