#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/supervisor/adapter.h"
#include "daemon/supervisor/builtin.h"
#include "daemon/supervisor/confinement.h"
#include "daemon/supervisor/environment.h"
#include "daemon/supervisor/readiness.h"
#include "daemon/supervisor/signal-name.h"
#include "daemon/supervisor/spec-check.h"
#include "proto/descriptor.h"
#include "proto/lane.h"
#include "proto/name.h"
#include "proto/runtime.h"

/* Of an actor's state, for what is not its spec: what its former instances had counted, and why its
 * roll failed, with escapes. */
#define OTHER_STATE_BYTES 8192
#define DESCRIPTION_BYTES 200
#define WATCHDOG_MIN_USEC 1000
/* RLIMIT_NICE is how far below this nice may be. */
#define NICE_OF_NO_LIMIT 20

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

static int check_environment(const struct spec *spec, char reason[static 512])
{
	for (char **e = spec->environment; e && *e; e++) {
		const char *own = environment_find_own(*e);

		if (**e == '=' || !strchr(*e, '='))
			(void)snprintf(reason, 512, "environment: '%.100s' is not NAME=VALUE", *e);
		else if (own)
			(void)snprintf(reason, 512,
				"environment: %s is what inkod itself says to an actor", own);
		else
			continue;
		return -EINVAL;
	}
	return 0;
}

