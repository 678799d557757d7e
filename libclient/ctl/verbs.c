/*
 * The tables of the command line.
 */

#include <stddef.h>
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
	{"--json", NULL, NULL, "json", argument_switch,
		.help = "print what the control socket said"},
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
	{.value = "WHAT",
		.member = "what",
		.parse = argument_text,
		.help = "actors (the default), listeners or routes"},
	{},
};

static const struct argument spawn_arguments[] = {
	{.value = "NAME",
		.member = "name",
		.parse = argument_text,
		.required = true,
		.help = "what the actor shall be called"},
	{"--instances", NULL, "N", "instances", argument_number,
		.help = "how many processes of it run (1)"},
	{"--backoff", NULL, "TIME", "backoffUSec", argument_time,
		.help = "pause before the first restart, doubling up to 30s (100ms)"},
	{"--intensity", NULL, "N/TIME", "intensity", argument_rate,
		.help = "so many restarts of an instance in TIME and it has failed; off: never "
			"(5/10s)"},
	{"--queue", NULL, "N", "queue", argument_number,
		.help = "messages that a lane into a mailbox holds (64)"},
	{"--env", NULL, "K=V", "environment", argument_variable,
		.help = "a variable of its environment; may be repeated"},
	{"--opens", NULL, "NAME", "opens", argument_texts,
		.help = "an actor that it may send to; may be repeated"},
	{"--directory", NULL, "DIR", "directory", argument_path, .help = "where it runs (/)"},
	{"--drain", NULL, "TIME", "drainUSec", argument_time,
		.help = "time to finish what it serves when it is stopped (10s)"},
	{"--stop", NULL, "TIME", "stopUSec", argument_time,
		.help = "time after that between SIGTERM and SIGKILL (5s)"},
	{"--start", NULL, "TIME", "startUSec", argument_time, .help = "time to become ready (30s)"},
	{.value = "PROGRAM [ARG]...",
		.member = "command",
		.parse = argument_texts,
		.required = true,
		.rest = true,
		.help = "what runs; without a '/' it is searched in PATH"},
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
	{"--balance", NULL, "HOW", "balance", argument_balance,
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
	ACTOR,
	{"--follow", "-f", NULL, "follow", argument_switch,
		.help = "go on with what is written, until Ctrl-C"},
	{},
};

static const struct argument counters_arguments[] = {
	{.value = "NAME",
		.member = "actor",
		.parse = argument_text,
		.help = "only this actor, and what leads to it"},
	{},
};

static const struct argument help_arguments[] = {
	{.value = "VERB", .member = "verb", .parse = argument_text, .help = "only this one"},
	{},
};

const struct verb verbs[] = {
	{"status", "", "how everything is", no_arguments, run_status, NULL, NULL},
	{"list", "[actors|listeners|routes]", "one line for each", list_arguments, run_list, NULL,
		NULL},
	{"spawn",
		"NAME [--instances N] [--queue N] [--env K=V]... [--opens NAME]... "
		"[--directory DIR] [--backoff TIME] [--intensity N/TIME|off] [--drain TIME] "
		"[--stop TIME] [--start TIME] -- PROGRAM [ARG]...",
		"start a new actor and wait until it is ready", spawn_arguments, run_spawn, "Spawn",
		print_actor},
	{"start", "NAME", "start an actor that was stopped or has failed", actor_arguments,
		verb_call, "Start", print_actor},
	{"stop", "NAME", "let an actor finish what it serves, and end it", actor_arguments,
		verb_call, "Stop", print_actor},
	{"restart", "NAME [--rolling [--max-extra N]]",
		"replace the instances without losing a connection", restart_arguments, run_restart,
		"Restart", print_actor},
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
	{"apply", "FILE|- [--dry-run] [--prune]", "make what is there what a configuration says",
		apply_arguments, run_apply, "Apply", NULL},
	{"export", "", "print what is there as a configuration", no_arguments, verb_call, "Export",
		print_configuration},
	{"send", "MAILBOX [TEXT]", "put a message into a mailbox", send_arguments, run_send, "Send",
		print_sent},
	{"logs", "NAME [-f]", "what an actor's instances have printed", logs_arguments, run_logs,
		NULL, NULL},
	{"upgrade", "", "replace inkod by the installed build, under what runs", no_arguments,
		run_upgrade, "Upgrade", NULL},
	{"counters", "[NAME]", "how much was accepted, handed over and received, and how fast",
		counters_arguments, run_counters, NULL, NULL},
	{"monitor", "", "what happens, until Ctrl-C", no_arguments, run_monitor, NULL, NULL},
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
