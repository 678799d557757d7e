/*
 * Errors, in one sentence each that says what to do next.
 *
 * inkod's own errors bring their sentence with them. Those of Varlink itself mean that this
 * program and inkod do not fit together, or that the caller may not ask.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <inko/control.h>

#include "arguments.h"
#include "duration.h"
#include "errors.h"
#include "printable.h"
#include "reply.h"
#include "silence.h"

#define OTHER_VERSION                                                                              \
	"inkod and inkoctl are of different versions ('inkoctl status' and 'inkoctl --version' "   \
	"say which)"

#define INVALID_VALUE "io.inkod.Supervisor.InvalidValue"

static const struct {
	const char *error;
	const char *member; /* of the parameters, named between before and after */
	const char *before, *after;
} varlink_errors[] = {
	{"org.varlink.service.InvalidParameter", "parameter", "inkod does not take this value of ",
		"; give it another, or " OTHER_VERSION},
	{"org.varlink.service.MethodNotFound", "method", "this inkod has no method ",
		": " OTHER_VERSION},
	{"org.varlink.service.MethodNotImplemented", "method", "this inkod does not implement ",
		": " OTHER_VERSION},
	{"org.varlink.service.InterfaceNotFound", "interface", "this inkod has no interface ",
		": " OTHER_VERSION},
	{"org.varlink.service.PermissionDenied", NULL, "you may not do this",
		"; ask as root, or as the user that inkod runs as"},
};

static void print_line(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

static void print_line(const char *format, va_list arguments)
{
	char *text, *clean;

	if (vasprintf(&text, format, arguments) < 0)
		return;
	clean = printable_text(text);
	fprintf(stderr, "inkoctl: %s\n", clean ? clean : text);
	free(clean);
	free(text);
}

int complain(enum status status, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_line(format, arguments);
	va_end(arguments);
	return status;
}

int complain_usage(const char *verb, const char *format, ...)
{
	va_list arguments;
	char *text;
	int length;

	va_start(arguments, format);
	length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length < 0)
		return STATUS_USAGE;
	complain(STATUS_USAGE, "%s; see 'inkoctl help%s%s'", text, verb ? " " : "",
		verb ? verb : "");
	free(text);
	return STATUS_USAGE;
}

/* Whether a value of these may be depends on the host, and on who asks. */
static const char *const of_host[] = {"capabilities", "directory", "group", "limits", "network",
	"nice", "supplementaryGroups", "user"};

static bool is_of_host(const char *member)
{
	for (size_t i = 0; i < sizeof(of_host) / sizeof(of_host[0]); i++) {
		if (strcmp(of_host[i], member) == 0)
			return true;
	}
	return false;
}

enum status status_of_refusal(
	const char *error, const cJSON *parameters, const struct argument *arguments)
{
	const char *member = reply_text(parameters, "parameter");

	if (strcmp(error, INVALID_VALUE) != 0 || !member || !arguments ||
		!argument_find_member(arguments, member))
		return STATUS_REFUSED;
	return is_of_host(member) && !reply_member(parameters, "min") ? STATUS_REFUSED
								      : STATUS_USAGE;
}

/* A bound of what argument, the member of that name, may be, as it is typed. */
static void format_bound(
	const cJSON *bound, const char *member, char text[static DURATION_TEXT_BYTES])
{
	size_t length = strlen(member);
	int64_t number = (int64_t)cJSON_GetNumberValue(bound);

	if (length > 4 && strcmp(member + length - 4, "USec") == 0)
		duration_format(number, text);
	else
		(void)snprintf(text, DURATION_TEXT_BYTES, "%" PRId64, number);
}

