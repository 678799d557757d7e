#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/supervisor/spec.h"
#include "proto/descriptor.h"
#include "proto/lane.h"
#include "proto/name.h"

#define SECOND INT64_C(1000000)
/* Of an actor's state, for what is not its spec: what its former instances had counted, and why its
 * roll failed, with escapes. */
#define OTHER_STATE_BYTES 8192
#define DAY (24 * 3600 * SECOND)

const struct json_field spec_fields[] = {
	JSON_FIELD(spec, "name", JSON_STRING, name, true),
	JSON_FIELD(spec, "command", JSON_STRINGS, command, true),
	JSON_FIELD_INTEGER(spec, "instances", instances, false, 0, LIMIT_INSTANCES),
	JSON_FIELD(spec, "directory", JSON_STRING, directory, false),
	JSON_FIELD(spec, "environment", JSON_STRINGS, environment, false),
	JSON_FIELD(spec, "opens", JSON_STRINGS, opens, false),
	JSON_FIELD_INTEGER(spec, "queue", queue, false, LIMIT_QUEUE_MIN, 1 << 20),
	JSON_FIELD_INTEGER(spec, "backoffUSec", backoff_usec, false, 1000, DAY),
	JSON_FIELD_INTEGER(spec, "intensity", intensity, false, 0, 1000),
	JSON_FIELD_INTEGER(spec, "intensityUSec", intensity_usec, false, 1000, DAY),
	JSON_FIELD_INTEGER(spec, "drainUSec", drain_usec, false, 1000, DAY),
	JSON_FIELD_INTEGER(spec, "stopUSec", stop_usec, false, 1000, DAY),
	JSON_FIELD_INTEGER(spec, "startUSec", start_usec, false, 1000, DAY),
	JSON_FIELDS_END,
};

bool spec_field_is_of_process(const char *name)
{
	static const char *const others[] = {"instances", "backoffUSec", "intensity",
		"intensityUSec", "drainUSec", "stopUSec", "startUSec"};

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (strcmp(others[i], name) == 0)
			return false;
	return true;
}

void spec_init(struct spec *spec)
{
	*spec = (struct spec){
		.instances = 1,
		.queue = LIMIT_QUEUE_DEFAULT,
		.backoff_usec = SECOND / 10,
		.intensity = 5,
		.intensity_usec = 10 * SECOND,
		.drain_usec = 10 * SECOND,
		.stop_usec = 5 * SECOND,
		.start_usec = 30 * SECOND,
	};
}

void spec_done(struct spec *spec)
{
	json_release(spec_fields, spec);
}

static int is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* Replaces a name without a slash by the program of that name in PATH, as execvp(3) would. */
static int resolve_program(char **program)
{
	const char *path = getenv("PATH");
	char candidate[PATH_MAX];

	if (strchr(*program, '/'))
		return (*program)[0] == '/' && is_program(*program) ? 0 : -ENOENT;
	for (path = path ? path : "/usr/bin:/bin"; *path; path += strspn(path, ":")) {
		int length = (int)strcspn(path, ":");

		if (snprintf(candidate, sizeof(candidate), "%.*s/%s", length, path, *program) <
				(int)sizeof(candidate) &&
			candidate[0] == '/' && is_program(candidate)) {
			char *copy = strdup(candidate);

			if (!copy)
				return -ENOMEM;
			free(*program);
			*program = copy;
			return 0;
		}
		path += length;
	}
	return -ENOENT;
}

/* A queue is what the kernel grants, which it says when asked. */
static int check_queue(const struct spec *spec, char reason[static 512])
{
	_cleanup_close_ int write_fd = -1, read_fd = -1;
	int r = lane_open((unsigned int)spec->queue, &write_fd, &read_fd);

	if (r == -ERANGE)
		(void)snprintf(reason, 512,
			"queue: the kernel does not grant room for %lld messages; ask for %d or "
			"fewer, or raise net.core.wmem_max",
			(long long)spec->queue, LIMIT_QUEUE_MAX);
	else if (r < 0)
		(void)snprintf(reason, 512, "queue: cannot make a lane: %s", strerror(-r));
	return r < 0 ? -EINVAL : 0;
}

static int check_environment(char **environment, char reason[static 512])
{
	for (char **e = environment; e && *e; e++)
		if (**e == '=' || !strchr(*e, '=')) {
			(void)snprintf(reason, 512, "environment: '%.100s' is not NAME=VALUE", *e);
			return -EINVAL;
		}
	return 0;
}

static int check_opens(char **opens, char reason[static 512])
{
	for (char **o = opens; o && *o; o++)
		if (!name_is_valid(*o)) {
			(void)snprintf(reason, 512, "opens: '%.100s' %s", *o, name_complaint(*o));
			return -EINVAL;
		}
	return 0;
}

/* What it is held as must fit a message to the keeper, beside what else is said of the actor. */
static int check_size(const struct spec *spec, char reason[static 512])
{
	cJSON *object = json_encode(spec_fields, spec);
	_cleanup_free_ char *text = object ? cJSON_PrintUnformatted(object) : NULL;

	cJSON_Delete(object);
	if (text && strlen(text) <= LIMIT_STATE_BYTES - OTHER_STATE_BYTES)
		return 0;
	(void)snprintf(reason, 512,
		"command, environment and the rest are too long; together they may take %u KiB",
		(LIMIT_STATE_BYTES - OTHER_STATE_BYTES) >> 10);
	return -EINVAL;
}

int spec_check(struct spec *spec, const char **ret_parameter, char ret_reason[static 512])
{
	int r;

	*ret_parameter = "name";
	if (!name_is_valid(spec->name)) {
		(void)snprintf(
			ret_reason, 512, "'%.100s' %s", spec->name, name_complaint(spec->name));
		return -EINVAL;
	}
	*ret_parameter = "command";
	if (!spec->command[0]) {
		(void)snprintf(ret_reason, 512, "command: name the program to run");
		return -EINVAL;
	}
	r = resolve_program(&spec->command[0]);
	if (r < 0) {
		(void)snprintf(ret_reason, 512,
			"there is no program '%.200s' that can be executed; give its full path",
			spec->command[0]);
		return r;
	}
	*ret_parameter = "directory";
	if (spec->directory && spec->directory[0] != '/') {
		(void)snprintf(ret_reason, 512, "directory: '%.200s' is not an absolute path",
			spec->directory);
		return -EINVAL;
	}
	*ret_parameter = "environment";
	r = check_environment(spec->environment, ret_reason);
	if (r < 0)
		return r;
	*ret_parameter = "opens";
	r = check_opens(spec->opens, ret_reason);
	if (r < 0)
		return r;
	*ret_parameter = "command";
	r = check_size(spec, ret_reason);
	if (r < 0)
		return r;
	*ret_parameter = "queue";
	return check_queue(spec, ret_reason);
}
