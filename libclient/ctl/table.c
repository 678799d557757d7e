/*
 * Aligned tables that fit the terminal: spare columns are left out, then those that may be cut are
 * cut, those that matter least first, then others are left out, so that a row is always one line.
 */

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "errors.h"
#include "printable.h"
#include "table.h"

#define GAP 2
#define COLUMNS_MAX 8

/* The states of actors, instances and listeners that are more than a step on the way. */
static const struct {
	const char *state;
	enum tone tone;
} tones[] = {
	{"ready", TONE_GOOD},
	{"open", TONE_GOOD},
	{"stopped", TONE_PLAIN},
	{"ended", TONE_PLAIN},
	{"failed", TONE_BAD},
	{"refusing", TONE_BAD},
	{"paused", TONE_PLAIN},
};

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
	size_t widths[COLUMNS_MAX]; /* 0: the column is left out */
	const struct look *look;
	FILE *output;
};

static const char *const tone_codes[] = {
	[TONE_GOOD] = "\033[32m",
	[TONE_BUSY] = "\033[33m",
	[TONE_BAD] = "\033[31m",
	[TONE_TITLE] = "\033[1m",
};

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

void table_add_state(struct table *table, const char *state)
{
	enum tone tone = TONE_BUSY;

	for (size_t i = 0; i < sizeof(tones) / sizeof(tones[0]); i++) {
		if (strcmp(tones[i].state, state) == 0)
			tone = tones[i].tone;
	}
	table_add(table, tone, "%s", state);
}

void table_add_time(struct table *table, int64_t usec)
{
	if (usec < 0)
		table_add(table, TONE_PLAIN, "-");
	else if (usec < 1000)
		table_add(table, TONE_PLAIN, "%" PRId64 "us", usec);
	else if (usec < 1000000)
		table_add(table, TONE_PLAIN, "%.1fms", (double)usec / 1000);
	else
		table_add(table, TONE_PLAIN, "%.1fs", (double)usec / 1000000);
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

/* Is what column i loses missed less than what column j would lose? */
static bool goes_before(const struct table *table, const struct layout *layout, size_t i, size_t j)
{
	unsigned int one = table->columns[i].priority, other = table->columns[j].priority;

	return one < other || (one == other && layout->widths[i] > layout->widths[j]);
}

/* The next of the columns that may become narrower, or -1. */
static ssize_t find_cuttable(const struct table *table, const struct layout *layout)
{
	ssize_t found = -1;

	for (size_t i = 0; i < table->n_columns; i++) {
		size_t minimum = table->columns[i].minimum;

		if (minimum == 0 || layout->widths[i] <= minimum)
			continue;
		if (found < 0 || goes_before(table, layout, i, found))
			found = (ssize_t)i;
	}
	return found;
}

/* The next of the columns that may be left out, of the spare ones only or of all; 0 if none may. */
static size_t find_dispensable(
	const struct table *table, const struct layout *layout, bool only_spare)
{
	size_t found = 0;

	for (size_t i = 1; i < table->n_columns; i++) {
		if (layout->widths[i] == 0 ||
			(only_spare && !(table->columns[i].ways & COLUMN_SPARE)))
			continue;
		if (found == 0 || goes_before(table, layout, i, found))
			found = i;
	}
	return found;
}

static size_t measure_row(const struct table *table, const struct layout *layout)
{
	size_t total = layout->widths[0];

	for (size_t i = 1; i < table->n_columns; i++)
		total += layout->widths[i] ? GAP + layout->widths[i] : 0;
	return total;
}

/* Cuts what may be cut until a row has limit columns. Is that enough? */
static bool cut(const struct table *table, struct layout *layout, size_t limit)
{
	size_t total = measure_row(table, layout);

	for (; total > limit; total--) {
		ssize_t column = find_cuttable(table, layout);

		if (column < 0)
			return false;
		layout->widths[column]--;
	}
	return true;
}

static void leave_out_spare(const struct table *table, struct layout *layout, size_t limit)
{
	size_t left_out;

	while (measure_row(table, layout) > limit) {
		left_out = find_dispensable(table, layout, true);
		if (left_out == 0)
			return;
		layout->widths[left_out] = 0;
	}
}

static void fit(const struct table *table, struct layout *layout, size_t limit)
{
	struct layout whole;
	size_t left_out;

	leave_out_spare(table, layout, limit);
	whole = *layout;
	while (!cut(table, layout, limit)) {
		left_out = find_dispensable(table, &whole, false);
		if (left_out == 0) {
			layout->widths[0] = limit;
			return;
		}
		/* What was cut for it has room again. */
		whole.widths[left_out] = 0;
		*layout = whole;
	}
}

static void print_text(const struct layout *layout, const char *text, size_t width, bool cut_within)
{
	size_t length = printable_width(text), behind = cut_within ? width / 2 : 0;

	if (length <= width)
		fputs(text, layout->output);
	else
		fprintf(layout->output, "%.*s…%s", (int)printable_prefix(text, width - 1 - behind),
			text, text + printable_prefix(text, length - behind));
}

/* Prints gap blanks and text in width columns. Returns the blanks that fill up the column: they
 * are printed with the next cell, so that no line ends with blanks. */
static int print_cell(const struct layout *layout, const struct cell *cell, int gap, size_t width,
	const struct column *column)
{
	const char *code = layout->look->colour ? tone_codes[cell->tone] : NULL;
	size_t length = printable_width(cell->text);
	bool right = column->ways & COLUMN_RIGHT;
	int padding = length < width ? (int)(width - length) : 0;

	fprintf(layout->output, "%*s%s", gap + (right ? padding : 0), "", code ? code : "");
	print_text(layout, cell->text, width, column->ways & COLUMN_CUT_WITHIN);
	fputs(code ? TONE_END : "", layout->output);
	return right ? 0 : padding;
}

static void print_row(
	const struct table *table, const struct layout *layout, const struct cell *cells)
{
	int padding = 0;

	for (size_t i = 0; i < table->n_columns; i++) {
		struct cell title = {(char *)table->columns[i].title, TONE_TITLE};

		if (layout->widths[i] > 0)
			padding = print_cell(layout, cells ? &cells[i] : &title,
				padding + (i ? GAP : 0), layout->widths[i], &table->columns[i]);
	}
	fputc('\n', layout->output);
}

int table_print(const struct table *table, const struct look *look, FILE *output)
{
	struct layout layout = {.look = look, .output = output};

	if (table->failed)
		return complain(STATUS_REFUSED, "not enough memory");
	measure(table, &layout);
	if (look->width > 0)
		fit(table, &layout, look->width);
	print_row(table, &layout, NULL);
	for (size_t i = 0; i + table->n_columns <= table->n_cells; i += table->n_columns)
		print_row(table, &layout, table->cells + i);
	return STATUS_DONE;
}
