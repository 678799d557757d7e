/*
 * What tasks cost: nanoseconds from one task to the next, and bytes of the process's memory for
 * each of many idle connections that a task waits for. Prints one JSON object.
 */

#include <errno.h>
#include <fcntl.h>
#include <inko/inko.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SWITCHES 2000000
#define CONNECTIONS 10000

static void give_up(const char *what, int error)
{
	fprintf(stderr, "task-cost: %s: %s\n", what, strerror(-error));
	exit(1);
}

static uint64_t now_nsec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Switching */

static int yield_often(struct inko_mailbox *mailbox, void *argument)
{
	(void)mailbox, (void)argument;
	for (int i = 0; i < SWITCHES / 2; i++)
		if (inko_task_yield() < 0)
			return -1;
	return 0;
}

/* From a task to dispatch, and on to the next one. Both ride in each round, so that the kernel is
 * asked once for two: what a busy program has, at least. */
static double measure_switch(void)
{
	struct inko_runtime *runtime;
	uint64_t before_nsec;
	int r = inko_runtime_new(&runtime);

	for (int i = 0; i < 2 && r == 0; i++)
		r = inko_task_spawn(runtime, "yields", yield_often, NULL, NULL);
	before_nsec = now_nsec();
	if (r == 0)
		r = inko_runtime_run(runtime);
	if (r < 0)
		give_up("tasks that yield", r);
	before_nsec = now_nsec() - before_nsec;
	inko_runtime_free(runtime);
	return (double)before_nsec / SWITCHES;
}

/* Idle connections */

static size_t resident_bytes(void)
{
	FILE *statm = fopen("/proc/self/statm", "re");
	size_t total, resident;

	if (!statm || fscanf(statm, "%zu %zu", &total, &resident) != 2)
		give_up("statm", -errno);
	(void)fclose(statm);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* A process of its own holds the other sides, until it is killed. */
static void connect_all(struct inko_ip ip, uint16_t port)
{
	struct inko_socket *server;

	for (int i = 0; i < CONNECTIONS; i++) {
		int r = inko_tcp_connect(&ip, port, &server);

		if (r < 0)
			give_up("connect", r);
	}
	for (;;)
		(void)pause();
}

static int wait_for_request(struct inko_mailbox *mailbox, void *argument)
{
	char request[1024];

	(void)mailbox;
	return (int)inko_socket_read(argument, request, sizeof(request));
}

static int accept_all(struct inko_mailbox *mailbox, void *argument)
{
	struct inko_socket *client;
	int r = 0;

	(void)mailbox;
	for (int i = 0; i < CONNECTIONS && r == 0; i++) {
		r = inko_socket_accept(argument, &client);
		if (r == 0)
			r = inko_task_spawn(NULL, "idle", wait_for_request, client, NULL);
	}
	/* The clients are this task's. */
	return r < 0 ? r : inko_task_sleep(0);
}

static double measure_idle(void)
{
	struct rlimit files;
	struct inko_ip ip = inko_ip_v4(127, 0, 0, 1);
	struct inko_socket *listener;
	struct inko_runtime *runtime;
	size_t before;
	struct inko_address address;
	pid_t clients;
	int n_left;

	(void)getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur < CONNECTIONS + 100)
		give_up("descriptors", -EMFILE);
	if (inko_tcp_listen(&ip, 0, &listener) < 0 ||
		inko_socket_local_address(listener, &address) < 0 ||
		inko_runtime_new(&runtime) < 0 ||
		inko_task_spawn(runtime, "accept", accept_all, listener, NULL) < 0)
		give_up("server", -errno);
	clients = fork();
	if (clients == 0)
		connect_all(ip, address.port);
	before = resident_bytes();
	/* All are accepted, and all wait. */
	do {
		n_left = inko_runtime_dispatch(runtime);
		(void)usleep(1000);
	} while (n_left > 0 && n_left <= CONNECTIONS);
	if (n_left != CONNECTIONS + 1)
		give_up("tasks", -EIO);
	(void)inko_runtime_dispatch(runtime);
	before = resident_bytes() - before;
	(void)kill(clients, SIGKILL);
	(void)waitpid(clients, NULL, 0);
	return (double)before / CONNECTIONS;
}

int main(void)
{
	double switch_nsec = measure_switch();

	printf("{\"switchNSec\": %.1f, \"connections\": %d, \"idleBytes\": %.0f}\n", switch_nsec,
		CONNECTIONS, measure_idle());
	return 0;
}
