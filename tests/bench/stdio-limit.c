/*
 * What the kernel can do at most of a process a connection: threads that accept from the listener
 * FD and start PROGRAM with what they got, and nothing else. Nobody hands anything over, counts, or
 * knows who has ended.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define THREADS_A_CPU 2

static char **arguments;

extern char **environ;

static void start(int fd)
{
	volatile int error = 0;
	pid_t pid = vfork();

	if (pid == 0) {
		if (dup2(fd, STDIN_FILENO) >= 0 && dup2(fd, STDOUT_FILENO) >= 0)
			(void)execve(arguments[2], arguments + 2, environ);
		error = errno;
		_exit(EXIT_FAILURE);
	}
	if (pid < 0)
		error = errno;
	if (error != 0) {
		fprintf(stderr, "stdio-limit: %s: %s\n", arguments[2], strerror(error));
		exit(EXIT_FAILURE);
	}
}

static void *serve(void *context)
{
	int listener_fd = atoi(arguments[1]);

	(void)context;
	while (true) {
		int fd = accept4(listener_fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0 && errno != EAGAIN)
			return NULL;
		if (fd < 0) {
			(void)poll(&(struct pollfd){.fd = listener_fd, .events = POLLIN}, 1, -1);
			continue;
		}
		start(fd);
		(void)close(fd);
	}
}

int main(int argc, char **argv)
{
	long n = THREADS_A_CPU * sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t thread;

	if (argc != 3) {
		fprintf(stderr, "usage: stdio-limit FD PROGRAM\n");
		return 2;
	}
	arguments = argv;
	/* Nobody is to be waited for. */
	(void)signal(SIGCHLD, SIG_IGN);
	for (long i = 1; i < n; i++)
		if (pthread_create(&thread, NULL, serve, NULL) != 0)
			return 1;
	(void)serve(NULL);
	return 0;
}
