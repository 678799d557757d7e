#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/supervisor/files.h"
#include "daemon/supervisor/log.h"
#include "proto/runtime.h"

/* Actors of other users pass through the first: their sockets have modes of their own. */
static const struct {
	const char *name;
	mode_t mode;
	bool is_for_logs;
} directories[] = {{"notify", 0711, false}, {FILES_ENDPOINTS, 0700, false}, {"log", 0700, true}};

#define N_DIRECTORIES (sizeof(directories) / sizeof(*directories))

static void empty(const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *entry;

	if (!directory)
		return;
	while ((entry = readdir(directory)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			(void)unlinkat(dirfd(directory), entry->d_name, 0);
	(void)closedir(directory);
}

int files_prepare(const char *runtime, bool is_cold_start)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < N_DIRECTORIES; i++) {
		int r = runtime_path(runtime, directories[i].name, path);

		if (r < 0)
			return r;
		if (mkdir(path, directories[i].mode) < 0 && errno != EEXIST)
			return -errno;
		/* The umask took some off, or a former inkod gave it another. */
		if (chmod(path, directories[i].mode) < 0)
			return -errno;
		if (is_cold_start && !directories[i].is_for_logs)
			empty(path);
	}
	return 0;
}

void files_give(const char *runtime, const char *name, uid_t uid, gid_t gid)
{
	char path[PATH_MAX];

	if (runtime_path(runtime, name, path) < 0 || lchown(path, uid, gid) < 0)
		log_error("cannot give %s/%s to user %u: %s", runtime, name, uid, strerror(errno));
}

void files_remove(const char *runtime, bool with_control)
{
	char path[PATH_MAX];

	if (with_control && runtime_path(runtime, RUNTIME_CONTROL, path) == 0)
		(void)unlink(path);
	if (runtime_path(runtime, RUNTIME_KEEPER, path) == 0)
		(void)unlink(path);
	for (size_t i = 0; i < N_DIRECTORIES; i++)
		if (runtime_path(runtime, directories[i].name, path) == 0) {
			empty(path);
			(void)rmdir(path);
		}
}