static int check_opens(const struct spec *spec, char reason[static 512])
{
	for (char **o = spec->opens; o && *o; o++) {
		const char *complaint =
			builtin_is_reserved(*o)
				? "belongs to inkod, and takes no messages of actors"
				: name_complaint(*o);

		if (complaint) {
			(void)snprintf(reason, 512, "opens: '%.100s' %s", *o, complaint);
			return -EINVAL;
		}
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

/* Writes the choices of a command line, between '|', as they are in JSON: on-failure is onFailure.
 */
static void write_choices(const char *choices, char text[static 128])
{
	size_t n = 0;

	for (; *choices && n + 3 < 128; choices++) {
		if (*choices == '|') {
			text[n++] = ',';
			text[n++] = ' ';
		} else if (*choices == '-' && choices[1]) {
			text[n++] = (char)toupper((unsigned char)*++choices);
		} else {
			text[n++] = *choices;
		}
	}
	text[n] = '\0';
}

/* Of those that write_choices wrote. */
static bool is_one_of(const char *value, const char *choices)
{
	size_t length;

	for (; *choices; choices += length + strspn(choices + length, ", ")) {
		length = strcspn(choices, ",");
		if (strlen(value) == length && strncmp(value, choices, length) == 0)
			return true;
	}
	return false;
}

static int check_choices(
	const struct spec *spec, const char **ret_parameter, char reason[static 512])
{
	char choices[128];

	for (const struct json_field *field = spec_fields; field->name; field++) {
		const struct spec_about *about = spec_about(field);
		const char *value;

		if (!about || about->writing != SPEC_CHOICE)
			continue;
		value = *(char *const *)((const char *)spec + field->offset);
		write_choices(about->value, choices);
		if (is_one_of(value, choices))
			continue;
		*ret_parameter = field->name;
		(void)snprintf(
			reason, 512, "%s: '%.100s' is none of %s", field->name, value, choices);
		return -EINVAL;
	}
	return 0;
}

static int check_signal(
	const char *parameter, const char *name, const char *other, char reason[static 512])
{
	if (signal_name_find(name) >= 0)
		return 0;
	(void)snprintf(reason, 512, "%s: there is no signal '%.100s'; write %s, %s or the like",
		parameter, name, spec_about(spec_find(parameter))->initial_text, other);
	return -EINVAL;
}

static int check_stop_signal(const struct spec *spec, char reason[static 512])
{
	return check_signal("stopSignal", spec->stop_signal, "SIGQUIT", reason);
}

static int check_reload_signal(const struct spec *spec, char reason[static 512])
{
	return check_signal("reloadSignal", spec->reload_signal, "SIGUSR2", reason);
}

static int check_watchdog(const struct spec *spec, char reason[static 512])
{
	if (spec->watchdog_usec == 0 || spec->watchdog_usec >= WATCHDOG_MIN_USEC)
		return 0;
	(void)snprintf(reason, 512,
		"watchdogUSec: %lld microseconds is too short; it may be %d to a day, or 0 for none",
		(long long)spec->watchdog_usec, WATCHDOG_MIN_USEC);
	return -EINVAL;
}

/* A line of a table. */
static int check_description(const struct spec *spec, char reason[static 512])
{
	const char *text = spec->description ? spec->description : "";

	for (const char *c = text; *c; c++)
		if (iscntrl((unsigned char)*c)) {
			(void)snprintf(reason, 512, "description: it must be one line of text");
			return -EINVAL;
		}
	if (strlen(text) <= DESCRIPTION_BYTES)
		return 0;
	(void)snprintf(reason, 512, "description: it is longer than %d bytes", DESCRIPTION_BYTES);
	return -EINVAL;
}

/* Privileges. */

/* What somebody asks for who is neither root nor inkod's own user is done without privileges. */
static bool is_privileged(uid_t asker)
{
	return asker == 0 || asker == geteuid();
}

/* Refuses parameter, for which inkod lacks that capability or the asker the right to it. */
static int refuse(uid_t asker, const char *parameter, const char *capability,
	const char **ret_parameter, char reason[static 512])
{
	*ret_parameter = parameter;
	if (is_privileged(asker) && geteuid() == 0)
		(void)snprintf(reason, 512,
			"%s: inkod lacks %s although it is root (a container, or "
			"CapabilityBoundingSet=); give it that, or leave it out",
			parameter, capability);
	else if (is_privileged(asker))
		(void)snprintf(reason, 512,
			"%s: this takes %s, which this inkod does not have; start inkod as root, "
			"or leave it out",
			parameter, capability);
	else
		(void)snprintf(reason, 512, "%s: only root may ask for this", parameter);
	return -EINVAL;
}

/* The capabilities that it takes to become another user, and to give that one its socket. */
static const char *find_missing(bool is_other_user)
{
	static const char *const needed[] = {"CAP_SETGID", "CAP_SETUID", "CAP_CHOWN"};
	size_t n = is_other_user ? sizeof(needed) / sizeof(*needed) : 1;

	for (size_t i = 0; i < n; i++)
		if (!capability_is_own(needed[i]))
			return needed[i];
	return NULL;
}

static int check_who(const struct spec *spec, uid_t asker, const struct credentials *credentials,
	const char **ret_parameter, char reason[static 512])
{
	bool is_askers = credentials->uid == asker && !spec->group && !spec->supplementary_groups;
	bool is_other_user = credentials->uid != geteuid();
	bool names_another = is_privileged(asker) ? is_other_user : credentials->uid != asker;
	const char *missing = credentials->is_other ? find_missing(is_other_user) : NULL;

	if (!missing && (is_privileged(asker) || is_askers))
		return 0;
	return refuse(asker,
		names_another ? "user"
		: spec->group ? "group"
			      : "supplementaryGroups",
		missing, ret_parameter, reason);
}

static int check_kept(capability_set keep, uid_t asker, char *const *names,
	const char **ret_parameter, char reason[static 512])
{
	const char *unknown;

	for (; keep && names && *names; names++) {
		char *one[] = {*names, NULL};
		capability_set set = 0;

		(void)capability_parse_set(one, &set, &unknown);
		if (!is_privileged(asker) || set & ~capability_get_own())
			return refuse(asker, "capabilities", *names, ret_parameter, reason);
	}
	return 0;
}

/* As setpriority(2) has it. What RLIMIT_NICE grants inkod is not for everybody who asks. */
static bool raises_priority(int nice, uid_t asker)
{
	struct rlimit limit;

	if (nice == 0 || nice >= getpriority(PRIO_PROCESS, 0))
		return false;
	return !is_privileged(asker) || getrlimit(RLIMIT_NICE, &limit) < 0 ||
	       (rlim_t)(NICE_OF_NO_LIMIT - nice) > limit.rlim_cur;
}

/* Root has all capabilities of the bounding set once it executes its program. */
static bool gains_capabilities(const struct confinement *confinement)
{
	return confinement->credentials.uid == 0 && !confinement->no_new_privileges &&
	       !capability_is_bounded(confinement->keep);
}

static int check_privileges(const struct spec *spec, uid_t asker,
	const struct confinement *confinement, const char **ret_parameter, char reason[static 512])
{
	const struct {
		const char *parameter;
		bool is_wanted;
		bool takes_rights; /* those of the asker too */
	} privileged[] = {
		{"nice", raises_priority(confinement->nice, asker), true},
		{"limits", rlimits_find_raised(&confinement->limits), true},
		{"network", !confinement->has_network, false},
		{"noNewPrivileges", gains_capabilities(confinement), false},
	};
	int r = check_who(spec, asker, &confinement->credentials, ret_parameter, reason);

	for (size_t i = 0; r == 0 && i < sizeof(privileged) / sizeof(*privileged); i++) {
		const char *parameter = privileged[i].parameter;
		const char *needs = spec_about(spec_find(parameter))->needs;

		if (privileged[i].is_wanted &&
			(!capability_is_own(needs) ||
				(privileged[i].takes_rights && !is_privileged(asker))))
			r = refuse(asker, parameter, needs, ret_parameter, reason);
	}
	if (r == 0)
		r = check_kept(confinement->keep, asker, spec->capabilities, ret_parameter, reason);
	return r;
}

/* Its notify socket would be out of its reach, so that it could not become ready. */
static int check_reach(const struct spec *spec, const struct credentials *credentials,
	const char *runtime, const char **ret_parameter, char reason[static 512])
{
	char path[PATH_MAX];

	if (!credentials->is_other || runtime_path(runtime, "notify/x", path) < 0 ||
		credentials_may_reach(credentials, path))
		return 0;
	*ret_parameter = "user";
	(void)snprintf(reason, 512,
		"user: %.60s may not enter %.200s, where its notify socket is; 'chmod a+x' each "
		"directory that leads there, or start inkod in another --runtime-dir",
		spec->user ? spec->user : spec->group, runtime);
	return -EINVAL;
}

static int check_confinement(const struct spec *spec, const struct spec_asker *asker,
	const char **ret_parameter, char reason[static 512])
{
	_cleanup_confinement_ struct confinement confinement = {0};
	int r = confinement_prepare(spec, &confinement, ret_parameter, reason);

	if (r == 0)
		r = check_privileges(spec, asker->uid, &confinement, ret_parameter, reason);
	if (r == 0)
		r = check_reach(
			spec, &confinement.credentials, asker->runtime, ret_parameter, reason);
	return r;
}

/* What is in the way of executing it: the end of a sentence that starts with it. */
static const char *find_obstacle(const char *program)
{
	struct stat st;

	if (!strchr(program, '/'))
		return "is not found; give its full path";
	if (program[0] != '/')
		return "is not a full path";
	if (stat(program, &st) < 0)
		return errno == ENOENT ? "does not exist" : strerror(errno);
	if (S_ISDIR(st.st_mode))
		return "is a directory";
	return "is not executable";
}

static int check_command(struct spec *spec, char reason[static 512])
{
	int r;

	if (!spec->command[0]) {
		(void)snprintf(reason, 512, "command: name the program to run");
		return -EINVAL;
	}
	r = resolve_program(&spec->command[0]);
	if (r == -ENOENT)
		(void)snprintf(reason, 512, "the program '%.200s' %s", spec->command[0],
			find_obstacle(spec->command[0]));
	return r;
}

static int check_name(const struct spec *spec, char reason[static 512])
{
	if (name_is_valid(spec->name))
		return 0;
	(void)snprintf(reason, 512, "'%.100s' %s", spec->name, name_complaint(spec->name));
	return -EINVAL;
}

/* Whether its user may enter it the child finds out. */
static int check_directory(const struct spec *spec, char reason[static 512])
{
	const char *complaint;
	struct stat st;

	if (spec->directory[0] != '/')
		complaint = "is not an absolute path";
	else if (stat(spec->directory, &st) < 0)
		complaint = errno == ENOENT ? "does not exist" : strerror(errno);
	else if (!S_ISDIR(st.st_mode))
		complaint = "is not a directory";
	else
		return 0;
	(void)snprintf(reason, 512, "directory: '%.200s' %s", spec->directory, complaint);
	return -EINVAL;
}

static const struct {
	const char *parameter;
	int (*check)(const struct spec *spec, char reason[static 512]);
} checks[] = {
	{"name", check_name},
	{"directory", check_directory},
	{"environment", check_environment},
	{"opens", check_opens},
	{"description", check_description},
	{"stopSignal", check_stop_signal},
	{"reloadSignal", check_reload_signal},
	{"watchdogUSec", check_watchdog},
	{"command", check_size},
	{"queue", check_queue},
};

int spec_check(struct spec *spec, const struct spec_asker *asker, const char **ret_parameter,
	char ret_reason[static 512])
{
	int r = spec_complete(spec);

	if (r == 0 && !spec->user && !is_privileged(asker->uid)) {
		spec->user = credentials_name_user(asker->uid);
		r = spec->user ? 0 : -ENOMEM;
	}
	if (r < 0)
		return r;
	*ret_parameter = "command";
	r = check_command(spec, ret_reason);
	for (size_t i = 0; r == 0 && i < sizeof(checks) / sizeof(*checks); i++) {
		*ret_parameter = checks[i].parameter;
		r = checks[i].check(spec, ret_reason);
	}
	if (r == 0)
		r = check_choices(spec, ret_parameter, ret_reason);
	if (r == 0)
		r = adapter_check(spec, ret_parameter, ret_reason);
	if (r == 0)
		r = readiness_check(spec, ret_parameter, ret_reason);
	return r < 0 ? r : check_confinement(spec, asker, ret_parameter, ret_reason);
}
