#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "children.h"

int children_init(struct children *children, size_t max)
{
	*children = (struct children){.all = calloc(max, sizeof(*children->all)), .max = max};
	return children->all ? 0 : -ENOMEM;
}

void children_done(struct children *children)
{
	free(children->all);
	*children = (struct children){0};
}

void children_add(struct children *children, const struct child *child)
{
	if (children->n == children->max)
		abort();
	children->all[children->n++] = *child;
}

void children_kill(const struct children *children, int number)
{
	for (size_t i = 0; i < children->n; i++)
		(void)kill(children->all[i].pid, number);
}

bool child_is_of(const struct child *child, const struct inko_ip *source)
{
	return child->has_source && inko_ip_equal(&child->source.ip, source);
}

size_t children_count_of(const struct children *children, const struct inko_ip *source)
{
	size_t n = 0;

	for (size_t i = 0; i < children->n; i++)
		n += child_is_of(&children->all[i], source);
	return n;
}

static struct child *find(struct children *children, pid_t pid)
{
	for (size_t i = 0; i < children->n; i++)
		if (children->all[i].pid == pid)
			return &children->all[i];
	return NULL;
}

/* Who cannot be executed is waited for by spawner.c, and who was not added yet may be that
 * one: taken from it here, its pid could be that of the next. */
pid_t children_reap(struct children *children, int *ret_status)
{
	siginfo_t ended = {0};
	struct child *child;
	pid_t pid;

	if (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) < 0 || ended.si_pid == 0)
		return 0;
	child = find(children, ended.si_pid);
	if (!child)
		return 0;
	pid = waitpid(ended.si_pid, ret_status, 0);
	*child = children->all[--children->n];
	return pid;
}