/* inkod speaks of members of JSON, often in front. */
static int complain_value(
	const struct argument *argument, const cJSON *parameters, const char *reason)
{
	const char *member = reply_text(parameters, "parameter");
	const char *name = argument->flag ? argument->flag : argument->value;
	const cJSON *min = reply_member(parameters, "min"), *max = reply_member(parameters, "max");
	char least[DURATION_TEXT_BYTES], most[DURATION_TEXT_BYTES];
	size_t length = strlen(member);

	if (cJSON_IsNumber(min) && cJSON_IsNumber(max)) {
		format_bound(min, member, least);
		format_bound(max, member, most);
		return complain(STATUS_REFUSED, "%s is out of range; it may be %s to %s", name,
			least, most);
	}
	if (strncmp(reason, member, length) == 0 &&
		(reason[length] == ' ' || reason[length] == ':'))
		return complain(STATUS_REFUSED, "%s%s", name, reason + length);
	return complain(STATUS_REFUSED, "%s", reason);
}

static int complain_reason(
	const cJSON *parameters, const char *reason, const struct argument *arguments)
{
	const char *member = reply_text(parameters, "parameter");
	const struct argument *argument = NULL;

	if (member && arguments)
		argument = argument_find_member(arguments, member);
	return argument ? complain_value(argument, parameters, reason)
			: complain(STATUS_REFUSED, "%s", reason);
}

int complain_refused(const char *error, const cJSON *parameters, const struct argument *arguments)
{
	const char *reason = reply_text(parameters, "reason");

	if (reason) {
		(void)complain_reason(parameters, reason, arguments);
		return status_of_refusal(error, parameters, arguments);
	}
	for (size_t i = 0; i < sizeof(varlink_errors) / sizeof(varlink_errors[0]); i++) {
		const char *member = varlink_errors[i].member;

		if (strcmp(varlink_errors[i].error, error) == 0)
			return complain(STATUS_REFUSED, "%s%s%s", varlink_errors[i].before,
				member ? reply_shown(parameters, member) : "",
				varlink_errors[i].after);
	}
	return complain(STATUS_REFUSED, "inkod refused: %s", error);
}

static int complain_about(
	const char *runtime_directory, enum status status, const char *before, const char *after)
{
	char *directory = NULL;

	/* Without memory the sentence still stands. */
	(void)inko_control_directory(runtime_directory, &directory);
	complain(status, "%s %s%s", before, directory ? directory : "the runtime directory", after);
	free(directory);
	return status;
}

static int complain_no_daemon(const char *runtime_directory)
{
	char *directory = NULL;

	if (inko_control_directory(runtime_directory, &directory) < 0)
		return complain(STATUS_NO_DAEMON, "no inkod runs");
	complain(STATUS_NO_DAEMON, "no inkod runs in %s; start one with 'inkod --runtime-dir %s &'",
		directory, directory);
	free(directory);
	return STATUS_NO_DAEMON;
}

int complain_connect(int error, const char *runtime_directory)
{
	switch (error) {
	case -ENXIO:
		return complain_usage(NULL, "say where inkod runs: --runtime-dir DIR");
	case -ENAMETOOLONG:
		return complain_usage(NULL, "the path of the runtime directory is too long for a "
					    "socket in it; choose a shorter --runtime-dir");
	case -ENOENT:
	case -ENOTDIR:
	case -ECONNREFUSED:
		return complain_no_daemon(runtime_directory);
	case -EACCES:
	case -EPERM:
		return complain_about(runtime_directory, STATUS_REFUSED,
			"you may not talk to the inkod in",
			"; ask as root, or as the user that it runs as");
	default:
		return complain(STATUS_NO_DAEMON, "cannot connect to inkod: %s", strerror(-error));
	}
}

int complain_call(int error, const char *runtime_directory)
{
	switch (error) {
	case -ECONNRESET:
		return complain_about(runtime_directory, STATUS_NO_DAEMON, "the inkod in",
			" went away before it answered; the state may have changed: look with "
			"'inkoctl status'");
	case -ETIMEDOUT:
		return silence_complain(runtime_directory);
	case -EMSGSIZE:
		return complain(STATUS_REFUSED,
			"this is too large: a call to inkod has room for 1 MiB, which is less than "
			"768 KiB of bytes that are not text");
	case -EBADMSG:
		return complain(STATUS_REFUSED,
			"inkod's answer makes no sense; is it another program's socket? The state "
			"may have changed: look with 'inkoctl status'");
	default:
		return complain(STATUS_REFUSED, "the call to inkod failed: %s", strerror(-error));
	}
}
