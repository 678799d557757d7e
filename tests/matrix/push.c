/*
 * Sends numbered messages ("00000042") to an nng address, one each --interval milliseconds, as long
 * as there is somebody to take them. At SIGTERM it prints each number that nng took, with the time
 * (CLOCK_MONOTONIC) at which it did, closes its output, and stays until it is killed: what nng
 * still has would be lost with it.
 */

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <inko/remote.h>

#define MESSAGES_MAX 4000000
/* Without anybody to take the next one it is tried again so often. */
#define RETRY_MSEC 10

struct pusher {
	struct inko_mailbox *mailbox;
	int signal_fd;
	uint64_t *sent_usec; /* of each message */
	size_t n_sent;
};

static void give_up(const char *what, int error)
{
	(void)fprintf(stderr, "push: %s: %s\n", what, strerror(error));
	exit(1);
}

static uint64_t now_usec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* False when nobody takes it now. */
static bool push_one(struct pusher *pusher)
{
	struct inko_message *message;
	char text[24];
	int n = snprintf(text, sizeof(text), "%08zu", pusher->n_sent);
	int r = inko_message_new(text, (size_t)n, &message);

	if (r == 0) {
		r = inko_mailbox_try_send(pusher->mailbox, message);
		if (r < 0)
			inko_message_free(message);
	}
	if (r < 0 && r != -EAGAIN)
		give_up("cannot send", -r);
	if (r == 0)
		pusher->sent_usec[pusher->n_sent++] = now_usec();
	return r == 0;
}

/* True when a signal came. */
static bool wait_for_signal(const struct pusher *pusher, int timeout_msec)
{
	struct signalfd_siginfo info;
	struct pollfd waits = {.fd = pusher->signal_fd, .events = POLLIN};

	return poll(&waits, 1, timeout_msec) == 1 &&
	       read(pusher->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info);
}

static void push_until_signal(struct pusher *pusher, int interval_msec)
{
	bool sent = true;

	while (!wait_for_signal(pusher, sent ? interval_msec : RETRY_MSEC)) {
		if (pusher->n_sent == MESSAGES_MAX)
			give_up("ran too long", EOVERFLOW);
		sent = push_one(pusher);
	}
}

static void report(const struct pusher *pusher)
{
	for (size_t i = 0; i < pusher->n_sent; i++)
		printf("%08zu %llu\n", i, (unsigned long long)pusher->sent_usec[i]);
	(void)fclose(stdout);
}

static void open_signals(struct pusher *pusher)
{
	sigset_t mask;

	/* Before nng, whose threads inherit it. */
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &mask, NULL);
	pusher->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC);
	if (pusher->signal_fd < 0)
		give_up("signalfd", errno);
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
		{"dial", required_argument, NULL, 'd'},
		{"interval", required_argument, NULL, 'i'},
		{0},
	};
	struct pusher pusher = {0};
	const char *url = NULL;
	int interval_msec = 1;
	int option, r;

	while ((option = getopt_long(argc, argv, "", names, NULL)) >= 0) {
		if (option == 'd')
			url = optarg;
		else if (option == 'i')
			interval_msec = atoi(optarg);
		else
			return 2;
	}
	if (!url || interval_msec < 1) {
		(void)fprintf(stderr, "usage: push --dial URL [--interval MSEC]\n");
		return 2;
	}
	open_signals(&pusher);
	pusher.sent_usec = calloc(MESSAGES_MAX, sizeof(*pusher.sent_usec));
	if (!pusher.sent_usec)
		give_up("calloc", ENOMEM);
	r = inko_mailbox_dial(url, &pusher.mailbox);
	if (r < 0)
		give_up(url, -r);
	push_until_signal(&pusher, interval_msec);
	report(&pusher);
	for (;;)
		(void)pause();
}
