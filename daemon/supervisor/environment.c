#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/confinement.h"
#include "daemon/supervisor/environment.h"
#include "daemon/supervisor/process.h"
#include "proto/json-fields.h"

/* Room for a number, which is filled in later. A variable of that name with another value is not
 * ours. */
#define SLOT "          "

static const char *const inherited[] = {"PATH", "HOME", "LANG", "TZ", NULL};

static const char *const contract[] = {"INKO_INSTANCE", "INKO_RUNTIME_DIR", "INKO_CONCURRENCY",
	"NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "MAINPID", "WATCHDOG_USEC",
	"WATCHDOG_PID", NULL};

struct environment {
	char **strings;
	size_t n;
	bool has_failed; /* there was no memory for one of them */
};

const char *environment_find_own(const char *variable)
{
	size_t length = strcspn(variable, "=");

	for (size_t i = 0; contract[i]; i++)
		if (strlen(contract[i]) == length && strncmp(contract[i], variable, length) == 0)
			return contract[i];
	return NULL;
}

/* A variable that is there already is replaced. */
static void set(struct environment *environment, char *take_string)
{
	size_t length = take_string ? strcspn(take_string, "=") + 1 : 0;
	char **grown;

	for (size_t i = 0; take_string && i < environment->n; i++)
		if (strncmp(environment->strings[i], take_string, length) == 0) {
			free(environment->strings[i]);
			environment->strings[i] = take_string;
			return;
		}
	grown = take_string ? reallocarray(environment->strings, environment->n + 2, sizeof(*grown))
			    : NULL;
	if (!grown) {
		environment->has_failed = true;
		free(take_string);
		return;
	}
	grown[environment->n++] = take_string;
	grown[environment->n] = NULL;
	environment->strings = grown;
}

static void add(struct environment *environment, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void add(struct environment *environment, const char *format, ...)
{
	va_list arguments;
	char *string;

	va_start(arguments, format);
	if (vasprintf(&string, format, arguments) < 0)
		string = NULL;
	va_end(arguments);
	set(environment, string);
}

/* As systemd does for User=. That of inkod is nobody else's home. */
static void add_user(struct environment *environment, const struct credentials *credentials)
{
	if (credentials->home)
		add(environment, "HOME=%s", credentials->home);
	if (!credentials->user)
		return;
	add(environment, "USER=%s", credentials->user);
	add(environment, "LOGNAME=%s", credentials->user);
	add(environment, "SHELL=%s", credentials->shell);
}

/* VARIABLE=3;4; as nginx wants the sockets that it inherits. */
static void add_numbers(struct environment *environment, const char *variable, size_t n)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	if (stream) {
		fprintf(stream, "%s=", variable);
		for (size_t i = 0; i < n; i++)
			fprintf(stream, "%zu;", PROCESS_LISTEN_FDS_START + i);
		(void)fclose(stream);
	}
	set(environment, text);
}

static void add_contract(struct environment *environment, const struct process_plan *plan)
{
	if (plan->spec->fd_env)
		add_numbers(environment, plan->spec->fd_env, plan->n_listeners);
	add(environment, "INKO_INSTANCE=%s", plan->instance);
	add(environment, "INKO_RUNTIME_DIR=%s", plan->runtime);
	add(environment, "INKO_CONCURRENCY=%" PRIi64, plan->spec->concurrency);
	add(environment, "NOTIFY_SOCKET=%s", plan->notify_path);
	if (plan->n_fds > 0) {
		add(environment, "LISTEN_PID=" SLOT);
		add(environment, "LISTEN_FDS=%zu", plan->n_fds);
		add(environment, "LISTEN_FDNAMES=%s", plan->fd_names);
	}
	if (plan->main_pid > 0)
		add(environment, "MAINPID=%" PRIi64, plan->main_pid);
	if (plan->spec->watchdog_usec == 0)
		return;
	add(environment, "WATCHDOG_USEC=%" PRIi64, plan->spec->watchdog_usec);
	add(environment, "WATCHDOG_PID=" SLOT);
}

int environment_new(const struct process_plan *plan, struct environment **ret_environment)
{
	struct environment *environment = calloc(1, sizeof(*environment));

	if (!environment)
		return -ENOMEM;
	for (size_t i = 0; inherited[i]; i++)
		if (getenv(inherited[i]))
			add(environment, "%s=%s", inherited[i], getenv(inherited[i]));
	add_user(environment, &plan->confinement->credentials);
	for (char **e = plan->spec->environment; e && *e; e++)
		set(environment, strdup(*e));
	add_contract(environment, plan);
	if (environment->has_failed) {
		environment_free(environment);
		return -ENOMEM;
	}
	*ret_environment = environment;
	return 0;
}

struct environment *environment_free(struct environment *environment)
{
	if (environment)
		json_strings_free(environment->strings);
	free(environment);
	return NULL;
}

/* Not by snprintf(3), which a child may not call. */
static void write_number(char *to, unsigned int number)
{
	char digits[sizeof(SLOT)];
	size_t n = 0;

	do
		digits[n++] = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	while (n > 0)
		*to++ = digits[--n];
	*to = 0;
}

static void fill(char *string, const char *name, pid_t pid)
{
	size_t length = strlen(name);

	if (strncmp(string, name, length) == 0 && strcmp(string + length, SLOT) == 0)
		write_number(string + length, (unsigned int)pid);
}

char **environment_finish(struct environment *environment, pid_t pid)
{
	for (size_t i = 0; i < environment->n; i++) {
		fill(environment->strings[i], "LISTEN_PID=", pid);
		fill(environment->strings[i], "WATCHDOG_PID=", pid);
	}
	return environment->strings;
}
