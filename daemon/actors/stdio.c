/*
 * The actor of the adapter stdio: inko-stdio MAX_PER_SOURCE PROGRAM [ARG]... runs the program once
 * for each connection that is handed to it, with the connection as standard input and output, and
 * its own standard error. So many at once as its concurrency says; what comes meanwhile waits in
 * the mailbox, where siblings and inkod see it.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <inko/inko.h>

#define CONCURRENCY_DEFAULT 256
/* Between tries to receive when this process is out of descriptors. */
#define PAUSE_MSEC 10

struct child {
	pid_t pid;
	bool has_source;
	struct inko_ip source;
};

struct stdio {
	struct inko_mailbox *mailbox;
	char **command, **environment;
	struct child *children; /* n of them run, of up to max */
	size_t n, max;
	size_t max_per_source; /* 0: any number */
	unsigned long refused;
	int signal_fd;
	bool is_stopping; /* nothing more comes */
	posix_spawnattr_t attributes;
	char address[sizeof("REMOTE_ADDR=") + INKO_IP_TEXT_BYTES],
		port[sizeof("REMOTE_PORT=65535")];
};

extern char **environ;

/* What a child is told: what this process was, but for what was meant for itself. */

static bool is_own(const char *variable)
{
	static const char *const own[] = {
		"LISTEN_", "NOTIFY_SOCKET=", "WATCHDOG_", "INKO_", "REMOTE_ADDR=", "REMOTE_PORT="};

	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
		if (strncmp(variable, own[i], strlen(own[i])) == 0)
			return true;
	return false;
}

/* Its last two members are for the address and the port. */
static char **make_environment(void)
{
	size_t n = 0, kept = 0;
	char **environment;

	while (environ[n])
		n++;
	environment = calloc(n + 3, sizeof(*environment));
	for (size_t i = 0; environment && i < n; i++)
		if (!is_own(environ[i]))
			environment[kept++] = environ[i];
	return environment;
}

static void tell_source(struct stdio *stdio, const struct inko_ip *source, uint16_t port)
{
	char text[INKO_IP_TEXT_BYTES];
	char **end = stdio->environment;

	while (*end && *end != stdio->address)
		end++;
	end[0] = end[1] = NULL;
	if (!source)
		return;
	inko_ip_format(source, text);
	(void)snprintf(stdio->address, sizeof(stdio->address), "REMOTE_ADDR=%s", text);
	(void)snprintf(stdio->port, sizeof(stdio->port), "REMOTE_PORT=%u", (unsigned int)port);
	end[0] = stdio->address;
	end[1] = stdio->port;
}

/* Children. */

static bool is_too_many(const struct stdio *stdio, const struct inko_ip *source)
{
	size_t n = 0;

	if (stdio->max_per_source == 0)
		return false;
	for (size_t i = 0; i < stdio->n; i++)
		n += stdio->children[i].has_source &&
		     inko_ip_equal(&stdio->children[i].source, source);
	return n >= stdio->max_per_source;
}

/* Said each time that there are twice as many: an attack must not fill the log. */
static void refuse(struct stdio *stdio, const struct inko_ip *source, int fd)
{
	char text[INKO_IP_TEXT_BYTES];

	(void)shutdown(fd, SHUT_RDWR);
	stdio->refused++;
	if ((stdio->refused & (stdio->refused - 1)) != 0)
		return;
	inko_ip_format(source, text);
	fprintf(stderr, "%s has %zu connections already: one more is refused, the %lu. so far\n",
		text, stdio->max_per_source, stdio->refused);
}

static int spawn(struct stdio *stdio, int fd, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	int flags = fcntl(fd, F_GETFL), r = posix_spawn_file_actions_init(&actions);

	if (r != 0)
		return -r;
	/* A program that reads its standard input expects to wait. */
	if (flags >= 0)
		(void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
	r = posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn(ret_pid, stdio->command[0], &actions, &stdio->attributes,
			stdio->command, stdio->environment);
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}

static void serve(struct stdio *stdio, struct inko_message *message, int fd)
{
	struct child *child = &stdio->children[stdio->n];
	uint16_t port = 0;
	int r;

	child->has_source = inko_message_peek_peer(message, &child->source, &port) == 0;
	if (child->has_source && is_too_many(stdio, &child->source)) {
		refuse(stdio, &child->source, fd);
		return;
	}
	tell_source(stdio, child->has_source ? &child->source : NULL, port);
	r = spawn(stdio, fd, &child->pid);
	if (r == 0) {
		stdio->n++;
		return;
	}
	fprintf(stderr, "%s cannot be executed: %s\n", stdio->command[0], strerror(-r));
	(void)shutdown(fd, SHUT_RDWR);
}

static void forget(struct stdio *stdio, pid_t pid)
{
	for (size_t i = 0; i < stdio->n; i++)
		if (stdio->children[i].pid == pid) {
			stdio->children[i] = stdio->children[--stdio->n];
			return;
		}
}

/* As systemd's would: who served no client to the end says so itself. */
static void reap(struct stdio *stdio)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		forget(stdio, pid);
		if (WIFSIGNALED(status))
			fprintf(stderr, "%s (pid %d) was killed by SIG%s\n", stdio->command[0],
				(int)pid, sigabbrev_np(WTERMSIG(status)));
	}
}

