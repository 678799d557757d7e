/*
 * Verbs that change actors.
 */

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "errors.h"
#include "reply.h"
#include "verbs.h"

/* execvp(3) looks here when there is no PATH. */
#define DEFAULT_PATH "/bin:/usr/bin"

static bool is_program(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

/* path made absolute, malloc'd. Links are kept: some programs are told by their name what they
 * are. */
static char *make_absolute(const char *path)
{
	char here[PATH_MAX];
	char *absolute;

	if (path[0] == '/')
		return strdup(path);
	if (strncmp(path, "./", 2) == 0)
		path += 2;
	if (!getcwd(here, sizeof(here)) || asprintf(&absolute, "%s/%s", here, path) < 0)
		return NULL;
	return absolute;
}

static char *search(const char *name)
{
	const char *path = getenv("PATH");
	char *candidate, *found = NULL;
	size_t length;

	for (path = path ? path : DEFAULT_PATH; !found; path += length + 1) {
		length = strcspn(path, ":");
		/* An empty entry is the current directory. */
		if (asprintf(&candidate, "%.*s%s%s", (int)length, path, length ? "/" : "./", name) <
			0)
			return NULL;
		found = is_program(candidate) ? make_absolute(candidate) : NULL;
		free(candidate);
		if (!path[length])
			break;
	}
	return found;
}

/* The caller's PATH and directory are not inkod's: what is found is sent as an absolute path, and
 * what is not is refused by inkod in its own words. */
static int resolve_program(cJSON *parameters)
{
	cJSON *command = cJSON_GetObjectItemCaseSensitive(parameters, "command");
	const char *typed = cJSON_GetStringValue(cJSON_GetArrayItem(command, 0));
	cJSON *item;
	char *program;

	program = strchr(typed, '/') ? make_absolute(typed) : search(typed);
	if (!program)
		return STATUS_DONE;
	item = cJSON_CreateString(program);
	free(program);
	if (!item || !cJSON_ReplaceItemInArray(command, 0, item))
		return complain(STATUS_REFUSED, "there is not enough memory");
	return STATUS_DONE;
}

int run_spawn(struct session *session, const struct verb *verb, cJSON *parameters)
{
	/* Another host has programs of its own. */
	int status = session->host ? STATUS_DONE : resolve_program(parameters);

	return status == STATUS_DONE ? verb_call(session, verb, parameters) : status;
}

int run_restart(struct session *session, const struct verb *verb, cJSON *parameters)
{
	bool rolls = reply_member(parameters, "rolling");
	int status;

	if (!rolls && reply_member(parameters, "maxExtra"))
		return complain_usage(verb->name, "--max-extra goes with --rolling");
	status = verb_call(session, verb, parameters);
	/* It was there when it was asked. */
	if (rolls && status == STATUS_NO_DAEMON && session->control)
		complain(status,
			"a roll that has begun goes on, also with the next supervisor: watch it "
			"with 'inkoctl status', which says too if it fails");
	return status;
}

void print_actor(const cJSON *parameters, const cJSON *reply)
{
	const cJSON *actor = reply_member(reply, "actor");
	const char *name = reply_shown(actor, "name");
	int n = cJSON_GetArraySize(reply_member(actor, "instances"));
	int n_retiring = reply_count_retiring(actor);

	(void)parameters;
	if (strcmp(reply_shown(actor, "state"), "stopped") == 0) {
		printf("%s: stopped\n", name);
		return;
	}
	printf("%s: %d of %d instances ready", name, reply_count_ready(actor), n - n_retiring);
	if (n_retiring > 0)
		printf("; %d retiring, not ended yet", n_retiring);
	putchar('\n');
}

void print_removed(const cJSON *parameters, const cJSON *reply)
{
	(void)reply;
	printf("%s: removed\n", reply_shown(parameters, "actor"));
}
