/*
 * The actor of the adapter stdio: inko-stdio MAX_PER_SOURCE STOP_SIGNAL PROGRAM [ARG]... runs the
 * program once for each connection that is handed to it, with the connection as standard input and
 * output, and its own standard error. So many at once as its concurrency says; what comes meanwhile
 * waits in the mailbox, where siblings and inkod see it. STOP_SIGNAL, a number, is passed on to all
 * that run, and it ends after them.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <inko/inko.h>

#include "children.h"
#include "spawner.h"

#define CONCURRENCY_DEFAULT 256
/* Between tries to receive when this process is out of descriptors. */
#define PAUSE_MSEC 10
/* Between two times that the status is told, which inkod has to read, hold and pass on. */
#define STATUS_MSEC 1000

/* One that is about to run. */
struct birth {
	struct spawner_job job; /* the first member: one is the other */
	TAILQ_ENTRY(birth) entries;
	struct child child;
	char address[sizeof("REMOTE_ADDR=") + INKO_IP_TEXT_BYTES],
		port[sizeof("REMOTE_PORT=65535")];
};

struct stdio {
	struct inko_mailbox *mailbox;
	struct spawner *spawner;
	char **command;
	struct children children; /* with the births there is room for them */
	TAILQ_HEAD(, birth) births;
	size_t n_births;
	size_t max_per_source;	       /* 0: any number */
	unsigned long refused, failed; /* connections, and programs that were to serve one */
	unsigned long told;	       /* of both in STATUS= */
	int64_t told_msec;	       /* when that was */
	unsigned long dropped;	       /* messages */
	int signal_fd, stop_signal;
	int end_signal;	  /* that was passed on, or 0 */
	bool is_stopping; /* nothing more comes */
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

static char **make_environment(void)
{
	size_t n = 0, kept = 0;
	char **environment;

	while (environ[n])
		n++;
	environment = calloc(n + 1, sizeof(*environment));
	for (size_t i = 0; environment && i < n; i++)
		if (!is_own(environ[i]))
			environment[kept++] = environ[i];
	return environment;
}

static void tell_source(struct birth *birth)
{
	char text[INKO_IP_TEXT_BYTES];

	if (!birth->child.has_source)
		return;
	inko_ip_format(&birth->child.source.ip, text);
	(void)snprintf(birth->address, sizeof(birth->address), "REMOTE_ADDR=%s", text);
	(void)snprintf(birth->port, sizeof(birth->port), "REMOTE_PORT=%u",
		(unsigned int)birth->child.source.port);
	birth->job.more[0] = birth->address;
	birth->job.more[1] = birth->port;
}

/* Children. */

static bool is_too_many(const struct stdio *stdio, const struct inko_ip *source)
{
	const struct birth *birth;
	size_t n;

	if (stdio->max_per_source == 0)
		return false;
	n = children_count_of(&stdio->children, source);
	TAILQ_FOREACH(birth, &stdio->births, entries)
		n += child_is_of(&birth->child, source);
	return n >= stdio->max_per_source;
}

/* Each time that there are twice as many: an attack must not fill the log. */
static bool is_worth_a_line(unsigned long n)
{
	return (n & (n - 1)) == 0;
}

static void refuse(struct stdio *stdio, const struct inko_ip *source)
{
	char text[INKO_IP_TEXT_BYTES];

	if (!is_worth_a_line(++stdio->refused))
		return;
	inko_ip_format(source, text);
	fprintf(stderr,
		"%s has %zu connections already: one more is refused; %lu so far, of all addresses\n",
		text, stdio->max_per_source, stdio->refused);
}

static int64_t now_msec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* How long it is until the status can be told: for poll(2), -1 when there is nothing to tell. */
static int status_due_msec(const struct stdio *stdio)
{
	int64_t due = stdio->told_msec + STATUS_MSEC - now_msec();

	if (stdio->refused + stdio->failed == stdio->told)
		return -1;
	return due > 0 ? (int)due : 0;
}

static const char *plural(unsigned long n)
{
	return n == 1 ? "" : "s";
}

static void format_status(const struct stdio *stdio, char line[static 192])
{
	int n = snprintf(line, 192, "STATUS=");

	if (stdio->refused > 0)
		n += snprintf(line + n, 192 - (size_t)n,
			"%lu connection%s refused, of addresses that had %zu already%s",
			stdio->refused, plural(stdio->refused), stdio->max_per_source,
			stdio->failed > 0 ? "; " : "");
	if (stdio->failed > 0)
		(void)snprintf(line + n, 192 - (size_t)n, "%lu program%s failed", stdio->failed,
			plural(stdio->failed));
}

static void tell_status(struct stdio *stdio)
{
	char line[192];

	if (status_due_msec(stdio) != 0)
		return;
	format_status(stdio, line);
	(void)inko_actor_notify(line);
	stdio->told = stdio->refused + stdio->failed;
	stdio->told_msec = now_msec();
}

/* From an actor that opens this one: inkod itself sends it none. */
static void drop(struct stdio *stdio)
{
	if (is_worth_a_line(++stdio->dropped))
		fprintf(stderr, "a message is thrown away, the %lu. so far: %s takes none\n",
			stdio->dropped, inko_actor_name());
}

static void serve(struct stdio *stdio, struct inko_message *message, int *take_fd)
{
	struct birth *birth = calloc(1, sizeof(*birth));

	if (!birth)
		return;
	birth->child.has_source = inko_message_peek_peer(message, &birth->child.source) == 0;
	if (birth->child.has_source && is_too_many(stdio, &birth->child.source.ip)) {
		refuse(stdio, &birth->child.source.ip);
		free(birth);
		return;
	}
	tell_source(birth);
	birth->job.fd = *take_fd;
	*take_fd = -1;
	TAILQ_INSERT_TAIL(&stdio->births, birth, entries);
	stdio->n_births++;
	spawner_push(stdio->spawner, &birth->job);
}

static void note_failure(struct stdio *stdio, const char *how)
{
	if (is_worth_a_line(++stdio->failed))
		fprintf(stderr, "%s %s; %lu failed so far\n", stdio->command[0], how,
			stdio->failed);
}

static void note_birth(struct stdio *stdio, struct birth *birth)
{
	pid_t pid = birth->job.pid;
	char how[128];

	if (pid < 0) {
		(void)snprintf(how, sizeof(how), "cannot be executed: %s", strerror(-pid));
		note_failure(stdio, how);
	} else {
		birth->child.pid = pid;
		children_add(&stdio->children, &birth->child);
		if (stdio->end_signal)
			(void)kill(pid, stdio->end_signal);
	}
	TAILQ_REMOVE(&stdio->births, birth, entries);
	stdio->n_births--;
	free(birth);
}

/* Did it serve its client to the end, or end as it was told to? */
static bool is_success(const struct stdio *stdio, int status)
{
	return WIFSIGNALED(status) ? WTERMSIG(status) == stdio->end_signal
				   : WEXITSTATUS(status) == 0;
}

/* As systemd's would: not every program says so itself. */
static void note_end(struct stdio *stdio, pid_t pid, int status)
{
	char how[128];

	if (is_success(stdio, status))
		return;
	if (WIFSIGNALED(status))
		(void)snprintf(how, sizeof(how), "(pid %d) was killed by SIG%s", (int)pid,
			sigabbrev_np(WTERMSIG(status)));
	else
		(void)snprintf(how, sizeof(how), "(pid %d) exited with status %d", (int)pid,
			WEXITSTATUS(status));
	note_failure(stdio, how);
}

static void reap(struct stdio *stdio)
{
	int status;
	pid_t pid;

	while ((pid = children_reap(&stdio->children, &status)) > 0)
		note_end(stdio, pid, status);
}

static void note_births(struct stdio *stdio)
{
	struct spawner_job *job;

	while ((job = spawner_pop(stdio->spawner)))
		note_birth(stdio, (struct birth *)job);
	/* Some may have ended before they were known. */
	reap(stdio);
}

/* What comes. */

static bool has_room(const struct stdio *stdio)
{
	return !stdio->is_stopping && stdio->children.n + stdio->n_births < stdio->children.max &&
	       stdio->n_births < SPAWNER_JOBS_MAX;
}

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
		serve(stdio, message, &fd);
		if (fd >= 0) {
			(void)shutdown(fd, SHUT_RDWR);
			(void)close(fd);
		}
	} else if (inko_message_get_kind(message) == INKO_MESSAGE) {
		drop(stdio);
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
	stdio->end_signal = (int)info.ssi_signo;
	children_kill(&stdio->children, stdio->end_signal);
}

