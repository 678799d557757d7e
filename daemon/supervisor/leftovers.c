#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "daemon/supervisor/leftovers.h"
#include "proto/descriptor.h"

/* A spec's environment is held as JSON, which is less than that. */
#define ENVIRONMENT_BYTES (256u << 10)
/* Of a tree of processes: who is further down than this comes up when those above are gone. */
#define DEPTH_MAX 32

/* What stands in the environment of all that the process started. */
struct mark {
	char pid[32], instance[128], runtime[PATH_MAX + 32];
	char *buffer;
};

static bool has(const char *environment, size_t size, const char *text)
{
	size_t length = strlen(text) + 1;

	/* With the zero byte behind it, and one in front. */
	for (const char *at = environment; at < environment + size; at += strlen(at) + 1)
		if ((size_t)(environment + size - at) >= length && memcmp(at, text, length) == 0)
			return true;
	return false;
}

static bool is_marked(pid_t pid, const struct mark *mark)
{
	_cleanup_close_ int fd = -1;
	char path[64];
	size_t size = 0;
	ssize_t n = 1;

	(void)snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && n > 0 && size < ENVIRONMENT_BYTES) {
		n = read(fd, mark->buffer + size, ENVIRONMENT_BYTES - size);
		size += n > 0 ? (size_t)n : 0;
	}
	mark->buffer[size] = 0;
	return has(mark->buffer, size, mark->pid) && has(mark->buffer, size, mark->instance) &&
	       has(mark->buffer, size, mark->runtime);
}

/* Of all trees the tops, found before one is killed: whose parent was killed comes up beside them,
 * and would be counted again. */
struct orphans {
	pid_t *pids;
	size_t n;
};

static FILE *open_children(pid_t parent)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent, (int)parent);
	return fopen(path, "re");
}

/* A child of one that is to be killed is one too, whatever its environment. While a pidfd is held
 * the number cannot become another process's unseen. */
static unsigned int kill_tree(pid_t pid, const struct mark *mark, unsigned int depth)
{
	_cleanup_close_ int fd = pidfd_open(pid, 0);
	unsigned int n = 0;
	FILE *children;
	int child;

	if (fd < 0 || (mark && !is_marked(pid, mark)))
		return 0;
	/* It may fork no more while its children are looked for. */
	(void)pidfd_send_signal(fd, SIGSTOP, NULL, 0);
	children = depth < DEPTH_MAX ? open_children(pid) : NULL;
	while (children && fscanf(children, "%d", &child) == 1)
		n += kill_tree(child, NULL, depth + 1);
	if (children)
		(void)fclose(children);
	return n + (pidfd_send_signal(fd, SIGKILL, NULL, 0) == 0);
}

static int compare(const void *a, const void *b)
{
	pid_t first = *(const pid_t *)a, second = *(const pid_t *)b;

	return (first > second) - (first < second);
}

static int orphans_add(struct orphans *orphans, pid_t pid)
{
	pid_t *pids = reallocarray(orphans->pids, orphans->n + 1, sizeof(*pids));

	if (!pids)
		return -ENOMEM;
	orphans->pids = pids;
	orphans->pids[orphans->n++] = pid;
	return 0;
}

/* Adds the children of parent that are none of known. */
static void find_orphans(pid_t parent, const struct leftovers_known *known, struct orphans *orphans)
{
	FILE *children = open_children(parent);
	pid_t child;
	int r = 0;

	while (children && r == 0 && fscanf(children, "%d", &child) == 1)
		if (!bsearch(&child, known->pids, known->n, sizeof(child), compare))
			r = orphans_add(orphans, child);
	if (children)
		(void)fclose(children);
}

unsigned int leftovers_kill(const char *runtime, const char *instance, pid_t pid, pid_t keeper,
	struct leftovers_known *known)
{
	_cleanup_free_ char *buffer = malloc(ENVIRONMENT_BYTES + 1);
	struct mark mark = {.buffer = buffer};
	pid_t parent = getppid();
	struct orphans orphans = {0};
	unsigned int n = 0;

	if (!buffer)
		return 0;
	qsort(known->pids, known->n, sizeof(*known->pids), compare);
	(void)snprintf(mark.pid, sizeof(mark.pid), "LISTEN_PID=%d", (int)pid);
	(void)snprintf(mark.instance, sizeof(mark.instance), "INKO_INSTANCE=%s", instance);
	(void)snprintf(mark.runtime, sizeof(mark.runtime), "INKO_RUNTIME_DIR=%s", runtime);
	find_orphans(parent, known, &orphans);
	/* One that took over did not start this process, which keeps the parent that it had. */
	if (keeper > 0 && keeper != parent)
		find_orphans(keeper, known, &orphans);
	for (size_t i = 0; i < orphans.n; i++)
		n += kill_tree(orphans.pids[i], &mark, 0);
	free(orphans.pids);
	return n;
}
