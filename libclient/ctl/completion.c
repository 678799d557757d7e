/*
 * How a command line may go on. The shells' scripts know no verb and no option: they ask here,
 * where it is looked up in the tables that the command line is parsed with, and the names of what
 * there is are asked of inkod.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <inko/control.h>

#include "completion.h"
#include "errors.h"
#include "reply.h"
#include "verbs.h"

/* Whoever presses Tab waits no longer for an inkod that does not answer. */
#define PATIENCE_USEC 500000

struct typed {
	const struct verb *verb; /* NULL: not yet */
	struct argument *arguments;
	const struct argument *flag; /* whose value comes next, or NULL */
	cJSON *globals, *values;
	bool after; /* "--" */
};

/* So many characters of what is typed already stand in front of what is offered. */
struct offer {
	const cJSON *globals;
	const char *typed;
	int prefix;
};

static void offer(const struct offer *to, const char *text, const char *about)
{
	printf("%.*s%s\t%s\n", to->prefix, to->typed, text, about);
}

static void offer_verbs(const struct offer *to)
{
	for (const struct verb *verb = verbs; verb->name; verb++)
		offer(to, verb->name, verb->help);
}

static void offer_flags(const struct offer *to, const struct argument *table)
{
	for (; table->help; table++) {
		if (table->flag)
			offer(to, table->flag, table->help);
	}
}

/* Those in what help calls the value, between '|'. */
static void offer_choices(const struct offer *to, const char *choices)
{
	size_t length;

	for (; *choices; choices += length + (choices[length] == '|')) {
		char choice[64];

		length = strcspn(choices, "|");
		(void)snprintf(choice, sizeof(choice), "%.*s", (int)length, choices);
		offer(to, choice, "");
	}
}

/* What inkod answers to method, NULL if it does not. Not over ssh, which may ask for a password. */
static cJSON *ask(const struct offer *to, const char *method)
{
	char *error = NULL, *answer = NULL;
	struct inko_control *control;
	cJSON *reply = NULL;

	if (reply_member(to->globals, "host") ||
		inko_control_connect(reply_text(to->globals, "runtimeDirectory"), &control) < 0)
		return NULL;
	if (inko_control_call(control, method, NULL, &error, &answer) == 0)
		reply = cJSON_Parse(answer);
	inko_control_close(control);
	free(error);
	free(answer);
	return reply;
}

/* Not those that belong to inkod, which takes no orders for them, nor messages. */
static void offer_actors(const struct offer *to)
{
	cJSON *reply = ask(to, "ListActors");
	const cJSON *actor;

	cJSON_ArrayForEach(actor, reply_member(reply, "actors")) {
		if (!cJSON_IsTrue(reply_member(actor, "builtin")))
			offer(to, reply_shown(actor, "name"), reply_shown(actor, "state"));
	}
	cJSON_Delete(reply);
}

static void offer_sources(const struct offer *to)
{
	cJSON *reply = ask(to, "ListActors");
	const cJSON *actor, *instance;

	cJSON_ArrayForEach(actor, reply_member(reply, "actors")) {
		offer(to, reply_shown(actor, "name"), reply_shown(actor, "state"));
		cJSON_ArrayForEach(instance, reply_member(actor, "instances")) {
			offer(to, reply_shown(instance, "name"), reply_shown(instance, "state"));
		}
	}
	cJSON_Delete(reply);
}

static void offer_listeners(const struct offer *to)
{
	cJSON *reply = ask(to, "ListListeners");
	const cJSON *listener;

	cJSON_ArrayForEach(listener, reply_member(reply, "listeners")) {
		offer(to, reply_shown(listener, "name"), reply_shown(listener, "address"));
	}
	cJSON_Delete(reply);
}

static void offer_signals(const struct offer *to)
{
	for (int number = 1; number < NSIG; number++) {
		const char *name = sigabbrev_np(number);
		char text[32];

		if (!name)
			continue;
		(void)snprintf(text, sizeof(text), "SIG%s", name);
		offer(to, text, sigdescr_np(number));
	}
}

/* By what a value is sent as: what it names, or what the shell itself knows to complete. */
static const struct {
	const char *member;
	void (*names)(const struct offer *to);
	const char *kind;
} values[] = {
	{"actor", offer_actors, NULL},
	{"mailbox", offer_actors, NULL},
	{"opens", offer_actors, NULL},
	{"to", offer_actors, NULL},
	{"give", offer_actors, NULL},
	{"source", offer_sources, NULL},
	{"listener", offer_listeners, NULL},
	{"verb", offer_verbs, NULL},
	{"stopSignal", offer_signals, NULL},
	{"reloadSignal", offer_signals, NULL},
	{"directory", NULL, ":directories"},
	{"runtimeDirectory", NULL, ":directories"},
	{"file", NULL, ":files"},
	{"command", NULL, ":programs"},
	{"host", NULL, ":hosts"},
	{"user", NULL, ":users"},
	{"group", NULL, ":groups"},
	{"supplementaryGroups", NULL, ":groups"},
};

