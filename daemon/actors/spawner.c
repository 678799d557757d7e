#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "spawner.h"

#define THREADS_A_CPU 2
#define THREADS_MAX 16

/* A pipe each way, of pointers: writes of that size are whole, and so are reads. */
struct spawner {
	char **command, **environment;
	size_t n_environment;
	int jobs[2], results[2];
};

/* In the child, which shares the parent's memory: all that it needs is there. Returns errno. */
static int run_program(const struct spawner *spawner, int fd, char **environment)
{
	sigset_t none;

	(void)sigemptyset(&none);
	if (dup2(fd, STDIN_FILENO) >= 0 && dup2(fd, STDOUT_FILENO) >= 0 &&
		sigprocmask(SIG_SETMASK, &none, NULL) == 0)
		(void)execve(spawner->command[0], spawner->command, environment);
	return errno;
}

/* By vfork(2), which goes on here when the child runs its program: posix_spawn(3) maps a stack for
 * each, and what it unmaps then every CPU has to be told of. Where an instrument makes a fork of it
 * (valgrind, the thread sanitizer) a program that cannot be executed is one that failed. */
static pid_t start(const struct spawner *spawner, const struct spawner_job *job, char **environment)
{
	size_t n_more = sizeof(job->more) / sizeof(*job->more);
	int flags = fcntl(job->fd, F_GETFL);
	volatile int error = 0;
	pid_t pid;

	memcpy(environment + spawner->n_environment, job->more, n_more * sizeof(*environment));
	/* A program that reads its standard input expects to wait. */
	if (flags >= 0 && (flags & O_NONBLOCK))
		(void)fcntl(job->fd, F_SETFL, flags & ~O_NONBLOCK);
	pid = vfork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		error = run_program(spawner, job->fd, environment);
		_exit(EXIT_FAILURE);
	}
	if (error == 0)
		return pid;
	(void)waitpid(pid, NULL, 0);
	return -error;
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

/* It is there as long as the process: on failure that ends. */
int spawner_new(char **command, char **environment, struct spawner **ret_spawner)
{
	struct spawner *spawner = calloc(1, sizeof(*spawner));
	int r;

	if (!spawner)
		return -ENOMEM;
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
