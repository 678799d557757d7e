/*
 * inkoctl: inkod's control socket for a person.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "errors.h"
#include "reply.h"
#include "terminal.h"
#include "verbs.h"

struct command_line {
	const struct verb *verb;
	struct argument *arguments; /* that it takes */
	cJSON *globals;
	cJSON *parameters;
};

static const char *verb_name(const struct command_line *line)
{
	return line->verb ? line->verb->name : NULL;
}

/* How many words were taken, or a negative status. */
static int take_flag(struct command_line *line, char *const *words)
{
	const struct argument *argument = argument_find(global_arguments, words[0]);

	if (argument)
		return argument_take_flag(argument, words, verb_name(line), line->globals);
	if (line->verb)
		argument = argument_find(line->arguments, words[0]);
	if (argument)
		return argument_take_flag(argument, words, verb_name(line), line->parameters);
	if (line->verb)
		return -complain_usage(
			verb_name(line), "%s has no option '%s'", verb_name(line), words[0]);
	return -complain_usage(NULL, "there is no option '%s' before the verb", words[0]);
}

static int take_word(struct command_line *line, const char *word, bool after)
{
	if (line->verb)
		return argument_take_word(
			line->arguments, word, after, verb_name(line), line->parameters);
	line->verb = verb_find(word);
	if (!line->verb)
		return complain_usage(NULL, "there is no verb '%s'", word);
	line->arguments = verb_copy_arguments(line->verb);
	return line->arguments ? STATUS_DONE
			       : complain(STATUS_REFUSED, "there is not enough memory");
}

static int parse(struct command_line *line, char *const *words)
{
	bool after = false;
	int taken, status;

	while (*words) {
		if (!after && strcmp(*words, "--") == 0) {
			after = true;
			words++;
		} else if (!after && words[0][0] == '-' && words[0][1]) {
			taken = take_flag(line, words);
			if (taken < 0)
				return -taken;
			words += taken;
		} else {
			status = take_word(line, *words++, after);
			if (status != STATUS_DONE)
				return status;
		}
	}
	return STATUS_DONE;
}

static int run(const struct command_line *line)
{
	struct session session = {
		.host = reply_text(line->globals, "host"),
		.runtime_directory = reply_text(line->globals, "runtimeDirectory"),
		.json = reply_member(line->globals, "json") != NULL,
		.look = terminal_look(reply_text(line->globals, "colour")),
	};
	int status;

	if (reply_member(line->globals, "version")) {
		printf("inkoctl %s\n", PACKAGE_VERSION);
		return STATUS_DONE;
	}
	if (reply_member(line->globals, "help"))
		return help_print(line->verb);
	if (!line->verb)
		return complain_usage(NULL, "say what to do, such as 'inkoctl status'");
	session.arguments = line->arguments;
	status = argument_check(line->arguments, verb_name(line), line->parameters);
	if (status == STATUS_DONE)
		status = line->verb->run(&session, line->verb, line->parameters);
	session_close(&session);
	return status;
}

int main(int argc, char **argv)
{
	struct command_line line = {
		.globals = cJSON_CreateObject(),
		.parameters = cJSON_CreateObject(),
	};
	int status;

	(void)argc;
	/* A reader that left is an error of the write, which is noticed like any other. */
	signal(SIGPIPE, SIG_IGN);
	if (line.globals && line.parameters)
		status = parse(&line, argv + 1);
	else
		status = complain(STATUS_REFUSED, "there is not enough memory");
	if (status == STATUS_DONE)
		status = run(&line);
	if (status == STATUS_DONE)
		status = terminal_flush();
	free(line.arguments);
	cJSON_Delete(line.globals);
	cJSON_Delete(line.parameters);
	return status;
}
