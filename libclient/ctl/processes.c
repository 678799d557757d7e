/*
 * Who does not answer cannot be asked, so that /proc is: both processes of an inkod have the lock
 * of its directory open (inkod(8)), and nobody else has.
 */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "processes.h"

#define KEEPER "inkod"
#define SUPERVISOR "inko-supervisor"

/* A line of proc_pid_stat(5), as far as it is wanted. */
struct entry {
	pid_t pid, parent;
	char name[16];
	char state;
};

static bool read_entry(const char *pid, struct entry *ret_entry)
{
	struct entry entry;
	char path[64];
	FILE *file;
	int n;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	n = fscanf(file, "%d (%15[^)]) %c %d", &entry.pid, entry.name, &entry.state, &entry.parent);
	fclose(file);
	if (n == 4)
		*ret_entry = entry;
	return n == 4;
}

static bool is_open_as(const char *path, const struct stat *file)
{
	struct stat status;

	return stat(path, &status) == 0 && status.st_dev == file->st_dev &&
	       status.st_ino == file->st_ino;
}

static bool has_open(pid_t pid, const struct stat *file)
{
	const struct dirent *number;
	char path[64 + sizeof(number->d_name)];
	bool found = false;
	DIR *numbers;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	numbers = opendir(path);
	if (!numbers)
		return false;
	while (!found && (number = readdir(numbers))) {
		(void)snprintf(path, sizeof(path), "/proc/%d/fd/%s", pid, number->d_name);
		found = is_open_as(path, file);
	}
	closedir(numbers);
	return found;
}

/* A child that has not executed its program yet looks like its parent. */
static bool is_a_copy(const struct entry *entry)
{
	struct entry parent;
	char pid[16];

	(void)snprintf(pid, sizeof(pid), "%d", entry->parent);
	return read_entry(pid, &parent) && strcmp(parent.name, entry->name) == 0;
}

static void note(const struct entry *entry, const struct stat *lock, struct process *process)
{
	if (process->pid == 0 && !is_a_copy(entry) && has_open(entry->pid, lock))
		*process = (struct process){.pid = entry->pid, .is_stopped = entry->state == 'T'};
}

static void scan(const struct stat *lock, struct process *keeper, struct process *supervisor)
{
	const struct dirent *pid;
	DIR *pids = opendir("/proc");
	struct entry entry;

	while (pids && (pid = readdir(pids))) {
		if (!read_entry(pid->d_name, &entry))
			continue;
		if (strcmp(entry.name, KEEPER) == 0)
			note(&entry, lock, keeper);
		else if (strcmp(entry.name, SUPERVISOR) == 0)
			note(&entry, lock, supervisor);
	}
	if (pids)
		closedir(pids);
}

void processes_find(
	const char *directory, struct process *ret_keeper, struct process *ret_supervisor)
{
	struct stat lock;
	char *path;

	*ret_keeper = *ret_supervisor = (struct process){};
	if (asprintf(&path, "%s/lock", directory) < 0)
		return;
	if (stat(path, &lock) == 0)
		scan(&lock, ret_keeper, ret_supervisor);
	free(path);
}
