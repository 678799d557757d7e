/*
 * Calls to inkod and what becomes of their answers.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <inko/control.h>

#include "clock.h"
#include "errors.h"
#include "printable.h"
#include "session.h"
#include "ssh.h"

/* Between tries while one supervisor follows the other. */
#define PAUSE_USEC 20000
/* For an inkod that was started in the line before: its socket is there in a few milliseconds. */
#define START_USEC 1000000

void session_close(struct session *session)
{
	pid_t ssh = session->ssh;

	session->control = inko_control_close(session->control);
	session->ssh = 0;
	if (ssh > 0)
		(void)ssh_end(ssh);
}

int session_print_json(const char *error, const char *parameters)
{
	cJSON *name = error ? cJSON_CreateString(error) : NULL;
	char *quoted = name ? cJSON_PrintUnformatted(name) : NULL;

	if (quoted)
		printf("{\"error\":%s,\"parameters\":%s}\n", quoted, parameters);
	else
		puts(parameters);
	free(quoted);
	cJSON_Delete(name);
	return error ? STATUS_REFUSED : STATUS_DONE;
}

static int report_refused(const struct session *session, const char *error, const char *parameters)
{
	cJSON *object = cJSON_Parse(parameters);
	int status;

	if (session->json) {
		(void)session_print_json(error, parameters);
		status = status_of_refusal(error, object, session->arguments);
	} else {
		status = complain_refused(error, object, session->arguments);
	}
	cJSON_Delete(object);
	return status;
}

static int parse_reply(const char *parameters, cJSON **ret_reply)
{
	cJSON *reply = cJSON_Parse(parameters);

	if (!reply)
		return complain(STATUS_REFUSED, "there is not enough memory for the answer");
	*ret_reply = reply;
	return STATUS_DONE;
}

static int call(struct session *session, const char *method, const char *text, bool prints,
	cJSON **ret_reply)
{
	char *error = NULL, *answer = NULL;
	int r, status;

	r = inko_control_call(session->control, method, text, &error, &answer);
	if (r < 0 && r != -EREMOTEIO)
		return session_complain_call(session, r);
	if (error)
		status = report_refused(session, error, answer);
	else if (session->json && prints)
		status = session_print_json(NULL, answer);
	else
		status = parse_reply(answer, ret_reply);
	free(error);
	free(answer);
	return status;
}

/* Asks for what changes nothing: -ETIMEDOUT when nobody is there to answer, since the socket alone
 * is kept open by the keeper. */
static int ping(struct session *session, uint64_t patience_usec)
{
	char *error = NULL, *answer = NULL;
	int r = inko_control_set_timeout(session->control, patience_usec);

	if (r == 0)
		r = inko_control_call(
			session->control, "org.varlink.service.GetInfo", NULL, &error, &answer);
	free(error);
	free(answer);
	/* Any answer is one. */
	return r == -EREMOTEIO ? 0 : r;
}

static int connect_host(struct session *session)
{
	static const char *const words[] = {"bridge", NULL};
	int fd, r;

	r = ssh_start(session->host, session->runtime_directory, words, &fd, &session->ssh);
	if (r < 0)
		return r;
	r = inko_control_adopt(&fd, &session->control);
	if (r < 0) {
		close(fd);
		return r;
	}
	/* Somebody may be typing a password, and the other side has patience of its own. */
	return ping(session, 0);
}

int session_connect(struct session *session)
{
	return session->host ? connect_host(session)
			     : inko_control_connect(session->runtime_directory, &session->control);
}

/* ssh ended before it answered, with whatever status, and has most often said why. */
static int complain_host_connect(struct session *session, int error)
{
	bool is_there = session->ssh > 0;

	session_close(session);
	if (!is_there)
		return complain(STATUS_NO_DAEMON, "cannot run ssh: %s", strerror(-error));
	return complain(STATUS_NO_DAEMON, "the inkod on %s could not be asked", session->host);
}

