/*
 * The tables of the command line.
 */

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "verbs.h"

#define ACTOR                                                                                      \
	{                                                                                          \
		.value = "NAME", .member = "actor", .parse = argument_text, .required = true,      \
		.help = "the actor",                                                               \
	}

const struct argument global_arguments[] = {
	{"--runtime-dir", NULL, "DIR", "runtimeDirectory", argument_text,
		.help = "where inkod runs (INKO_RUNTIME_DIR, else /run/inko for root, else "
			"$XDG_RUNTIME_DIR/inko)"},
	{"--host", "-H", "[USER@]HOST", "host", argument_host,
		.help = "talk to the inkod there, by ssh"},
	{"--json", NULL, NULL, "json", argument_switch,
		.help = "print what the control socket said"},
	{"--color", NULL, "auto|always|never", "colour", argument_choice,
		.help = "colours: on a terminal unless NO_COLOR is set (auto), or what is said"},
	{"--help", "-h", NULL, "help", argument_switch, .help = "say how it is called"},
	{"--version", NULL, NULL, "version", argument_switch, .help = "say which inkoctl this is"},
	{},
};

static const struct argument no_arguments[] = {
	{},
};

static const struct argument actor_arguments[] = {
	ACTOR,
	{},
};

static const struct argument list_arguments[] = {
	{.value = "actors|listeners|routes",
		.member = "what",
		.parse = argument_text,
		.help = "what is listed (actors)"},
	{},
};

static const struct argument scale_arguments[] = {
	ACTOR,
	{.value = "N",
		.member = "instances",
		.parse = argument_number,
		.required = true,
		.help = "how many instances there shall be"},
	{},
};

static const struct argument restart_arguments[] = {
	ACTOR,
	{"--rolling", NULL, NULL, "rolling", argument_switch,
		.help = "new instances first, each in place of an old one when it is ready; it "
			"goes on after Ctrl-C"},
	{"--max-extra", NULL, "N", "maxExtra", argument_number,
		.help = "with --rolling: so many more instances there may be meanwhile, 1 to the "
			"number of instances (1)"},
	{},
};

static const struct argument listen_arguments[] = {
	{.value = "ADDRESS",
		.member = "address",
		.parse = argument_text,
		.required = true,
		.help = "tcp://127.0.0.1:8080, tcp://[::1]:8080, unix:///run/web.sock or systemd:NAME"},
	{"--to", NULL, "NAME", "to", argument_text,
		.help = "the actor that each connection is handed to"},
	{"--give", NULL, "NAME", "give", argument_text,
		.help = "the actor whose instances get the listener itself"},
	{"--name", NULL, "NAME", "name", argument_text,
		.help = "what the listener shall be called (made from the address)"},
	{"--balance", NULL, "round-robin|pull", "balance", argument_choice,
		.help = "round-robin: in turn to who has room; pull: each instance takes the next "
			"one when it likes (round-robin)"},
	{"--hold", NULL, "TIME", "holdUSec", argument_time,
		.help = "how long connections wait when the actor has failed before they are "
			"refused (60s)"},
	{},
};

static const struct argument listener_arguments[] = {
	{.value = "LISTENER",
		.member = "listener",
		.parse = argument_text,
		.required = true,
		.help = "the listener's name (inkoctl list listeners)"},
	{},
};

static const struct argument apply_arguments[] = {
	{.value = "FILE",
		.member = "file",
		.parse = argument_text,
		.required = true,
		.help = "the configuration, see inko.json(5); -: standard input"},
	{"--dry-run", NULL, NULL, "dryRun", argument_switch,
		.help = "only check it, and show what would be done"},
	{"--prune", NULL, NULL, "prune", argument_switch,
		.help = "remove the actors and listeners that are not in it"},
	{},
};

static const struct argument send_arguments[] = {
	{.value = "MAILBOX",
		.member = "mailbox",
		.parse = argument_text,
		.required = true,
		.help = "the actor's name"},
	{.value = "TEXT",
		.member = "text",
		.parse = argument_text,
		.help = "the message; without it standard input, which may be any bytes"},
	{},
};

static const struct argument logs_arguments[] = {
	{.value = "NAME",
		.member = "source",
		.parse = argument_text,
		.required = true,
		.help = "the actor, or one of its instances, such as web/0"},
	{"--follow", "-f", NULL, "follow", argument_switch,
		.help = "go on with what is written, until Ctrl-C"},
	{},
};

/* Of status and counters. */
static const struct argument only_arguments[] = {
	{.value = "NAME",
		.member = "actor",
		.parse = argument_text,
		.help = "only this actor, and what leads to it"},
	{},
};

