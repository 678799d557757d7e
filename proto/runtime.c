/*
 * Where the runtime directory is.
 */

#include "proto/runtime.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SUN_PATH_CHARS (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] != '\0' ? value : NULL;
}

static void strip_trailing_slashes(char *path)
{
	size_t length = strlen(path);

	while (length > 1 && path[length - 1] == '/')
		path[--length] = '\0';
}

/* Absolute, since it is handed on to processes that work elsewhere. */
static int make_absolute(const char *path, char ret_path[static PATH_MAX])
{
	char here[PATH_MAX];

	if (path[0] == '/')
		return runtime_path("", path + 1, ret_path);
	if (!getcwd(here, sizeof(here)))
		return errno == ERANGE ? -ENAMETOOLONG : -errno;
	strip_trailing_slashes(here);
	return runtime_path(strcmp(here, "/") == 0 ? "" : here, path, ret_path);
}

static int choose(const char *option, char ret_path[static PATH_MAX])
{
	const char *session;

	if (!option)
		option = environment("INKO_RUNTIME_DIR");
	if (!option && geteuid() == 0)
		option = "/run/inko";
	if (option && option[0] != '\0')
		return make_absolute(option, ret_path);
	session = environment("XDG_RUNTIME_DIR");
	if (option || !session)
		return -ENXIO;
	return runtime_path(session, "inko", ret_path);
}

int runtime_directory(const char *option, char ret_path[static PATH_MAX])
{
	int r = choose(option, ret_path);

	if (r < 0)
		return r;
	strip_trailing_slashes(ret_path);
	if (strlen(ret_path) + strlen("/" RUNTIME_CONTROL) > SUN_PATH_CHARS)
		return -ENAMETOOLONG;
	return 0;
}

int runtime_path(const char *directory, const char *name, char ret_path[static PATH_MAX])
{
	int length = snprintf(ret_path, PATH_MAX, "%s/%s", directory, name);

	return length < 0 || length >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int runtime_address(const char *directory, const char *name, struct sockaddr_un *ret_address)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char path[PATH_MAX];
	int r = runtime_path(directory, name, path);

	if (r < 0)
		return r;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	(void)strcpy(address.sun_path, path);
	*ret_address = address;
	return 0;
}
