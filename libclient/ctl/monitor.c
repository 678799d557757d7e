/*
 * What happens, a line an event. A supervisor that is replaced ends the connection: the next one
 * is asked for what came since.
 */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <inko/control.h>

#include "errors.h"
#include "printable.h"
#include "reply.h"
#include "session.h"
#include "terminal.h"
#include "verbs.h"

/* Between tries to connect again, so that an inkod which does not come up is not kept busy. */
#define PAUSE_MSEC 100
/* So often a connection may break before anything was said on it, one after the other. */
#define TRIES_MAX ((unsigned int)(SESSION_PATIENCE_USEC / 1000 / PAUSE_MSEC))

struct watch {
	struct session *session;
	int64_t position;      /* of the last event that was seen; -1: none */
	unsigned int n_silent; /* connections that broke so, since something was said */
};

/* Nothing is half done between two events. */
static void on_interrupt(int number)
{
	(void)number;
	_exit(STATUS_DONE);
}

/* The words for an event: of what kind, what it came to and from there (NULL: whatever), in front
 * of the pid and why. The first that applies. */
static const struct {
	const char *kind, *to, *from;
	const char *words;
} phrases[] = {
	{"actor", "removed", NULL, "the actor was removed"},
	{"actor", "failed", NULL, "the actor has failed"},
	{"instance", "starting", "waiting", "is started again"},
	{"instance", "starting", NULL, "is started"},
	{"instance", "ready", NULL, "is ready"},
	{"instance", "leaving", NULL, "says that it ends, and is handed no more"},
	{"instance", "draining", NULL, "is told to stop, and finishes what it serves"},
	{"instance", "terminating", NULL, "is sent its stop signal"},
	{"instance", "killing", NULL, "is sent SIGKILL"},
	{"instance", "waiting", NULL, "has ended by itself"},
	{"instance", "stopped", "waiting", "is not started again"},
	{"instance", "stopped", "failed", "is not started again"},
	{"instance", "stopped", "ended", "is not started again"},
	{"instance", "stopped", NULL, "has ended"},
	{"instance", "failed", NULL, "has failed"},
	{"instance", "ended", NULL, "has ended by itself, and is not started again"},
	{"kill", NULL, NULL, "is killed"},
	{"stall", "stalled", NULL, "does not read its mailbox; its siblings get what waits"},
	{"stall", "reading", NULL, "reads its mailbox again"},
	{"listener", "open", NULL, "listens"},
	{"listener", "waiting", NULL, "has an actor that has failed; who connects waits"},
	{"listener", "refusing", NULL, "refuses connections"},
	{"listener", "paused", NULL, "is paused; who connects waits"},
	{"listener", "moved", NULL, "listens on another socket of systemd's"},
	{"listener", "closed", NULL, "is closed"},
	{"keeper", "lost", NULL,
		"has ended; what runs goes on, and the next one is given all of it"},
	{"keeper", "replaced", NULL, "another one has taken over"},
	{"roll", "begun", NULL, "is rolled over to new instances"},
	{"roll", "replacing", NULL, "an instance of the former generation ends"},
	{"roll", "ended", NULL, "has rolled over"},
	{"roll", "cancelled", NULL, "is rolled over no further"},
	{"roll", "failed", NULL, "could not be rolled over"},
};

static bool applies(const char *wanted, const char *found)
{
	return !wanted || strcmp(wanted, found) == 0;
}

static const char *find_words(const char *kind, const char *to, const char *from)
{
	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if (applies(phrases[i].kind, kind) && applies(phrases[i].to, to) &&
			applies(phrases[i].from, from))
			return phrases[i].words;
	return NULL;
}

/* What came in between of many supervisors is not counted any more. */
static void print_overrun(FILE *line, int64_t count)
{
	if (count > 0)
		fprintf(line, "%" PRId64 " events were missed, as they were not read in time",
			count);
	else
		fputs("more events than are counted were missed, as they were not read in time",
			line);
}

static void print_what(FILE *line, const cJSON *event)
{
	const char *kind = reply_shown(event, "kind"), *to = reply_shown(event, "to");
	const char *words = find_words(kind, to, reply_shown(event, "from"));

	if (words)
		fputs(words, line);
	else if (strcmp(kind, "overrun") == 0)
		print_overrun(line, reply_number(event, "count"));
	else if (strcmp(kind, "adoption") == 0)
		fprintf(line, "another supervisor took over, with %" PRId64 " running instances",
			reply_number(event, "count"));
	else if (strcmp(kind, "actor") == 0)
		fprintf(line, "the actor is %s", to);
	else
		fprintf(line, "%s: %s", kind, to);
}

static void print_details(FILE *line, const cJSON *event)
{
	int64_t pid = reply_number(event, "pid");
	const char *why = reply_text(event, "why");

	if (pid > 0)
		fprintf(line, " (pid %" PRId64 ")", pid);
	if (why && *why)
		fprintf(line, ": %s", why);
}

