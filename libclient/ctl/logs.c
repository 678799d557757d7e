/*
 * What an actor's instances have printed. inkod has no part in it: it says where the output is, and
 * that is the journal or files.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "errors.h"
#include "printable.h"
#include "reply.h"
#include "ssh.h"
#include "tail.h"
#include "terminal.h"
#include "verbs.h"

/* How often files are looked at, and how often inkod is asked for new ones, when following. */
#define LOOK_MSEC 200
#define LOOKS_PER_QUESTION 5

struct logs {
	struct session *session;
	const char *source; /* an actor, or one instance of it */
	cJSON *question;    /* to inkod, for those of the actor */
	bool following;
};

static int add_files(struct tails *tails, const cJSON *reply)
{
	const cJSON *log;

	cJSON_ArrayForEach(log, reply_member(reply, "logs")) {
		const char *file = reply_text(log, "file");

		if (file && tails_add(tails, reply_shown(log, "instance"), file) < 0)
			return complain(STATUS_REFUSED, "there is not enough memory");
	}
	return STATUS_DONE;
}

static int print_now(struct tails *tails)
{
	int status = tails_print(tails);

	return status == STATUS_DONE ? terminal_flush() : status;
}

/* Of one instance, where that is wanted. */
static void keep_wanted(const struct logs *logs, cJSON *reply)
{
	cJSON *all = cJSON_GetObjectItemCaseSensitive(reply, "logs");

	if (!strchr(logs->source, '/'))
		return;
	for (int i = cJSON_GetArraySize(all) - 1; i >= 0; i--) {
		const char *instance = reply_shown(cJSON_GetArrayItem(all, i), "instance");

		if (strcmp(instance, logs->source) != 0)
			cJSON_DeleteItemFromArray(all, i);
	}
}

/* Asks for instances that are new. *ret_removed when the actor is no more. Without inkod the files
 * that are known go on: actors outlive it. */
static int ask_again(const struct logs *logs, struct tails *tails, bool *ret_removed)
{
	cJSON *reply = NULL;
	int r, status = STATUS_DONE;

	r = session_ask(logs->session, "GetLogs", logs->question, &reply);
	*ret_removed = r == -EREMOTEIO;
	if (r == 0) {
		keep_wanted(logs, reply);
		status = add_files(tails, reply);
	}
	cJSON_Delete(reply);
	return status;
}

static int follow(const struct logs *logs, struct tails *tails)
{
	bool removed = false;
	int status = STATUS_DONE;

	for (int look = 1; status == STATUS_DONE && !removed; look++) {
		if (terminal_is_gone(LOOK_MSEC))
			return STATUS_REFUSED;
		if (look % LOOKS_PER_QUESTION == 0)
			status = ask_again(logs, tails, &removed);
		if (status == STATUS_DONE)
			status = print_now(tails);
	}
	if (removed)
		complain(status, "%s was removed", reply_shown(logs->question, "actor"));
	return status;
}

static int print_files(const struct logs *logs, const cJSON *reply)
{
	struct tails *tails = tails_new();
	int status;

	if (!tails)
		return complain(STATUS_REFUSED, "there is not enough memory");
	status = add_files(tails, reply);
	if (status == STATUS_DONE)
		status = print_now(tails);
	if (status == STATUS_DONE && logs->following)
		status = follow(logs, tails);
	tails_finish(tails);
	tails_free(tails);
	return status;
}

static size_t count_journals(const cJSON *reply)
{
	const cJSON *log;
	size_t count = 0;

	cJSON_ArrayForEach(log, reply_member(reply, "logs")) {
		count += reply_text(log, "journal") != NULL;
	}
	return count;
}

