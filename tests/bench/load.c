/*
 * Loads an HTTP server on loopback: so many clients at a time, each in a closed loop of connect,
 * ask, read to the end, with a new connection for every request. Prints what became of them as one
 * JSON object, with the address and port of each client that got no whole answer and when that was
 * known (CLOCK_MONOTONIC), so that a test can ask the server what it did with that one.
 *
 * The clients come from several addresses of 127/8 that are this process's alone, with each port
 * once: no two of the first 800 000 clients have the same name, and ports in TIME_WAIT do not run
 * out.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_BYTES 2048
#define EVENTS 256
#define FAILURES_SHOWN 10000
#define TICK_MSEC 100
#define PORT_MIN 10000
#define PORTS 50000

enum outcome { ANSWERED, REFUSED, RESET, EMPTY, CUT, TIMED_OUT, UNSENT, OUTCOMES };

static const char *const outcome_names[OUTCOMES] = {
	[ANSWERED] = "answered",
	[REFUSED] = "refused",
	[RESET] = "reset",
	[EMPTY] = "empty",
	[CUT] = "cut",
	[TIMED_OUT] = "timedOut",
	[UNSENT] = "unsent", /* this machine had no port or descriptor: the load is at fault */
};

struct options {
	struct sockaddr_in server;
	unsigned int clients;
	uint64_t connections;
	bool until_signal;
	uint64_t timeout_usec;
	unsigned int sources;
};

struct client {
	int fd;
	bool asked;
	struct sockaddr_in local;
	uint64_t since_usec;
	size_t n_answer;
	char answer[ANSWER_BYTES + 1];
};

struct failure {
	struct sockaddr_in local;
	enum outcome outcome;
	int error;
	uint64_t at_usec;
};

struct load {
	struct options options;
	int epoll_fd;
	int signal_fd;
	bool signalled;
	unsigned int n_open;
	uint64_t n_started;
	uint64_t slowest_usec;
	uint64_t outcomes[OUTCOMES];
	struct client *clients;
	struct failure *failures;
	size_t n_failures;
};

static uint64_t now_usec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void give_up(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(2);
}

static bool goes_on(const struct load *load)
{
	if (load->n_started < load->options.connections)
		return true;
	return load->options.until_signal && !load->signalled;
}

static void client_end(struct load *load, struct client *client, enum outcome outcome, int error)
{
	uint64_t now = now_usec(), took = now - client->since_usec;

	load->outcomes[outcome]++;
	if (outcome == ANSWERED && took > load->slowest_usec)
		load->slowest_usec = took;
	if (outcome != ANSWERED && load->n_failures < FAILURES_SHOWN)
		load->failures[load->n_failures++] =
			(struct failure){client->local, outcome, error, now};
	if (client->fd >= 0)
		(void)close(client->fd);
	client->fd = -1;
	load->n_open--;
}

/* An answer is whole when Content-Length says so, not when the connection ends. */
static bool answer_is_whole(const struct client *client)
{
	const char *body = strstr(client->answer, "\r\n\r\n");
	const char *length = strcasestr(client->answer, "\r\nContent-Length:");

	if (strncmp(client->answer, "HTTP/1.", 7) != 0 || !body || !length || length > body)
		return false;
	body += 4;
	return strtoul(length + strlen("\r\nContent-Length:"), NULL, 10) ==
	       client->n_answer - (size_t)(body - client->answer);
}

static enum outcome outcome_of_error(int error)
{
	if (error == ECONNREFUSED)
		return REFUSED;
	if (error == ETIMEDOUT)
		return TIMED_OUT;
	return RESET;
}

static void client_read(struct load *load, struct client *client)
{
	while (client->n_answer < ANSWER_BYTES) {
		ssize_t n = recv(client->fd, client->answer + client->n_answer,
			ANSWER_BYTES - client->n_answer, 0);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			client_end(load, client, outcome_of_error(errno), errno);
			return;
		}
		if (n == 0)
			break;
		client->n_answer += (size_t)n;
		client->answer[client->n_answer] = 0;
	}
	if (answer_is_whole(client))
		client_end(load, client, ANSWERED, 0);
	else
		client_end(load, client, client->n_answer ? CUT : EMPTY, 0);
}

