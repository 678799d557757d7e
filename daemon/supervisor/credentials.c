#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/supervisor/credentials.h"
#include "proto/descriptor.h"
#include "proto/spec.h"

/* Users of this machine that have no name: numbers that neither useradd(8) nor systemd, whose
 * dynamic users end at 65519, ever give away, and below 65534 (nobody), which others use. */
#define FREE_FIRST 65520
#define FREE_LAST 65533

/* A number is one as it is: images of containers often have no entry for who they run as. */
static bool parse_id(const char *text, unsigned int *ret_id)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long id;

	if (digits == 0 || digits > 10 || text[digits])
		return false;
	id = strtoul(text, NULL, 10);
	/* The highest means "none" to the kernel. */
	if (id >= UINT_MAX)
		return false;
	*ret_id = (unsigned int)id;
	return true;
}

static int note_user(const struct passwd *entry, struct credentials *credentials)
{
	credentials->uid = entry->pw_uid;
	credentials->gid = entry->pw_gid;
	credentials->user = strdup(entry->pw_name);
	credentials->home = strdup(entry->pw_dir);
	credentials->shell = strdup(entry->pw_shell);
	return credentials->user && credentials->home && credentials->shell ? 0 : -ENOMEM;
}

static int find_user(const char *name, struct credentials *credentials)
{
	unsigned int id = 0;
	bool is_number = parse_id(name, &id);
	const struct passwd *entry = is_number ? getpwuid(id) : getpwnam(name);

	if (entry)
		return note_user(entry, credentials);
	if (!is_number)
		return -ESRCH;
	credentials->uid = id;
	credentials->gid = id;
	credentials->home = strdup("/");
	return credentials->home ? 0 : -ENOMEM;
}

static int find_group(const char *name, gid_t *ret_gid)
{
	unsigned int id = 0;
	bool is_number = parse_id(name, &id);
	const struct group *entry = is_number ? NULL : getgrnam(name);

	if (!entry && !is_number)
		return -ESRCH;
	*ret_gid = entry ? entry->gr_gid : id;
	return 0;
}

/* The groups that the user database has for the user, gid included. */
static int list_groups(struct credentials *credentials, size_t room)
{
	int n = 64, most;

	if (!credentials->user) {
		credentials->groups = calloc(1 + room, sizeof(gid_t));
		if (!credentials->groups)
			return -ENOMEM;
		credentials->groups[credentials->n_groups++] = credentials->gid;
		return 0;
	}
	do {
		gid_t *groups =
			reallocarray(credentials->groups, (size_t)n + room, sizeof(*groups));

		if (!groups)
			return -ENOMEM;
		credentials->groups = groups;
		most = n;
	} while (getgrouplist(credentials->user, credentials->gid, credentials->groups, &n) < 0 &&
		 n > most);
	credentials->n_groups = (size_t)n;
	return 0;
}

static int add_groups(const struct spec *spec, struct credentials *credentials,
	const char **ret_member, const char **ret_name)
{
	size_t n = json_strings_count(spec->supplementary_groups);
	int r = list_groups(credentials, n);

	for (size_t i = 0; r == 0 && i < n; i++) {
		*ret_member = "supplementaryGroups";
		*ret_name = spec->supplementary_groups[i];
		r = find_group(*ret_name, &credentials->groups[credentials->n_groups]);
		credentials->n_groups += r == 0;
	}
	return r;
}

static int find_own(struct credentials *credentials)
{
	credentials->uid = geteuid();
	credentials->gid = getegid();
	return 0;
}

int credentials_find(const struct spec *spec, struct credentials *ret_credentials,
	const char **ret_member, const char **ret_name)
{
	int r;

	*ret_credentials = (struct credentials){0};
	*ret_member = "user";
	*ret_name = spec->user;
	r = spec->user ? find_user(spec->user, ret_credentials) : find_own(ret_credentials);
	if (r == 0 && spec->group) {
		*ret_member = "group";
		*ret_name = spec->group;
		r = find_group(spec->group, &ret_credentials->gid);
	}
	ret_credentials->is_other = ret_credentials->uid != geteuid() ||
				    ret_credentials->gid != getegid() ||
				    json_strings_count(spec->supplementary_groups) > 0;
	if (r < 0 || !ret_credentials->is_other)
		return r;
	return add_groups(spec, ret_credentials, ret_member, ret_name);
}

void credentials_done(struct credentials *credentials)
{
	free(credentials->groups);
	free(credentials->user);
	free(credentials->home);
	free(credentials->shell);
	*credentials = (struct credentials){0};
}

char *credentials_name_user(uid_t uid)
{
	const struct passwd *entry = getpwuid(uid);
	char *name = NULL;

	if (entry)
		return strdup(entry->pw_name);
	return asprintf(&name, "%u", uid) < 0 ? NULL : name;
}

int credentials_find_free(unsigned int n, uid_t *ret_uid)
{
	for (uid_t uid = FREE_FIRST; uid <= FREE_LAST; uid++)
		if (!getpwuid(uid) && !getgrgid(uid) && n-- == 0) {
			*ret_uid = uid;
			return 0;
		}
	return -ENOENT;
}

bool credentials_is_mapped(uid_t uid)
{
	FILE *map = fopen("/proc/self/uid_map", "re");
	unsigned long first, outside, n;
	bool found = false;

	while (map && !found && fscanf(map, "%lu %lu %lu", &first, &outside, &n) == 3)
		found = uid >= first && uid - first < n;
	if (map)
		(void)fclose(map);
	return found;
}

static bool has_group(const struct credentials *credentials, gid_t gid)
{
	if (credentials->gid == gid)
		return true;
	for (size_t i = 0; i < credentials->n_groups; i++)
		if (credentials->groups[i] == gid)
			return true;
	return false;
}

static bool may_enter(const struct credentials *credentials, const char *directory)
{
	struct stat st;
	mode_t bit = S_IXOTH;

	if (stat(directory, &st) < 0)
		return false;
	if (st.st_uid == credentials->uid)
		bit = S_IXUSR;
	else if (has_group(credentials, st.st_gid))
		bit = S_IXGRP;
	return st.st_mode & bit;
}

bool credentials_may_reach(const struct credentials *credentials, const char *path)
{
	char directory[PATH_MAX], *slash;

	if (strlen(path) >= sizeof(directory))
		return false;
	(void)strcpy(directory, path);
	while ((slash = strrchr(directory, '/')) && slash != directory) {
		*slash = 0;
		if (!may_enter(credentials, directory))
			return false;
	}
	return slash != NULL;
}

int credentials_become(const struct credentials *credentials)
{
	if (!credentials->is_other)
		return 0;
	/* Capabilities survive the change of the user, until they are set. */
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return -errno;
	if (setgroups(credentials->n_groups, credentials->groups) < 0 ||
		setresgid(credentials->gid, credentials->gid, credentials->gid) < 0 ||
		setresuid(credentials->uid, credentials->uid, credentials->uid) < 0)
		return -errno;
	return 0;
}