/* Becomes journalctl; returns only when that is not possible. */
static int exec_journalctl(const cJSON *reply, size_t count, bool following)
{
	const char **words = calloc(2 * count + 4, sizeof(*words));
	const cJSON *log;
	size_t n = 0;

	if (!words)
		return complain(STATUS_REFUSED, "there is not enough memory");
	words[n++] = "journalctl";
	cJSON_ArrayForEach(log, reply_member(reply, "logs")) {
		if (!reply_text(log, "journal"))
			continue;
		words[n++] = "-t";
		words[n++] = reply_text(log, "journal");
	}
	if (following) {
		words[n++] = "-f";
		words[n++] = "--no-tail";
	}
	signal(SIGPIPE, SIG_DFL);
	execvp(words[0], (char *const *)words);
	free(words);
	return complain(STATUS_REFUSED,
		"the output is in the journal, and journalctl cannot be run: %s", strerror(errno));
}

/* An inkod writes to the journal or to files, never to both. */
static int print_logs(const struct logs *logs, cJSON *reply)
{
	size_t journals;

	keep_wanted(logs, reply);
	journals = count_journals(reply);
	if (cJSON_GetArraySize(reply_member(reply, "logs")) == 0 && strchr(logs->source, '/'))
		return complain(STATUS_REFUSED,
			"there is no instance %s; 'inkoctl status' shows those that are",
			logs->source);
	if (journals > 0)
		return exec_journalctl(reply, journals, logs->following);
	return print_files(logs, reply);
}

/* What any actor may have printed, in front of a terminal. */
static void pass_on(const char *line, size_t length)
{
	bool shown = terminal_is_there();
	char *clean = shown ? printable_bytes(line, length) : NULL;

	if (shown)
		fputs(clean ? clean : "?\n", stdout);
	else
		fwrite(line, 1, length, stdout);
	free(clean);
}

static void pass_on_all(FILE *lines)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t length;

	while (!terminal_is_gone(0) && (length = getline(&line, &size, lines)) > 0) {
		pass_on(line, length);
		(void)fflush(stdout);
	}
	free(line);
}

/* Where the files are, which inkoctl there reads and this one only passes on. */
static int print_from_host(const struct logs *logs)
{
	const struct session *session = logs->session;
	const char *words[] = {"logs", logs->source, logs->following ? "--follow" : NULL, NULL};
	FILE *lines;
	pid_t ssh;
	int fd, r, status;

	r = ssh_start(session->host, session->runtime_directory, words, &fd, &ssh);
	if (r < 0)
		return complain(STATUS_NO_DAEMON, "cannot run ssh: %s", strerror(-r));
	lines = fdopen(fd, "r");
	if (lines) {
		pass_on_all(lines);
		fclose(lines);
	} else {
		close(fd);
	}
	status = ssh_end(ssh);
	if (status == STATUS_NO_DAEMON)
		(void)complain(status, "the inkod on %s could not be asked", session->host);
	return status;
}

static int print_from_here(const struct logs *logs)
{
	cJSON *reply;
	int status = session_call(logs->session, "GetLogs", logs->question, &reply);

	if (reply)
		status = print_logs(logs, reply);
	cJSON_Delete(reply);
	return status;
}

/* {"actor": "web"} of web/0. */
static cJSON *make_question(const char *source)
{
	char *actor = strndup(source, strcspn(source, "/"));
	cJSON *question = actor ? cJSON_CreateObject() : NULL;

	if (question && !cJSON_AddStringToObject(question, "actor", actor)) {
		cJSON_Delete(question);
		question = NULL;
	}
	free(actor);
	return question;
}

int run_logs(struct session *session, const struct verb *verb, cJSON *parameters)
{
	struct logs logs = {
		.session = session,
		.source = reply_text(parameters, "source"),
		.following = reply_member(parameters, "follow"),
	};
	int status;

	(void)verb;
	if (session->host && !session->json)
		return print_from_host(&logs);
	logs.question = make_question(logs.source);
	if (!logs.question)
		return complain(STATUS_REFUSED, "there is not enough memory");
	status = print_from_here(&logs);
	cJSON_Delete(logs.question);
	return status;
}