static void client_watch(struct load *load, struct client *client, int operation, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = client};

	if (epoll_ctl(load->epoll_fd, operation, client->fd, &event) < 0)
		give_up("epoll_ctl");
}

/* Over loopback a connection often stands as soon as connect returns: asking at once saves a
 * turn of the loop for each. */
static void client_ask(struct load *load, struct client *client, int operation)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: inko\r\nConnection: close\r\n\r\n";

	if (send(client->fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0) {
		if (errno == EAGAIN || errno == ENOTCONN) {
			client_watch(load, client, operation, EPOLLOUT);
			return;
		}
		client_end(load, client, outcome_of_error(errno), errno);
		return;
	}
	client->asked = true;
	client_watch(load, client, operation, EPOLLIN);
}

static int client_connect(struct load *load, struct client *client)
{
	client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (client->fd < 0)
		return -errno;
	if (bind(client->fd, (struct sockaddr *)&client->local, sizeof(client->local)) < 0)
		return -errno;
	if (connect(client->fd, (struct sockaddr *)&load->options.server,
		    sizeof(load->options.server)) < 0 &&
		errno != EINPROGRESS)
		return -errno;
	return 0;
}

/* Who is client number n: 127.x.y.1 and up, where x and y come from the pid. */
static struct sockaddr_in name_client(uint64_t n, unsigned int sources)
{
	uint32_t network = 127u << 24 | (1 + (uint32_t)getpid() / 254 % 254) << 16 |
			   (1 + (uint32_t)getpid() % 254) << 8;

	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(network + 1 + (uint32_t)(n % sources)),
		.sin_port = htons((uint16_t)(PORT_MIN + n / sources % PORTS)),
	};
}

static void client_open(struct load *load, struct client *client)
{
	int r;

	*client = (struct client){.fd = -1,
		.since_usec = now_usec(),
		.local = name_client(load->n_started, load->options.sources)};
	load->n_started++;
	load->n_open++;
	r = client_connect(load, client);
	if (r == -ECONNREFUSED)
		client_end(load, client, REFUSED, ECONNREFUSED);
	else if (r < 0)
		client_end(load, client, UNSENT, -r);
	else
		client_ask(load, client, EPOLL_CTL_ADD);
}

static void client_step(struct load *load, struct client *client)
{
	int error = 0;
	socklen_t length = sizeof(error);

	if (client->asked) {
		client_read(load, client);
		return;
	}
	if (getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
		error = errno;
	if (error)
		client_end(load, client, outcome_of_error(error), error);
	else
		client_ask(load, client, EPOLL_CTL_MOD);
}

static void end_the_late(struct load *load)
{
	uint64_t now = now_usec();

	for (unsigned int i = 0; i < load->options.clients; i++) {
		struct client *client = &load->clients[i];
		if (client->fd >= 0 && now - client->since_usec > load->options.timeout_usec)
			client_end(load, client, TIMED_OUT, ETIMEDOUT);
	}
}

static void fill(struct load *load)
{
	for (unsigned int i = 0; i < load->options.clients && goes_on(load); i++)
		if (load->clients[i].fd < 0)
			client_open(load, &load->clients[i]);
}

static void load_run(struct load *load)
{
	uint64_t tick = now_usec();

	fill(load);
	while (load->n_open > 0 || goes_on(load)) {
		struct epoll_event events[EVENTS];
		int n = epoll_wait(load->epoll_fd, events, EVENTS, TICK_MSEC);

		if (n < 0 && errno != EINTR)
			give_up("epoll_wait");
		for (int i = 0; i < n; i++) {
			struct client *client = events[i].data.ptr;
			if (!client) {
				load->signalled = true;
				(void)epoll_ctl(
					load->epoll_fd, EPOLL_CTL_DEL, load->signal_fd, NULL);
				continue;
			}
			client_step(load, client);
			if (client->fd < 0 && goes_on(load))
				client_open(load, client);
		}
		if (now_usec() - tick >= TICK_MSEC * 1000) {
			tick = now_usec();
			end_the_late(load);
			fill(load);
		}
	}
}

static void print_failure(const struct failure *failure, bool first)
{
	char address[INET_ADDRSTRLEN];

	(void)inet_ntop(AF_INET, &failure->local.sin_addr, address, sizeof(address));
	printf("%s{\"client\": \"%s:%u\", \"outcome\": \"%s\", \"error\": \"%s\", "
	       "\"atUSec\": %llu}",
		first ? "" : ", ", address, ntohs(failure->local.sin_port),
		outcome_names[failure->outcome], failure->error ? strerror(failure->error) : "",
		(unsigned long long)failure->at_usec);
}

static void print_report(const struct load *load, double seconds)
{
	printf("{\"connections\": %llu", (unsigned long long)load->n_started);
	for (int i = 0; i < OUTCOMES; i++)
		printf(", \"%s\": %llu", outcome_names[i], (unsigned long long)load->outcomes[i]);
	printf(", \"slowestUSec\": %llu, \"seconds\": %.6f, \"failures\": [",
		(unsigned long long)load->slowest_usec, seconds);
	for (size_t i = 0; i < load->n_failures; i++)
		print_failure(&load->failures[i], i == 0);
	printf("]}\n");
}

static uint64_t number(const char *text, uint64_t min, uint64_t max)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || *end || value < min || value > max) {
		fprintf(stderr, "load: %s is not a number from %llu to %llu\n", text,
			(unsigned long long)min, (unsigned long long)max);
		exit(2);
	}
	return value;
}

