/*
 * inko-gateway: owns endpoints, and brings the messages that come in on them to mailboxes. It takes
 * a message from nng only when there is a place for it: what waits is on the senders' side or in a
 * mailbox, and outlives it.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <inko/inko.h>
#include <inko/remote.h>

#include "feeder.h"

/* To close an endpoint, which takes milliseconds, unless somebody stops this process meanwhile.
 * nng 1.5.2 does not come back from nng_close one time in some sixty in which messages are coming
 * in. Nothing would reach any mailbox then, and who spawns an actor would wait for its endpoint for
 * ever; the next life opens all of them again. */
#define CLOSE_SECONDS 5

struct endpoint {
	struct feed feed;
	char *url;
	struct inko_mailbox *mailbox;
};

static int take_message(struct feed *feed)
{
	int r = inko_mailbox_try_receive(((struct endpoint *)feed)->mailbox, &feed->held);

	if (r == 0)
		inko_tally_add(feed->tally, INKO_TALLY_TAKEN);
	return r;
}

static void on_refused(struct feed *feed, int error)
{
	(void)fprintf(stderr, "%s: a message is dropped, %s does not take it: %s\n",
		((struct endpoint *)feed)->url, feed->target->name, strerror(-error));
}

/* News from inkod: which endpoints there are, and where their messages go. */

static struct endpoint *find_endpoint(struct feeder *feeder, const char *url)
{
	struct feed *feed;

	LIST_FOREACH(feed, &feeder->feeds, entries)
		if (strcmp(((struct endpoint *)feed)->url, url) == 0)
			return (struct endpoint *)feed;
	return NULL;
}

static void endpoint_free(struct endpoint *endpoint)
{
	inko_message_free(endpoint->feed.held);
	(void)alarm(CLOSE_SECONDS);
	inko_mailbox_close(endpoint->mailbox);
	(void)alarm(0);
	free(endpoint->url);
	free(endpoint);
}

static int open_endpoint(struct feeder *feeder, const char *url, const char *to)
{
	struct feeder_target *target;
	struct endpoint *endpoint = find_endpoint(feeder, url);
	int r = feeder_find_target(feeder, to, &target);

	if (r < 0)
		return r;
	if (endpoint) {
		feeder_aim(feeder, &endpoint->feed, target);
		return 0;
	}
	endpoint = calloc(1, sizeof(*endpoint));
	if (!endpoint)
		return -ENOMEM;
	endpoint->url = strdup(url);
	r = endpoint->url ? inko_mailbox_listen(url, &endpoint->mailbox) : -ENOMEM;
	if (r < 0) {
		endpoint_free(endpoint);
		return r;
	}
	feeder_aim(feeder, &endpoint->feed, target);
	endpoint->feed.fd = inko_mailbox_get_fd(endpoint->mailbox);
	endpoint->feed.tally = inko_tally_open(feeder->own, to);
	feeder_add(feeder, &endpoint->feed);
	return 0;
}

static void close_endpoint(struct feeder *feeder, struct endpoint *endpoint)
{
	feeder_remove(feeder, &endpoint->feed);
	endpoint_free(endpoint);
}

/* By its name: who had it open may have died before it could. */
static void forget_counts(struct feeder *feeder, const char *url)
{
	const char *slash = strrchr(url, '/');

	if (slash)
		(void)inko_tally_forget(inko_tally_open(feeder->own, slash + 1));
}

/* inkod waits for this before it says that an actor was spawned. */
static void confirm(struct feeder *feeder, const char *url, int result)
{
	char *line;

	if (result < 0)
		(void)fprintf(stderr, "%s: cannot listen there: %s\n", url, strerror(-result));
	if (asprintf(&line, "X_INKO_%sENDPOINT=%s", result < 0 ? "NO_" : "", url) < 0)
		return;
	feeder_notify(feeder, line);
	free(line);
}

/* A shortage is told to inkod, which waits for the answer, and is no reason to come again. */
static int on_news(struct feeder *feeder, struct inko_message *message)
{
	cJSON *news = cJSON_Parse(inko_message_peek_bytes(message, NULL));
	const char *url = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(news, "endpoint"));
	const char *to = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(news, "to"));
	bool closes = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(news, "close"));
	struct endpoint *endpoint = url ? find_endpoint(feeder, url) : NULL;

	if (endpoint && closes)
		close_endpoint(feeder, endpoint);
	if (url && closes)
		forget_counts(feeder, url);
	else if (url && to)
		confirm(feeder, url, open_endpoint(feeder, url, to));
	cJSON_Delete(news);
	return 0;
}

/* nng's threads inherit the mask: no signals but those of a fault may reach them, and the alarm,
 * which ends all of them. */
static void block_signals(void)
{
	static const int let_through[] = {
		SIGABRT, SIGALRM, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS};
	sigset_t signals;

	(void)sigfillset(&signals);
	for (size_t i = 0; i < sizeof(let_through) / sizeof(*let_through); i++)
		(void)sigdelset(&signals, let_through[i]);
	(void)sigprocmask(SIG_SETMASK, &signals, NULL);
}

int main(void)
{
	static const struct feeder_type type = {
		.budget = 64,
		.take_one = take_message,
		.on_refused = on_refused,
		.on_news = on_news,
	};
	struct feeder feeder;
	int r;

	block_signals();
	r = feeder_init(&feeder, &type);
	if (r < 0) {
		(void)fprintf(stderr, "inko-gateway: %s; inkod starts it\n", strerror(-r));
		return EXIT_FAILURE;
	}
	feeder_run(&feeder);
	return EXIT_SUCCESS;
}
