#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "daemon/supervisor/leftovers.h"
#include "proto/descriptor.h"
#include "proto/json-fields.h"

/* Nothing has a limit like that by chance. */
#define MARK_MIN (INT64_C(1) << 40)
#define MARK_MAX JSON_INTEGER_MAX

/* Who forks while its children are looked for has the next pass find them, once it has ended. That
 * takes no longer than this, unless the kernel holds on to it. */
#define PASSES_MAX 16
#define ENDING_MSEC 5

int64_t leftovers_new_mark(void)
{
	struct rlimit own;
	uint64_t random;

	if (getrlimit(RLIMIT_LOCKS, &own) < 0 || own.rlim_max < (rlim_t)MARK_MAX ||
		getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		return 0;
	return MARK_MIN + (int64_t)(random % (uint64_t)(MARK_MAX - MARK_MIN));
}

void leftovers_set_mark(int64_t mark)
{
	struct rlimit limit;

	if (mark == 0 || getrlimit(RLIMIT_LOCKS, &limit) < 0)
		return;
	limit.rlim_cur = (rlim_t)mark;
	(void)setrlimit(RLIMIT_LOCKS, &limit);
}

static bool is_marked(pid_t pid, int64_t mark)
{
	char path[64], line[256];
	uint64_t soft = 0;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/limits", (int)pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Max file locks %" SCNu64, &soft) == 1)
			break;
	if (file)
		(void)fclose(file);
	return soft == (uint64_t)mark;
}

/* Who is looked for. A pidfd is held of each until it has ended: its number is nobody else's. */
struct search {
	int64_t mark;
	pid_t group;
	const struct leftovers_known *known;
	pid_t collectors[3]; /* or 0 */
	struct pollfd *ends;
	pid_t *pids;
	size_t n, n_room;
	bool has_missed; /* somebody had ended when it was looked at */
	unsigned int n_left;
};

static void search_done(struct search *search)
{
	for (size_t i = 0; i < search->n; i++)
		descriptor_close(&search->ends[i].fd);
	free(search->ends);
	free(search->pids);
}

static bool make_room(struct search *search)
{
	size_t n_room = search->n_room ? 2 * search->n_room : 16;
	struct pollfd *ends;
	pid_t *pids;

	if (search->n < search->n_room)
		return true;
	ends = reallocarray(search->ends, n_room, sizeof(*ends));
	if (ends)
		search->ends = ends;
	pids = reallocarray(search->pids, n_room, sizeof(*pids));
	if (pids)
		search->pids = pids;
	if (ends && pids)
		search->n_room = n_room;
	return ends && pids;
}

static bool is_found(const struct search *search, pid_t pid)
{
	for (size_t i = 0; i < search->n; i++)
		if (search->pids[i] == pid)
			return true;
	return false;
}

static bool has_ended(int pidfd)
{
	return poll(&(struct pollfd){.fd = pidfd, .events = POLLIN}, 1, 0) != 0;
}

/* What is only waited for is not left behind. Looked at behind the mark, so that this is not that
 * of another process which got the number since. */
static void add(struct search *search, pid_t pid, bool if_marked)
{
	_cleanup_close_ int pidfd = -1;
	bool is_marked_here;

	if (is_found(search, pid) || !make_room(search))
		return;
	pidfd = pidfd_open(pid, 0);
	is_marked_here = !if_marked || is_marked(pid, search->mark);
	/* What it started before that comes up beside it, maybe not in this pass. */
	search->has_missed |= pidfd < 0 || has_ended(pidfd);
	if (pidfd < 0 || !is_marked_here || has_ended(pidfd))
		return;
	search->pids[search->n] = pid;
	search->ends[search->n++] =
		(struct pollfd){.fd = descriptor_take(&pidfd), .events = POLLIN};
}

static int compare(const void *a, const void *b)
{
	pid_t first = *(const pid_t *)a, second = *(const pid_t *)b;

	return (first > second) - (first < second);
}

/* An orphan is one if it is marked; a child of one that was found always is. */
static void add_children_of_thread(struct search *search, const char *path, bool are_orphans)
{
	const struct leftovers_known *known = search->known;
	FILE *children = fopen(path, "re");
	pid_t child;

	while (children && fscanf(children, "%d", &child) == 1)
		if (!are_orphans || !bsearch(&child, known->pids, known->n, sizeof(child), compare))
			add(search, child, are_orphans);
	if (children)
		(void)fclose(children);
}

/* Each thread has children of its own. */
static void add_children(struct search *search, pid_t parent, bool are_orphans)
{
	char path[64 + sizeof(((struct dirent *)0)->d_name)];
	const struct dirent *thread;
	DIR *threads;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)parent);
	threads = opendir(path);
	while (threads && (thread = readdir(threads))) {
		if (!isdigit((unsigned char)thread->d_name[0]))
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%d/task/%s/children", (int)parent,
			thread->d_name);
		add_children_of_thread(search, path, are_orphans);
	}
	if (threads)
		(void)closedir(threads);
}

/* Lets go of who has ended; how many that were. */
static size_t forget_ended(struct search *search)
{
	size_t n = search->n;

	search->n = 0;
	for (size_t i = 0; i < n; i++) {
		if (has_ended(search->ends[i].fd)) {
			descriptor_close(&search->ends[i].fd);
			continue;
		}
		search->ends[search->n] = search->ends[i];
		search->pids[search->n++] = search->pids[i];
	}
	return n - search->n;
}

static uint64_t now_msec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void await_ends(struct search *search)
{
	uint64_t until_msec = now_msec() + ENDING_MSEC, now = now_msec();

	for (size_t i = 0; i < search->n && now < until_msec; i++, now = now_msec())
		(void)poll(&search->ends[i], 1, (int)(until_msec - now));
}

/* Finds all before one is killed: whose parent has ended comes up elsewhere. Is there nothing that
 * another pass could find? */
static bool make_pass(struct search *search)
{
	size_t first = search->n, n_found;

	search->has_missed = false;
	for (size_t i = 0; i < sizeof(search->collectors) / sizeof(*search->collectors); i++)
		if (search->collectors[i] > 0)
			add_children(search, search->collectors[i], true);
	for (size_t i = 0; i < search->n; i++) {
		/* It may fork no more meanwhile. */
		(void)pidfd_send_signal(search->ends[i].fd, SIGSTOP, NULL, 0);
		add_children(search, search->pids[i], false);
	}
	for (size_t i = first; i < search->n; i++) {
		bool is_left = getpgid(search->pids[i]) != search->group;

		if (pidfd_send_signal(search->ends[i].fd, SIGKILL, NULL, 0) == 0)
			search->n_left += is_left;
	}
	await_ends(search);
	n_found = search->n - first;
	return forget_ended(search) == 0 && n_found == 0 && !search->has_missed;
}

/* A keeper that took over did not start these processes, nor did a supervisor that it started:
 * they keep the parent that they came to. */
unsigned int leftovers_kill(int64_t mark, pid_t group,
	const struct leftovers_collectors *collectors, struct leftovers_known *known)
{
	pid_t parent = getppid(), keeper = collectors->keeper, own = collectors->own;
	struct search search = {.mark = mark,
		.group = group,
		.known = known,
		.collectors = {parent, keeper != parent ? keeper : 0,
			own != parent && own != keeper ? own : 0}};
	bool is_done = mark == 0;

	qsort(known->pids, known->n, sizeof(*known->pids), compare);
	for (int i = 0; i < PASSES_MAX && !is_done; i++)
		is_done = make_pass(&search);
	search_done(&search);
	return search.n_left;
}