static void run(struct stdio *stdio)
{
	while (!stdio->is_stopping || stdio->children.n + stdio->n_births > 0) {
		struct pollfd waits[] = {
			{.fd = stdio->signal_fd, .events = POLLIN},
			{.fd = spawner_get_fd(stdio->spawner), .events = POLLIN},
			{.fd = has_room(stdio) ? inko_mailbox_get_fd(stdio->mailbox) : -1,
				.events = POLLIN},
		};

		if (poll(waits, sizeof(waits) / sizeof(*waits), status_due_msec(stdio)) < 0 &&
			errno != EINTR)
			abort();
		tell_status(stdio);
		if (waits[0].revents)
			read_signal(stdio);
		if (waits[1].revents)
			note_births(stdio);
		if (waits[2].revents && has_room(stdio))
			receive(stdio);
	}
}

/* Before there are threads, which have the same. */
static int block_signals(struct stdio *stdio)
{
	const int taken[] = {SIGCHLD, SIGTERM, SIGINT, SIGQUIT, stdio->stop_signal};
	sigset_t own;

	(void)sigemptyset(&own);
	for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++)
		(void)sigaddset(&own, taken[i]);
	if (sigprocmask(SIG_SETMASK, &own, NULL) < 0)
		return -errno;
	stdio->signal_fd = signalfd(-1, &own, SFD_CLOEXEC | SFD_NONBLOCK);
	return stdio->signal_fd < 0 ? -errno : 0;
}