static void offer_value(
	const struct offer *to, const struct typed *typed, const struct argument *argument)
{
	/* What a program is given is most often a file. */
	if (argument->rest && reply_member(typed->values, argument->member)) {
		puts(":files");
		return;
	}
	if (argument->value && strchr(argument->value, '|')) {
		offer_choices(to, argument->value);
		return;
	}
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (strcmp(values[i].member, argument->member) != 0)
			continue;
		if (values[i].names)
			values[i].names(to);
		else
			puts(values[i].kind);
	}
}

static const struct argument *find_flag(const struct typed *typed, const char *word)
{
	const struct argument *argument = argument_find(global_arguments, word);

	return argument || !typed->verb ? argument : argument_find(typed->arguments, word);
}

/* What does not parse is complained about when the line is run. */
static void keep(struct typed *typed, const struct argument *argument, const char *text)
{
	bool global = argument_find_member(global_arguments, argument->member) == argument;

	(void)argument->parse(argument, text, global ? typed->globals : typed->values);
}

static void take_flag(struct typed *typed, const char *word)
{
	const struct argument *argument = find_flag(typed, word);
	const char *equals = strchr(word, '=');

	if (argument && argument->value && !equals)
		typed->flag = argument;
	else if (argument)
		keep(typed, argument, equals ? equals + 1 : NULL);
}

static void take_word(struct typed *typed, const char *word)
{
	const struct argument *argument;

	if (!typed->verb) {
		typed->verb = verb_find(word);
		typed->arguments = typed->verb ? verb_copy_arguments(typed->verb) : NULL;
		/* Without memory as if it were not there. */
		if (!typed->arguments)
			typed->verb = NULL;
		return;
	}
	argument = argument_find_position(typed->arguments, typed->after, typed->values);
	if (argument)
		keep(typed, argument, word);
}

static bool is_flag(const struct typed *typed, const char *word)
{
	return !typed->after && word[0] == '-' && word[1];
}

static void take(struct typed *typed, const char *word)
{
	if (typed->flag) {
		keep(typed, typed->flag, word);
		typed->flag = NULL;
	} else if (!typed->after && strcmp(word, "--") == 0) {
		typed->after = true;
	} else if (is_flag(typed, word)) {
		take_flag(typed, word);
	} else {
		take_word(typed, word);
	}
}

static void offer_all_flags(const struct offer *to, const struct typed *typed)
{
	if (typed->verb)
		offer_flags(to, typed->arguments);
	offer_flags(to, global_arguments);
}

/* A flag, or the value behind its '='. */
static void complete_flag(struct offer *to, const struct typed *typed, const char *word)
{
	const char *equals = strchr(word, '=');
	const struct argument *argument = equals ? find_flag(typed, word) : NULL;

	if (!equals) {
		offer_all_flags(to, typed);
	} else if (argument && argument->value) {
		to->prefix = (int)(equals + 1 - word);
		offer_value(to, typed, argument);
	}
}

static void complete_word(const struct offer *to, const struct typed *typed)
{
	const struct argument *argument;

	if (!typed->verb) {
		offer_verbs(to);
		return;
	}
	argument = argument_find_position(typed->arguments, typed->after, typed->values);
	if (argument)
		offer_value(to, typed, argument);
	else if (!typed->after)
		offer_all_flags(to, typed);
	if (!argument && argument_takes_rest(typed->arguments))
		offer(to, "--", "the program and its arguments");
}

static void complete(const struct typed *typed, const char *word)
{
	struct offer to = {.globals = typed->globals, .typed = word};

	if (typed->flag)
		offer_value(&to, typed, typed->flag);
	else if (!typed->after && word[0] == '-')
		complete_flag(&to, typed, word);
	else
		complete_word(&to, typed);
}

/* Nothing was written by then: the names come at once, or not at all. */
static void on_alarm(int number)
{
	(void)number;
	_exit(STATUS_DONE);
}

static void complete_words(const cJSON *words)
{
	const struct itimerval patience = {.it_value.tv_usec = PATIENCE_USEC};
	struct typed typed = {.globals = cJSON_CreateObject(), .values = cJSON_CreateObject()};
	int n = cJSON_GetArraySize(words);

	(void)signal(SIGALRM, on_alarm);
	(void)setitimer(ITIMER_REAL, &patience, NULL);
	for (int i = 0; i < n - 1; i++)
		take(&typed, cJSON_GetStringValue(cJSON_GetArrayItem(words, i)));
	if (n > 0)
		complete(&typed, cJSON_GetStringValue(cJSON_GetArrayItem(words, n - 1)));
	free(typed.arguments);
	cJSON_Delete(typed.globals);
	cJSON_Delete(typed.values);
}

int run_completion(struct session *session, const struct verb *verb, cJSON *parameters)
{
	static const struct {
		const char *shell, *script;
	} scripts[] = {
		{"bash", completion_bash}, {"zsh", completion_zsh}, {"fish", completion_fish}};
	const char *shell = reply_text(parameters, "shell");
	const cJSON *words = reply_member(parameters, "words");

	(void)session;
	if (!shell == !words)
		return complain_usage(verb->name, "say for which shell: bash, zsh or fish");
	if (words)
		complete_words(words);
	for (size_t i = 0; shell && i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		if (strcmp(scripts[i].shell, shell) == 0)
			fputs(scripts[i].script, stdout);
	}
	return STATUS_DONE;
}