static int complain_host_call(struct session *session, int error)
{
	const char *host = session->host;

	session_close(session);
	if (error == -EMSGSIZE || error == -EBADMSG)
		return complain_call(error, NULL);
	return complain(STATUS_NO_DAEMON,
		"the inkod on %s does not answer any more; the state may have changed: look with "
		"'inkoctl --host %s status'",
		host, host);
}

int session_complain_connect(struct session *session, int error)
{
	return session->host ? complain_host_connect(session, error)
			     : complain_connect(error, session->runtime_directory);
}

int session_complain_call(struct session *session, int error)
{
	if (session->host)
		return complain_host_call(session, error);
	return complain_call(error, session->runtime_directory);
}

/* Nobody listens there, or not yet. */
static bool is_absent(const struct session *session, int r)
{
	return !session->host && (r == -ENOENT || r == -ECONNREFUSED);
}

/* Connects, after some tries where nobody listens. As session_connect. */
static int connect_patiently(struct session *session)
{
	int64_t end_usec = clock_usec() + START_USEC;
	int r = session_connect(session);

	while (is_absent(session, r) && clock_usec() < end_usec) {
		(void)usleep(PAUSE_USEC);
		r = session_connect(session);
	}
	return r;
}

int session_open(struct session *session)
{
	int64_t end_usec = clock_usec() + (int64_t)SESSION_PATIENCE_USEC;

	for (;;) {
		int r = connect_patiently(session);

		if (r < 0)
			return session_complain_connect(session, r);
		r = session->host ? 0 : ping(session, SESSION_PATIENCE_USEC);
		if (r == 0)
			r = inko_control_set_timeout(session->control, 0);
		if (r == 0)
			return STATUS_DONE;
		if (r != -ECONNRESET || clock_usec() >= end_usec)
			return session_complain_call(session, r);
		session_close(session);
		(void)usleep(PAUSE_USEC);
	}
}

static int open_and_call(struct session *session, const char *method, const cJSON *parameters,
	bool prints, cJSON **ret_reply)
{
	char *text;
	int status;

	*ret_reply = NULL;
	session_close(session); /* of the call before */
	status = session_open(session);
	if (status != STATUS_DONE)
		return status;
	text = cJSON_PrintUnformatted(parameters);
	if (!text)
		return complain(STATUS_REFUSED, "there is not enough memory for the call");
	if (printable_is_utf8(text, strlen(text)))
		status = call(session, method, text, prints, ret_reply);
	else
		status = complain(STATUS_USAGE,
			"a word of the command line is not UTF-8, which is all that inkod takes");
	free(text);
	return status;
}

int session_call(
	struct session *session, const char *method, const cJSON *parameters, cJSON **ret_reply)
{
	return open_and_call(session, method, parameters, true, ret_reply);
}

int session_begin(
	struct session *session, const char *method, const cJSON *parameters, cJSON **ret_reply)
{
	return open_and_call(session, method, parameters, false, ret_reply);
}

int session_ask(
	struct session *session, const char *method, const cJSON *parameters, cJSON **ret_reply)
{
	char *error = NULL, *answer = NULL, *text;
	int r = 0;

	if (!session->control)
		r = session_connect(session);
	if (r == 0)
		r = inko_control_set_timeout(
			session->control, session->patience_usec ?: SESSION_PATIENCE_USEC);
	if (r < 0) {
		session_close(session);
		return r;
	}
	text = cJSON_PrintUnformatted(parameters);
	if (!text)
		return -ENOMEM;
	r = inko_control_call(session->control, method, text, &error, &answer);
	free(text);
	if (r < 0 && r != -EREMOTEIO)
		session_close(session);
	if (r == 0)
		*ret_reply = cJSON_Parse(answer);
	free(error);
	free(answer);
	return r == 0 && !*ret_reply ? -ENOMEM : r;
}