static void print_time(FILE *line, int64_t usec)
{
	time_t seconds = usec / 1000000;
	struct tm local;
	char text[32];

	if (!localtime_r(&seconds, &local) || strftime(text, sizeof(text), "%H:%M:%S", &local) == 0)
		return;
	fprintf(line, "%s.%03d  ", text, (int)(usec / 1000 % 1000));
}

static int print_event(const cJSON *event)
{
	char *text = NULL, *clean = NULL;
	size_t size;
	FILE *line = open_memstream(&text, &size);

	if (line) {
		print_time(line, reply_number(event, "timeUSec"));
		fprintf(line, "%s  ", reply_shown(event, "name"));
		print_what(line, event);
		print_details(line, event);
		fclose(line);
		clean = printable_line(text);
	}
	if (clean)
		puts(clean);
	free(text);
	free(clean);
	return clean ? STATUS_DONE : complain(STATUS_REFUSED, "there is not enough memory");
}

static int print_reply(struct watch *watch, const char *parameters)
{
	cJSON *reply = cJSON_Parse(parameters);
	const cJSON *event = reply_member(reply, "event");
	int status = STATUS_DONE;

	if (!reply)
		return complain(STATUS_REFUSED, "there is not enough memory for the answer");
	watch->position = reply_number(reply, "position");
	if (watch->session->json)
		status = session_print_json(NULL, parameters);
	else if (event)
		status = print_event(event);
	cJSON_Delete(reply);
	return status == STATUS_DONE ? terminal_flush() : status;
}

static int print_refused(const struct watch *watch, const char *error, const char *parameters)
{
	cJSON *object;

	if (watch->session->json)
		return session_print_json(error, parameters);
	object = cJSON_Parse(parameters);
	(void)complain_refused(error, object, watch->session->arguments);
	cJSON_Delete(object);
	return STATUS_REFUSED;
}

/* One reply: a status when that was the last thing to do, or -1 to go on; *ret_result as
 * inko_control_next. */
static int follow_one(struct watch *watch, int *ret_result)
{
	char *error = NULL, *parameters = NULL;
	int r = inko_control_next(watch->session->control, &error, &parameters);
	int status = STATUS_DONE;

	if (r == -EREMOTEIO)
		status = print_refused(watch, error, parameters);
	else if (r >= 0)
		status = print_reply(watch, parameters);
	free(error);
	free(parameters);
	*ret_result = r;
	return status;
}

static int ask(struct watch *watch)
{
	struct inko_control *control = watch->session->control;
	char parameters[64] = "{}";
	int r;

	if (watch->position >= 0)
		(void)snprintf(
			parameters, sizeof(parameters), "{\"after\":%" PRId64 "}", watch->position);
	r = inko_control_set_timeout(control, SESSION_PATIENCE_USEC);
	return r < 0 ? r : inko_control_call_more(control, "Monitor", parameters);
}

/* The first reply comes at once and says that inkod listens: from then on silence means that
 * nothing happens. */
static int on_first(struct watch *watch, bool again)
{
	watch->n_silent = 0;
	if (again)
		(void)complain(STATUS_DONE, "inkod's supervisor was replaced; going on");
	return inko_control_set_timeout(watch->session->control, 0);
}

/* Until the connection breaks (STATUS_DONE), or there is something to complain about. */
static int follow(struct watch *watch, bool again)
{
	bool told = false;
	int r = ask(watch), status = STATUS_DONE;

	watch->n_silent++;
	while (status == STATUS_DONE && (r >= 0 || r == -EINTR)) {
		status = follow_one(watch, &r);
		if (status == STATUS_DONE && r >= 0 && !told) {
			told = true;
			r = on_first(watch, again);
		}
	}
	if (status == STATUS_DONE &&
		((r != -ECONNRESET && r != -EPIPE) || watch->n_silent >= TRIES_MAX))
		return session_complain_call(watch->session, r);
	return status;
}

int run_monitor(struct session *session, const struct verb *verb, cJSON *parameters)
{
	struct watch watch = {.session = session, .position = -1};
	int status, r;

	(void)verb;
	(void)parameters;
	(void)signal(SIGINT, on_interrupt);
	r = session_connect(session);
	if (r < 0)
		return session_complain_connect(session, r);
	status = follow(&watch, false);
	while (status == STATUS_DONE) {
		if (terminal_is_gone(PAUSE_MSEC))
			return STATUS_REFUSED;
		session_close(session);
		r = session_connect(session);
		if (r < 0)
			return session->host ? session_complain_connect(session, r)
					     : complain(STATUS_REFUSED, "inkod has gone away");
		status = follow(&watch, true);
	}
	return status;
}
