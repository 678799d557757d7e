#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spawner.h"

#define THREADS_A_CPU 2
#define THREADS_MAX 16

/* A pipe each way, of pointers: writes of that size are whole, and so are reads. */
struct spawner {
	char **command, **environment;
	size_t n_environment;
	posix_spawnattr_t attributes;
	int jobs[2], results[2];
};

/* A child shares this process's memory until it runs its program, which is all that it needs. */
static pid_t start(const struct spawner *spawner, const struct spawner_job *job, char **environment)
{
	size_t n_more = sizeof(job->more) / sizeof(*job->more);
	posix_spawn_file_actions_t actions;
	int flags = fcntl(job->fd, F_GETFL), r = posix_spawn_file_actions_init(&actions);
	pid_t pid;

	if (r != 0)
		return -r;
	memcpy(environment + spawner->n_environment, job->more, n_more * sizeof(*environment));
	/* A program that reads its standard input expects to wait. */
	if (flags >= 0)
		(void)fcntl(job->fd, F_SETFL, flags & ~O_NONBLOCK);
	r = posix_spawn_file_actions_adddup2(&actions, job->fd, STDIN_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, job->fd, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn(&pid, spawner->command[0], &actions, &spawner->attributes,
			spawner->command, environment);
	(void)posix_spawn_file_actions_destroy(&actions);
	return r == 0 ? pid : -r;
}

static void pass(int fd, struct spawner_job *job)
{
	if (write(fd, &job, sizeof(job)) != sizeof(job))
		abort();
}

static void *work(void *context)
{
	struct spawner *spawner = context;
	size_t n = spawner->n_environment;
	char **environment = calloc(
		n + sizeof(((struct spawner_job *)0)->more) / sizeof(char *), sizeof(*environment));
	struct spawner_job *job;

	if (!environment)
		abort();
	memcpy(environment, spawner->environment, n * sizeof(*environment));
	while (read(spawner->jobs[0], &job, sizeof(job)) == sizeof(job)) {
		job->pid = start(spawner, job, environment);
		(void)close(job->fd);
		job->fd = -1;
		pass(spawner->results[1], job);
	}
	abort();
}

static int start_threads(struct spawner *spawner)
{
	long n = THREADS_A_CPU * sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t thread;

	for (long i = 0; i < n && i < THREADS_MAX; i++) {
		int r = pthread_create(&thread, NULL, work, spawner);

		if (r != 0)
			return -r;
		(void)pthread_detach(thread);
	}
	return 0;
}

static int prepare_attributes(posix_spawnattr_t *attributes)
{
	sigset_t all, none;
	int r = posix_spawnattr_init(attributes);

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	if (r == 0)
		r = posix_spawnattr_setsigmask(attributes, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(attributes, &all);
	if (r == 0)
		r = posix_spawnattr_setflags(
			attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	return -r;
}

/* It is there as long as the process: on failure that ends. */
int spawner_new(char **command, char **environment, struct spawner **ret_spawner)
{
	struct spawner *spawner = calloc(1, sizeof(*spawner));
	int r = spawner ? prepare_attributes(&spawner->attributes) : -ENOMEM;

	if (r < 0)
		return r;
	spawner->command = command;
	spawner->environment = environment;
	while (environment[spawner->n_environment])
		spawner->n_environment++;
	if (pipe2(spawner->jobs, O_CLOEXEC) < 0 || pipe2(spawner->results, O_CLOEXEC) < 0 ||
		fcntl(spawner->results[0], F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	r = start_threads(spawner);
	if (r == 0)
		*ret_spawner = spawner;
	return r;
}

void spawner_push(struct spawner *spawner, struct spawner_job *job)
{
	pass(spawner->jobs[1], job);
}

int spawner_get_fd(const struct spawner *spawner)
{
	return spawner->results[0];
}

struct spawner_job *spawner_pop(struct spawner *spawner)
{
	struct spawner_job *job;

	return read(spawner->results[0], &job, sizeof(job)) == sizeof(job) ? job : NULL;
}