static size_t read_number(const char *text)
{
	return text ? strtoul(text, NULL, 10) : 0;
}

static int init(struct stdio *stdio, int argc, char **argv)
{
	char **environment;
	size_t max;
	int r = argc > 3 ? inko_mailbox_open_own(&stdio->mailbox) : -EINVAL;

	if (r < 0)
		return r;
	max = read_number(getenv("INKO_CONCURRENCY"));
	stdio->max_per_source = read_number(argv[1]);
	stdio->stop_signal = (int)read_number(argv[2]);
	stdio->command = argv + 3;
	TAILQ_INIT(&stdio->births);
	r = children_init(&stdio->children, max > 0 ? max : CONCURRENCY_DEFAULT);
	environment = make_environment();
	if (r < 0 || !environment)
		return -ENOMEM;
	r = block_signals(stdio);
	return r < 0 ? r : spawner_new(stdio->command, environment, &stdio->spawner);
}

int main(int argc, char **argv)
{
	struct stdio stdio = {0};
	int r;

	/* It would fail for each connection; one that never becomes ready takes nobody's place. */
	if (argc > 3 && access(argv[3], X_OK) < 0) {
		fprintf(stderr, "%s cannot be executed: %s\n", argv[3], strerror(errno));
		return EXIT_FAILURE;
	}
	r = init(&stdio, argc, argv);
	if (r == 0)
		r = inko_actor_ready();
	if (r < 0) {
		fprintf(stderr, "inko-stdio: %s (inkoctl spawn --adapter stdio starts it)\n",
			strerror(-r));
		return EXIT_FAILURE;
	}
	run(&stdio);
	children_done(&stdio.children);
	inko_mailbox_close(stdio.mailbox);
	return EXIT_SUCCESS;
}
