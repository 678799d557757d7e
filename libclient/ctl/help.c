/*
 * Help, printed from the tables that the command line is parsed with.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "errors.h"
#include "reply.h"
#include "verbs.h"

/* Of what stands in front of the explanations. */
#define LEFT_WIDTH 30

static void print_arguments(const struct argument *arguments)
{
	char left[64];

	for (; arguments->help; arguments++) {
		const char *flag = arguments->flag, *letter = arguments->letter;
		const char *value = arguments->value;

		snprintf(left, sizeof(left), "%s%s%s%s%s", letter ? letter : "", letter ? ", " : "",
			flag ? flag : "", flag && value ? " " : "", value ? value : "");
		if (strlen(left) > LEFT_WIDTH)
			printf("  %s\n  %*s ", left, LEFT_WIDTH, "");
		else
			printf("  %-*s ", LEFT_WIDTH, left);
		printf("%s", arguments->help);
		if (*arguments->initial)
			printf(" (%s)", arguments->initial);
		putchar('\n');
	}
}

static int print_verb(const struct verb *verb)
{
	struct argument *arguments = verb_copy_arguments(verb);

	if (!arguments)
		return complain(STATUS_REFUSED, "there is not enough memory");
	printf("inkoctl %s%s%s\n\n  %s\n\n", verb->name, *verb->usage ? " " : "", verb->usage,
		verb->help);
	print_arguments(arguments);
	free(arguments);
	return STATUS_DONE;
}

/* inkoctl [OPTION]... VERB ..., with each of those that go with every verb. */
static void print_usage(void)
{
	printf("inkoctl");
	for (const struct argument *argument = global_arguments; argument->help; argument++)
		printf(" [%s%s%s]", argument->letter ? argument->letter : argument->flag,
			argument->value ? " " : "", argument->value ? argument->value : "");
	printf(" VERB ...\n\n");
}

static int print_all(void)
{
	print_usage();
	for (const struct verb *verb = verbs; verb->name; verb++)
		printf("  %-20s %s\n", verb->name, verb->help);
	putchar('\n');
	print_arguments(global_arguments);
	printf("\n'inkoctl help VERB' says more; times are written 10ms, 5s, 2min, 1h.\n");
	return STATUS_DONE;
}

int help_print(const struct verb *verb)
{
	return verb ? print_verb(verb) : print_all();
}

int run_help(struct session *session, const struct verb *verb, cJSON *parameters)
{
	const char *name = reply_text(parameters, "verb");
	const struct verb *about = name ? verb_find(name) : NULL;

	(void)session;
	(void)verb;
	if (name && !about)
		return complain_usage(NULL, "there is no verb '%s'", name);
	return help_print(about);
}
