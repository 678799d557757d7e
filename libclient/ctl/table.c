/*
 * Aligned tables that fit the terminal: columns that may be cut are cut, the widest first, and
 * what is still too wide ends at the edge, so that a row is always one line.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "errors.h"
#include "printable.h"
#include "table.h"
#include "terminal.h"

#define GAP 2
#define COLUMNS_MAX 8

struct cell {
	char *text;
	enum tone tone;
};

struct table {
	const struct column *columns;
	size_t n_columns;
	struct cell *cells;
	size_t n_cells;
	bool failed;
};

struct layout {
	size_t widths[COLUMNS_MAX];
	size_t limit; /* of a line; 0: none */
	bool colour;
};

static const char *const tone_codes[] = {
	[TONE_GOOD] = "\033[32m",
	[TONE_BUSY] = "\033[33m",
	[TONE_BAD] = "\033[31m",
};

#define TONE_TITLE "\033[1m"
#define TONE_END "\033[0m"

struct table *table_new(const struct column *columns)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->columns = columns;
	while (columns[table->n_columns].title && table->n_columns < COLUMNS_MAX)
		table->n_columns++;
	return table;
}

struct table *table_free(struct table *table)
{
	if (!table)
		return NULL;
	for (size_t i = 0; i < table->n_cells; i++)
		free(table->cells[i].text);
	free(table->cells);
	free(table);
	return NULL;
}

void table_add(struct table *table, enum tone tone, const char *format, ...)
{
	struct cell *cells;
	va_list arguments;
	char *text, *line;
	int length;

	va_start(arguments, format);
	length = vasprintf(&text, format, arguments);
	va_end(arguments);
	line = length < 0 ? NULL : printable_line(text);
	if (length >= 0)
		free(text);
	cells = line ? reallocarray(table->cells, table->n_cells + 1, sizeof(*cells)) : NULL;
	if (!cells) {
		free(line);
		table->failed = true;
		return;
	}
	table->cells = cells;
	cells[table->n_cells++] = (struct cell){.text = line, .tone = tone};
}

static void measure(const struct table *table, struct layout *layout)
{
	for (size_t i = 0; i < table->n_columns; i++)
		layout->widths[i] = printable_width(table->columns[i].title);
	for (size_t i = 0; i < table->n_cells; i++) {
		size_t width = printable_width(table->cells[i].text);
		size_t *widest = &layout->widths[i % table->n_columns];

		if (width > *widest)
			*widest = width;
	}
}

/* The widest of the columns that may become narrower, or -1. */
static ssize_t find_cuttable(const struct table *table, const struct layout *layout)
{
	ssize_t found = -1;

	for (size_t i = 0; i < table->n_columns; i++) {
		size_t minimum = table->columns[i].minimum;

		if (minimum == 0 || layout->widths[i] <= minimum)
			continue;
		if (found < 0 || layout->widths[i] > layout->widths[found])
			found = i;
	}
	return found;
}

static void fit(const struct table *table, struct layout *layout)
{
	size_t total = GAP * (table->n_columns - 1);

	for (size_t i = 0; i < table->n_columns; i++)
		total += layout->widths[i];
	for (; layout->limit && total > layout->limit; total--) {
		ssize_t column = find_cuttable(table, layout);

		if (column < 0)
			return;
		layout->widths[column]--;
	}
}

static void print_text(const char *text, size_t width)
{
	if (printable_width(text) <= width)
		fputs(text, stdout);
	else
		printf("%.*s…", (int)printable_prefix(text, width - 1), text);
}

/* Prints gap blanks and text in width columns. Returns the blanks that fill up the column: they
 * are printed with the next cell, so that no line ends with blanks. */
static int print_cell(const char *text, const char *code, int gap, size_t width, bool right)
{
	size_t length = printable_width(text);
	int padding = length < width ? (int)(width - length) : 0;

	printf("%*s%s", gap + (right ? padding : 0), "", code ? code : "");
	print_text(text, width);
	fputs(code ? TONE_END : "", stdout);
	return right ? 0 : padding;
}

static void print_row(
	const struct table *table, const struct layout *layout, const struct cell *cells)
{
	size_t used = 0;
	int padding = 0;

	for (size_t i = 0; i < table->n_columns; i++) {
		const char *text = cells ? cells[i].text : table->columns[i].title;
		const char *code = cells ? tone_codes[cells[i].tone] : TONE_TITLE;
		size_t width = layout->widths[i], gap = i ? GAP : 0;

		if (layout->limit && used + gap >= layout->limit)
			break;
		if (layout->limit && used + gap + width > layout->limit)
			width = layout->limit - used - gap;
		padding = print_cell(text, layout->colour ? code : NULL, padding + (int)gap, width,
			table->columns[i].right);
		used += gap + width;
	}
	putchar('\n');
}

int table_print(const struct table *table)
{
	struct layout layout = {.limit = terminal_width(), .colour = terminal_has_colour()};

	if (table->failed)
		return complain(STATUS_REFUSED, "not enough memory");
	measure(table, &layout);
	fit(table, &layout);
	print_row(table, &layout, NULL);
	for (size_t i = 0; i + table->n_columns <= table->n_cells; i += table->n_columns)
		print_row(table, &layout, table->cells + i);
	return STATUS_DONE;
}
