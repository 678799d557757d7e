#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "daemon/supervisor/confinement.h"
#include "proto/spec.h"

#define UMASK_MAX 0777

static int parse_umask(const char *text, mode_t *ret_umask)
{
	char *end;
	unsigned long value;

	if (*text < '0' || *text > '7')
		return -EINVAL;
	value = strtoul(text, &end, 8);
	if (*end || value > UMASK_MAX)
		return -EINVAL;
	*ret_umask = (mode_t)value;
	return 0;
}

static int prepare_credentials(const struct spec *spec, struct confinement *confinement,
	const char **ret_parameter, char reason[static 512])
{
	const char *name = NULL;
	int r = credentials_find(spec, &confinement->credentials, ret_parameter, &name);

	if (r != -ESRCH)
		return r;
	(void)snprintf(reason, 512, "there is no %s '%.100s' on this machine",
		strcmp(*ret_parameter, "user") == 0 ? "user" : "group", name);
	return -EINVAL;
}

static int prepare_capabilities(
	const struct spec *spec, struct confinement *confinement, char reason[static 512])
{
	const char *unknown = NULL;
	int r = capability_parse_set(spec->capabilities, &confinement->keep, &unknown);

	if (r < 0)
		(void)snprintf(reason, 512,
			"there is no capability '%.100s'; capabilities(7) has those that are",
			unknown);
	return r;
}

int confinement_prepare(const struct spec *spec, struct confinement *ret_confinement,
	const char **ret_parameter, char ret_reason[static 512])
{
	int r;

	*ret_confinement = (struct confinement){
		.nice = (int)spec->nice,
		.has_network = !spec->network || strcmp(spec->network, "none") != 0,
		.no_new_privileges = spec->no_new_privileges,
	};
	*ret_parameter = "umask";
	if (parse_umask(spec->umask, &ret_confinement->umask) < 0) {
		(void)snprintf(ret_reason, 512, "umask: '%.100s' is no octal number up to 0777",
			spec->umask);
		return -EINVAL;
	}
	*ret_parameter = "limits";
	r = rlimits_parse(spec->limits, &ret_confinement->limits, ret_reason);
	if (r < 0)
		return r;
	*ret_parameter = "capabilities";
	r = prepare_capabilities(spec, ret_confinement, ret_reason);
	if (r < 0)
		return r;
	return prepare_credentials(spec, ret_confinement, ret_parameter, ret_reason);
}

void confinement_done(struct confinement *confinement)
{
	credentials_done(&confinement->credentials);
}

/* The steps. Those that take a privilege come before the privileges go, and what one is not allowed
 * to execute with comes last. */

static int set_limits(const struct confinement *confinement)
{
	return rlimits_set(&confinement->limits);
}

static int set_nice(const struct confinement *confinement)
{
	if (confinement->nice == 0)
		return 0;
	return setpriority(PRIO_PROCESS, 0, confinement->nice) < 0 ? -errno : 0;
}

/* Another network has no interface that is up, not even lo, and no name in it is anybody's. */
static int leave_network(const struct confinement *confinement)
{
	if (confinement->has_network)
		return 0;
	return unshare(CLONE_NEWNET) < 0 ? -errno : 0;
}

static int bound(const struct confinement *confinement)
{
	return capability_bound(confinement->keep);
}

static int become(const struct confinement *confinement)
{
	return credentials_become(&confinement->credentials);
}

static int keep(const struct confinement *confinement)
{
	return capability_keep(confinement->keep);
}

static int give_up_privileges(const struct confinement *confinement)
{
	if (!confinement->no_new_privileges)
		return 0;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

static const struct {
	int (*enter)(const struct confinement *confinement);
	const char *failure;
} steps[CONFINEMENT_STEPS] = {
	[CONFINEMENT_NICE] = {set_nice, "could not be given its priority"},
	[CONFINEMENT_LIMITS] = {set_limits, "could not be given its resource limits"},
	[CONFINEMENT_NETWORK] = {leave_network, "could not leave the network"},
	[CONFINEMENT_BOUND] = {bound, "could not give up capabilities"},
	[CONFINEMENT_USER] = {become, "could not become user"},
	[CONFINEMENT_KEEP] = {keep, "could not keep its capabilities"},
	[CONFINEMENT_PRIVILEGES] = {give_up_privileges, "could not give up new privileges"},
};

int confinement_enter(const struct confinement *confinement, enum confinement_step *ret_step)
{
	(void)umask(confinement->umask);
	for (int step = 0; step < CONFINEMENT_STEPS; step++) {
		int r = steps[step].enter(confinement);

		if (r < 0) {
			*ret_step = (enum confinement_step)step;
			return r;
		}
	}
	return 0;
}

void confinement_describe(
	enum confinement_step step, const struct spec *spec, char ret_text[static 256])
{
	bool is_user = step == CONFINEMENT_USER;

	(void)snprintf(ret_text, 256, "%s%s%.100s", steps[step].failure, is_user ? " " : "",
		is_user ? (spec->user ? spec->user : "itself in other groups") : "");
}
