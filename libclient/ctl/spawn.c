/*
 * What the verb spawn takes: the options that the library knows, which are those that inkod checks,
 * and around them the name and the program.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <inko/control.h>

#include "duration.h"
#include "verbs.h"

/* The name, the program and the end. */
#define OTHERS 3

static argument_parse_fn *const parsers[] = {
	[INKO_OPTION_TEXT] = argument_text,
	[INKO_OPTION_TEXTS] = argument_texts,
	[INKO_OPTION_VARIABLE] = argument_variable,
	[INKO_OPTION_PATH] = argument_path,
	[INKO_OPTION_CHOICE] = argument_choice,
	[INKO_OPTION_NUMBER] = argument_number,
	[INKO_OPTION_TIME] = argument_time,
	[INKO_OPTION_RATE] = argument_rate,
	[INKO_OPTION_YES_NO] = argument_yes_no,
};

static void format_initial(const struct inko_spawn_option *option, char *text, size_t size)
{
	char duration[DURATION_TEXT_BYTES];

	switch (option->kind) {
	case INKO_OPTION_NUMBER:
		snprintf(text, size, "%" PRId64, option->initial);
		return;
	case INKO_OPTION_TIME:
		if (option->initial < 0)
			break;
		duration_format(option->initial, duration);
		snprintf(text, size, "%s", duration);
		return;
	case INKO_OPTION_RATE:
		duration_format(option->initial_usec, duration);
		snprintf(text, size, "%" PRId64 "/%s", option->initial, duration);
		return;
	case INKO_OPTION_YES_NO:
		snprintf(text, size, "%s", option->initial ? "yes" : "no");
		return;
	default:
		snprintf(text, size, "%s", option->initial_text ? option->initial_text : "");
		return;
	}
	*text = 0;
}

static struct argument make(const struct inko_spawn_option *option)
{
	struct argument argument = {
		.flag = option->flag,
		.value = option->value,
		.member = option->member,
		.parse = parsers[option->kind],
		.help = option->help,
	};

	format_initial(option, argument.initial, sizeof(argument.initial));
	return argument;
}

struct argument *spawn_arguments_new(void)
{
	struct inko_spawn_option option;
	struct argument *arguments, *next;
	unsigned int n = 0;

	while (inko_spawn_option_get(n, &option) == 0)
		n++;
	arguments = next = calloc(n + OTHERS, sizeof(*arguments));
	if (!arguments)
		return NULL;
	*next++ = (struct argument){.value = "NAME",
		.member = "name",
		.parse = argument_text,
		.required = true,
		.help = "what the actor shall be called"};
	for (unsigned int i = 0; inko_spawn_option_get(i, &option) == 0; i++)
		*next++ = make(&option);
	*next = (struct argument){.value = "PROGRAM [ARG]...",
		.member = "command",
		.parse = argument_texts,
		.required = true,
		.rest = true,
		.help = "what runs; without a '/' it is searched in PATH"};
	return arguments;
}
