#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/rlimits.h"

/* But for RLIMIT_LOCKS, which Linux does not heed: it is leftovers.c's. */
static const char *const names[RLIM_NLIMITS] = {
	[RLIMIT_AS] = "as",
	[RLIMIT_CORE] = "core",
	[RLIMIT_CPU] = "cpu",
	[RLIMIT_DATA] = "data",
	[RLIMIT_FSIZE] = "fsize",
	[RLIMIT_MEMLOCK] = "memlock",
	[RLIMIT_MSGQUEUE] = "msgqueue",
	[RLIMIT_NICE] = "nice",
	[RLIMIT_NOFILE] = "nofile",
	[RLIMIT_NPROC] = "nproc",
	[RLIMIT_RSS] = "rss",
	[RLIMIT_RTPRIO] = "rtprio",
	[RLIMIT_RTTIME] = "rttime",
	[RLIMIT_SIGPENDING] = "sigpending",
	[RLIMIT_STACK] = "stack",
};

static int find(const char *text, size_t length)
{
	for (int i = 0; i < RLIM_NLIMITS; i++)
		if (names[i] && strlen(names[i]) == length && strncmp(names[i], text, length) == 0)
			return i;
	return -EINVAL;
}

/* One number and where it ends. */
static int parse_number(const char **text, rlim_t *ret_number)
{
	static const char infinity[] = "infinity";
	char *end;

	if (strncmp(*text, infinity, strlen(infinity)) == 0) {
		*text += strlen(infinity);
		*ret_number = RLIM_INFINITY;
		return 0;
	}
	if (**text < '0' || **text > '9')
		return -EINVAL;
	errno = 0;
	*ret_number = strtoull(*text, &end, 10);
	*text = end;
	return errno || *ret_number == RLIM_INFINITY ? -EINVAL : 0;
}

static int parse_value(const char *text, struct rlimit *ret_value)
{
	int r = parse_number(&text, &ret_value->rlim_cur);

	ret_value->rlim_max = ret_value->rlim_cur;
	if (r == 0 && *text == ':') {
		text++;
		r = parse_number(&text, &ret_value->rlim_max);
	}
	return r == 0 && *text ? -EINVAL : r;
}

static void complain_name(const char *text, char reason[static 512])
{
	int n = snprintf(reason, 512, "'%.100s' names no limit; there are", text);

	for (int i = 0; i < RLIM_NLIMITS; i++)
		if (names[i])
			n += snprintf(reason + n, 512 - (size_t)n, "%s %s", i ? "," : "", names[i]);
}

int rlimits_parse(char *const *texts, struct rlimits *ret_limits, char ret_reason[static 512])
{
	*ret_limits = (struct rlimits){0};
	for (; texts && *texts; texts++) {
		const char *equals = strchr(*texts, '=');
		int i = equals ? find(*texts, (size_t)(equals - *texts)) : -EINVAL;
		struct rlimit *value = &ret_limits->values[i < 0 ? 0 : i];

		if (i < 0) {
			complain_name(*texts, ret_reason);
			return i;
		}
		if (parse_value(equals + 1, value) < 0) {
			(void)snprintf(ret_reason, 512,
				"'%.100s' is not NAME=SOFT[:HARD], whole numbers or infinity",
				*texts);
			return -EINVAL;
		}
		if (value->rlim_cur > value->rlim_max) {
			(void)snprintf(ret_reason, 512,
				"'%.100s' has a soft limit above the hard one", *texts);
			return -EINVAL;
		}
		ret_limits->is_set[i] = true;
	}
	return 0;
}

const char *rlimits_find_raised(const struct rlimits *limits)
{
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit own;

		if (limits->is_set[i] && getrlimit((__rlimit_resource_t)i, &own) == 0 &&
			limits->values[i].rlim_max > own.rlim_max)
			return names[i];
	}
	return NULL;
}

int rlimits_set(const struct rlimits *limits)
{
	for (int i = 0; i < RLIM_NLIMITS; i++)
		if (limits->is_set[i] && setrlimit((__rlimit_resource_t)i, &limits->values[i]) < 0)
			return -errno;
	return 0;
}