static void parse(int argc, char **argv, struct options *options)
{
	static const struct option names[] = {
		{"port", required_argument, NULL, 'p'},
		{"clients", required_argument, NULL, 'c'},
		{"connections", required_argument, NULL, 'n'},
		{"until-signal", no_argument, NULL, 'u'},
		{"timeout", required_argument, NULL, 't'},
		{"sources", required_argument, NULL, 's'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) >= 0) {
		if (option == 'p')
			options->server.sin_port = htons((uint16_t)number(optarg, 1, UINT16_MAX));
		else if (option == 'c')
			options->clients = (unsigned int)number(optarg, 1, 15000);
		else if (option == 'n')
			options->connections = number(optarg, 0, UINT64_MAX);
		else if (option == 'u')
			options->until_signal = true;
		else if (option == 't')
			options->timeout_usec = number(optarg, 1, 3600) * 1000000;
		else if (option == 's')
			options->sources = (unsigned int)number(optarg, 1, 200);
		else
			exit(2);
	}
	if (optind < argc || !options->server.sin_port) {
		fprintf(stderr, "usage: load --port N [--clients N] [--connections N] "
				"[--until-signal] [--timeout SECONDS] [--sources N]\n");
		exit(2);
	}
}

static void load_init(struct load *load)
{
	struct rlimit limit;
	struct epoll_event event = {.events = EPOLLIN};
	sigset_t signals;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	load->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
	load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (load->signal_fd < 0 || load->epoll_fd < 0 ||
		epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, load->signal_fd, &event) < 0)
		give_up("epoll");
	load->clients = calloc(load->options.clients, sizeof(*load->clients));
	load->failures = calloc(FAILURES_SHOWN, sizeof(*load->failures));
	if (!load->clients || !load->failures)
		give_up("calloc");
	for (unsigned int i = 0; i < load->options.clients; i++)
		load->clients[i].fd = -1;
}

int main(int argc, char **argv)
{
	struct load load = {.options = {.server = {.sin_family = AF_INET},
				    .clients = 64,
				    .timeout_usec = 60 * 1000000,
				    .sources = 16}};
	uint64_t since;

	load.options.server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	parse(argc, argv, &load.options);
	load_init(&load);
	since = now_usec();
	load_run(&load);
	print_report(&load, (double)(now_usec() - since) / 1e6);
	free(load.clients);
	free(load.failures);
	return load.outcomes[UNSENT] ? 1 : 0;
}