/* What comes. */

static void receive(struct stdio *stdio)
{
	struct inko_message *message;
	int fd, r = inko_mailbox_try_receive(stdio->mailbox, &message);

	if (r == -EMFILE || r == -ENOMEM)
		(void)poll(NULL, 0, PAUSE_MSEC);
	else if (r < 0 && r != -EAGAIN)
		stdio->is_stopping = true;
	if (r < 0)
		return;
	if (inko_message_get_kind(message) == INKO_CONNECTION &&
		inko_message_take_fd(message, &fd) == 0) {
		serve(stdio, message, fd);
		(void)close(fd);
	}
	inko_message_free(message);
}

static void read_signal(struct stdio *stdio)
{
	struct signalfd_siginfo info;

	if (read(stdio->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGCHLD) {
		reap(stdio);
		return;
	}
	stdio->is_stopping = true;
	for (size_t i = 0; i < stdio->n; i++)
		(void)kill(stdio->children[i].pid, (int)info.ssi_signo);
}

static void run(struct stdio *stdio)
{
	while (!stdio->is_stopping || stdio->n > 0) {
		bool wants_more = !stdio->is_stopping && stdio->n < stdio->max;
		struct pollfd waits[] = {
			{.fd = stdio->signal_fd, .events = POLLIN},
			{.fd = wants_more ? inko_mailbox_get_fd(stdio->mailbox) : -1,
				.events = POLLIN},
		};

		if (poll(waits, sizeof(waits) / sizeof(*waits), -1) < 0 && errno != EINTR)
			abort();
		if (waits[0].revents)
			read_signal(stdio);
		if (waits[1].revents && stdio->n < stdio->max)
			receive(stdio);
	}
}

static int prepare_signals(struct stdio *stdio)
{
	sigset_t own, all, none;
	int r = posix_spawnattr_init(&stdio->attributes);

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	(void)sigemptyset(&own);
	(void)sigaddset(&own, SIGCHLD);
	(void)sigaddset(&own, SIGTERM);
	if (r == 0)
		r = posix_spawnattr_setsigmask(&stdio->attributes, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(&stdio->attributes, &all);
	if (r == 0)
		r = posix_spawnattr_setflags(
			&stdio->attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (r != 0)
		return -r;
	if (sigprocmask(SIG_SETMASK, &own, NULL) < 0)
		return -errno;
	stdio->signal_fd = signalfd(-1, &own, SFD_CLOEXEC | SFD_NONBLOCK);
	return stdio->signal_fd < 0 ? -errno : 0;
}

static size_t read_number(const char *text)
{
	return text ? strtoul(text, NULL, 10) : 0;
}

int main(int argc, char **argv)
{
	struct stdio stdio = {.max = read_number(getenv("INKO_CONCURRENCY"))};
	int r = argc > 2 ? inko_mailbox_open_own(&stdio.mailbox) : -EINVAL;

	if (stdio.max == 0)
		stdio.max = CONCURRENCY_DEFAULT;
	stdio.max_per_source = argc > 2 ? read_number(argv[1]) : 0;
	stdio.command = argv + 2;
	stdio.environment = make_environment();
	stdio.children = calloc(stdio.max, sizeof(*stdio.children));
	if (r == 0 && (!stdio.environment || !stdio.children))
		r = -ENOMEM;
	if (r == 0)
		r = prepare_signals(&stdio);
	if (r == 0)
		r = inko_actor_ready();
	if (r < 0) {
		fprintf(stderr, "inko-stdio: %s (inkoctl spawn --adapter stdio starts it)\n",
			strerror(-r));
		return EXIT_FAILURE;
	}
	run(&stdio);
	return EXIT_SUCCESS;
}
