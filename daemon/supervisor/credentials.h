#pragma once

/*
 * Who an actor runs as: names are looked up here, before anything is forked, since the user
 * database may be a program of its own. A child then becomes what was found.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct spec;

struct credentials {
	bool is_other; /* than this process; else the ids and groups are its own, and not set */
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* all, those of the user included */
	size_t n_groups;
	char *user, *shell; /* of the user database; NULL where it is not in there */
	char *home;	    /* the same, or / of a number that is not in there */
};

/* What spec says of user and groups. -ESRCH when there is no such user or group: then *ret_member
 * is the member that names it, and *ret_name the name. -ENOMEM. credentials_done is to be called
 * either way. */
int credentials_find(const struct spec *spec, struct credentials *ret_credentials,
	const char **ret_member, const char **ret_name);
/* Frees what credentials owns. */
void credentials_done(struct credentials *credentials);
/* The name of the user, or its number; the caller's. NULL without memory. */
char *credentials_name_user(uid_t uid);
/* The number that nobody has and that is free for whose user is missing, counted from n. -ENOENT.
 */
int credentials_find_free(unsigned int n, uid_t *ret_uid);
/* Is there such a user in the user namespace of this process (user_namespaces(7))? */
bool credentials_is_mapped(uid_t uid);

/* May they enter path's directory, so that a file there is in reach? By the modes of all that lead
 * to it, which is what a user without privileges has. False if path is none. */
bool credentials_may_reach(const struct credentials *credentials, const char *path);

/* In the child: becomes them. What it was allowed stays permitted, for capability_keep. -errno. */
int credentials_become(const struct credentials *credentials);