static const struct argument top_arguments[] = {
	{.value = "NAME",
		.member = "actor",
		.parse = argument_text,
		.help = "only this actor, and what leads to it"},
	{"--delay", "-d", "TIME", "delayUSec", argument_time,
		.help = "how long a round takes (1s)"},
	{"--rounds", "-n", "N", "rounds", argument_number, .help = "end after so many"},
	{"--batch", "-b", NULL, "batch", argument_switch,
		.help = "print round after round, as where there is no terminal"},
	{},
};

static const struct argument completion_arguments[] = {
	{.value = "bash|zsh|fish",
		.member = "shell",
		.parse = argument_choice,
		.help = "print its script"},
	{.value = "WORD...",
		.member = "words",
		.parse = argument_texts,
		.rest = true,
		.help = "print what the last word may be, behind those before it"},
	{},
};

static const struct argument help_arguments[] = {
	{.value = "VERB", .member = "verb", .parse = argument_text, .help = "only this one"},
	{},
};

const struct verb verbs[] = {
	{"status", "[NAME]", "how everything is", only_arguments, run_status, NULL, NULL},
	{"list", "[actors|listeners|routes]", "one line for each", list_arguments, run_list, NULL,
		NULL},
	{"spawn", "NAME [OPTION]... -- PROGRAM [ARG]...",
		"start a new actor and wait until it is ready", NULL, run_spawn, "Spawn",
		print_actor},
	{"start", "NAME", "start an actor that was stopped or has failed", actor_arguments,
		verb_call, "Start", print_actor},
	{"stop", "NAME", "let an actor finish what it serves, and end it", actor_arguments,
		verb_call, "Stop", print_actor},
	{"restart", "NAME [--rolling [--max-extra N]]",
		"replace the instances without losing a connection", restart_arguments, run_restart,
		"Restart", print_actor},
	{"reload", "NAME", "have the instances read their configuration again", actor_arguments,
		verb_call, "Reload", print_actor},
	{"scale", "NAME N", "change how many instances there are", scale_arguments, verb_call,
		"Scale", print_actor},
	{"remove", "NAME", "stop an actor and forget it", actor_arguments, verb_call, "Remove",
		print_removed},
	{"listen",
		"ADDRESS --to NAME|--give NAME [--name NAME] [--balance round-robin|pull] "
		"[--hold TIME]",
		"open a listener for an actor", listen_arguments, run_listen, "Listen",
		print_listener},
	{"pause", "LISTENER", "accept no more connections: who comes waits", listener_arguments,
		verb_call, "Pause", print_paused},
	{"resume", "LISTENER", "accept them again, first those who wait", listener_arguments,
		verb_call, "Resume", print_resumed},
	{"close", "LISTENER", "close a listener", listener_arguments, verb_call, "Close",
		print_closed},
	{"export", "", "print what is there as a configuration", no_arguments, verb_call, "Export",
		print_configuration},
	{"apply", "FILE|- [--dry-run] [--prune]", "make what is there what a configuration says",
		apply_arguments, run_apply, "Apply", NULL},
	{"send", "MAILBOX [TEXT]", "put a message into a mailbox", send_arguments, run_send, "Send",
		print_sent},
	{"logs", "NAME [-f]", "what an actor or one of its instances has printed", logs_arguments,
		run_logs, NULL, NULL},
	{"upgrade", "", "replace inkod by the installed build, under what runs", no_arguments,
		run_upgrade, "Upgrade", NULL},
	{"counters", "[NAME]", "how much was accepted, handed over and received, and how fast",
		only_arguments, run_counters, NULL, NULL},
	{"top", "[NAME] [-b] [-n N] [-d TIME]", "a live view of what is busy; q quits",
		top_arguments, run_top, NULL, NULL},
	{"monitor", "", "what happens, until Ctrl-C", no_arguments, run_monitor, NULL, NULL},
	{"completion", "bash|zsh|fish | -- WORD...", "print the completion of a shell",
		completion_arguments, run_completion, NULL, NULL},
	{"bridge", "", "connect standard input and output to inkod", no_arguments, run_bridge, NULL,
		NULL},
	{"help", "[VERB]", "say how a verb is called", help_arguments, run_help, NULL, NULL},
	{},
};

const struct verb *verb_find(const char *name)
{
	for (const struct verb *verb = verbs; verb->name; verb++) {
		if (strcmp(verb->name, name) == 0)
			return verb;
	}
	return NULL;
}

struct argument *verb_copy_arguments(const struct verb *verb)
{
	struct argument *copy;
	size_t n = 0;

	if (!verb->arguments)
		return spawn_arguments_new();
	while (verb->arguments[n++].help)
		;
	copy = reallocarray(NULL, n, sizeof(*copy));
	if (copy)
		memcpy(copy, verb->arguments, n * sizeof(*copy));
	return copy;
}

int verb_call(struct session *session, const struct verb *verb, cJSON *parameters)
{
	cJSON *reply;
	int status;

	status = session_call(session, verb->method, parameters, &reply);
	if (reply)
		verb->print(parameters, reply);
	cJSON_Delete(reply);
	return status;
}
