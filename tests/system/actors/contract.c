/*
 * An actor that knows nothing of inko: it says and asks what it is told to with libsystemd's own
 * calls. Its orders come over the unix socket DIRECTORY/N (N is the instance's number), a line
 * each, and each is answered with a line. When it takes some it says the second argument.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#define WAIT_USEC UINT64_C(10000000)
#define FDS_MAX 253

struct contract {
	char **names; /* of what it was given */
	int n_given;
	int stored[FDS_MAX], ends[FDS_MAX]; /* what it stored last, and the other ends */
	int n_stored;
};

typedef void order_fn(struct contract *contract, char *rest, FILE *answer);

/* '|' is where lines end. */
static void order_notify(struct contract *contract, char *rest, FILE *answer)
{
	(void)contract;
	for (char *bar = rest; (bar = strchr(bar, '|'));)
		*bar = '\n';
	fprintf(answer, "%d\n", sd_notify(0, rest));
}

/* SOCKET LINES: to that socket. */
static void order_for(struct contract *contract, char *rest, FILE *answer)
{
	const char *path = strsep(&rest, " ");
	char *own = strdup(getenv("NOTIFY_SOCKET"));

	(void)setenv("NOTIFY_SOCKET", path, 1);
	order_notify(contract, rest, answer);
	(void)setenv("NOTIFY_SOCKET", own, 1);
	free(own);
}

/* RELOADING=1 as sd_notify(3) wants it. */
static void order_reloading(struct contract *contract, char *rest, FILE *answer)
{
	struct timespec now;

	(void)contract;
	(void)rest;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	fprintf(answer, "%d\n",
		sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
			(long long)now.tv_sec * 1000000 + now.tv_nsec / 1000));
}

static int store(struct contract *contract, const char *text)
{
	return sd_pid_notify_with_fds(
		0, 0, text, (const int *)contract->stored, (unsigned int)contract->n_stored);
}

/* NAME N LINES: N ends of socket pairs; the other ends say NAME. */
static void order_store(struct contract *contract, char *rest, FILE *answer)
{
	const char *name = strsep(&rest, " "), *n = strsep(&rest, " ");
	char text[512];

	contract->n_stored = 0;
	for (int i = 0; i < atoi(n ? n : "1") && i < FDS_MAX; i++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ||
			send(pair[1], name, strlen(name), 0) < 0)
			break;
		contract->stored[contract->n_stored] = pair[0];
		contract->ends[contract->n_stored++] = pair[1];
	}
	(void)snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s\n%s", name, rest ? rest : "");
	fprintf(answer, "%d\n", store(contract, text));
}

static void order_again(struct contract *contract, char *rest, FILE *answer)
{
	(void)rest;
	fprintf(answer, "%d\n", store(contract, "FDSTORE=1\nFDNAME=again"));
}

/* The other ends of what was stored last. */
static void order_hang_up(struct contract *contract, char *rest, FILE *answer)
{
	(void)rest;
	for (int i = 0; i < contract->n_stored; i++)
		(void)close(contract->ends[i]);
	fprintf(answer, "%d\n", contract->n_stored);
	contract->n_stored = 0;
}

static void order_barrier(struct contract *contract, char *rest, FILE *answer)
{
	(void)contract;
	(void)rest;
	fprintf(answer, "%d\n", sd_notify_barrier(0, WAIT_USEC));
}

static void order_watchdog(struct contract *contract, char *rest, FILE *answer)
{
	uint64_t usec = 0;
	int r = sd_watchdog_enabled(0, &usec);

	(void)contract;
	(void)rest;
	fprintf(answer, "%d %llu\n", r, (unsigned long long)usec);
}

/* What it was given, and what each of those has to say. */
static void order_given(struct contract *contract, char *rest, FILE *answer)
{
	(void)rest;
	for (int i = 0; i < contract->n_given; i++) {
		char said[64] = "";

		(void)!recv(
			SD_LISTEN_FDS_START + i, said, sizeof(said) - 1, MSG_DONTWAIT | MSG_PEEK);
		fprintf(answer, "%s=%s ", contract->names[i], said);
	}
	fprintf(answer, "\n");
}

static void order_child(struct contract *contract, char *rest, FILE *answer)
{
	(void)contract;
	fprintf(answer, "%d\n", system(rest));
}

static void order_exit(struct contract *contract, char *rest, FILE *answer)
{
	(void)contract;
	(void)answer;
	_exit(atoi(rest ? rest : "0"));
}

static const struct {
	const char *name;
	order_fn *carry_out;
} orders[] = {
	{"notify", order_notify},
	{"for", order_for},
	{"reloading", order_reloading},
	{"store", order_store},
	{"again", order_again},
	{"hang-up", order_hang_up},
	{"barrier", order_barrier},
	{"watchdog", order_watchdog},
	{"given", order_given},
	{"child", order_child},
	{"exit", order_exit},
};

static void carry_out(struct contract *contract, char *line, FILE *answer)
{
	const char *name = strsep(&line, " ");

	for (size_t i = 0; i < sizeof(orders) / sizeof(*orders); i++)
		if (strcmp(orders[i].name, name) == 0)
			orders[i].carry_out(contract, line, answer);
	(void)fflush(answer);
}

static void serve(struct contract *contract, int fd)
{
	FILE *orders_in = fdopen(dup(fd), "r"), *answers = fdopen(fd, "w");
	char line[1024];

	if (!orders_in || !answers)
		_exit(EXIT_FAILURE);
	while (fgets(line, sizeof(line), orders_in)) {
		line[strcspn(line, "\n")] = 0;
		carry_out(contract, line, answers);
	}
	(void)fclose(orders_in);
	(void)fclose(answers);
}

static int listen_on(const char *directory)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *instance = getenv("INKO_INSTANCE");
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", directory,
		instance ? strrchr(instance, '/') + 1 : "0");
	(void)unlink(address.sun_path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(fd, 1) < 0)
		return -1;
	return fd;
}

int main(int argc, char **argv)
{
	struct contract contract = {0};
	int fd = argc > 1 ? listen_on(argv[1]) : -1, client;

	contract.n_given = sd_listen_fds_with_names(0, &contract.names);
	if (fd < 0 || contract.n_given < 0)
		return EXIT_FAILURE;
	if (argc > 2)
		(void)sd_notify(0, argv[2]);
	for (;;) {
		client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		if (client < 0)
			return EXIT_FAILURE;
		serve(&contract, client);
	}
}
