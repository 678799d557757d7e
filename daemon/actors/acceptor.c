/*
 * inko-acceptor: owns listeners, accepts their connections, and hands each to a mailbox. It accepts
 * only when there is a place to hand the connection to, so that nothing waits in its hands: what
 * waits is in the kernel's backlog or in a mailbox, and outlives it.
 */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <inko/inko.h>

#include "feeder.h"
#include "sandbox.h"

/* One a socket: what systemd opens anew stands beside the former one of its name until all that
 * waited there was accepted. */
struct listener {
	struct feed feed; /* needs no room while it refuses; is ending when it is a former one */
	char name[FEEDER_NAME_BYTES];
	ino_t socket;
};

/* Accepting. */

static void refuse(const struct feed *feed, int fd)
{
	const struct linger reset = {.l_onoff = 1};

	inko_tally_add(feed->tally, INKO_TALLY_REFUSED);
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	(void)close(fd);
}

static struct inko_address peer_of(const struct sockaddr_storage *address)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
	bool is_v4 = address->ss_family == AF_INET;
	struct inko_address peer = {.ip.version = is_v4 ? 4 : 6,
		.ip.scope = is_v4 ? 0 : v6->sin6_scope_id,
		.port = ntohs(is_v4 ? v4->sin_port : v6->sin6_port)};

	memcpy(peer.ip.bytes, is_v4 ? (const void *)&v4->sin_addr : (const void *)&v6->sin6_addr,
		is_v4 ? 4 : 16);
	return peer;
}

/* accept(2): what is wrong with one connection is told as if it were the listener's. */
static bool is_of_connection(int error)
{
	return error == EINTR || error == ECONNABORTED || error == EPROTO || error == ENETDOWN ||
	       error == ENOPROTOOPT || error == EHOSTDOWN || error == ENONET ||
	       error == EHOSTUNREACH || error == EOPNOTSUPP || error == ENETUNREACH ||
	       error == EPERM;
}

static int take_connection(struct feed *feed)
{
	struct listener *listener = (struct listener *)feed;
	struct sockaddr_storage address = {0};
	socklen_t size = sizeof(address);
	struct inko_address peer;
	bool has_peer;
	/* Blocking: that is what a program expects of a connection that it is handed. */
	int fd = accept4(feed->fd, (struct sockaddr *)&address, &size, SOCK_CLOEXEC);
	int r;

	if (fd < 0)
		return is_of_connection(errno) ? 0 : -errno;
	inko_tally_add(feed->tally, INKO_TALLY_TAKEN);
	if (feed->needs_no_room) {
		refuse(feed, fd);
		return 0;
	}
	has_peer = address.ss_family == AF_INET || address.ss_family == AF_INET6;
	if (has_peer)
		peer = peer_of(&address);
	r = inko_message_new_connection(&fd, listener->name, has_peer ? &peer : NULL, &feed->held);
	if (r < 0)
		refuse(feed, fd);
	return r;
}

static void on_refused(struct feed *feed, int error)
{
	(void)fprintf(stderr, "%s: a connection is dropped, %s does not take it: %s\n",
		((struct listener *)feed)->name, feed->target->name, strerror(-error));
}

/* News from inkod: which listeners there are, and where their connections go. */

/* The one that clients come to. */
static struct listener *find_listener(struct feeder *feeder, const char *name)
{
	struct feed *feed;

	LIST_FOREACH(feed, &feeder->feeds, entries)
		if (!feed->is_ending && strcmp(((struct listener *)feed)->name, name) == 0)
			return (struct listener *)feed;
	return NULL;
}

static struct listener *find_socket(struct feeder *feeder, const char *name, ino_t socket)
{
	struct feed *feed;

	LIST_FOREACH(feed, &feeder->feeds, entries) {
		struct listener *listener = (struct listener *)feed;

		if (listener->socket == socket && strcmp(listener->name, name) == 0)
			return listener;
	}
	return NULL;
}

static void listener_free(struct listener *listener)
{
	inko_message_free(listener->feed.held);
	(void)close(listener->feed.fd);
	free(listener);
}

/* A blocking listener would block whoever loses a race for a connection. */
static int make_non_blocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0))
		return -errno;
	return 0;
}

/* Who waits at one that is paused was not refused, and is not now. What is taken back from here may
 * be a program's by now that waits in accept(2), where this one must not. */
static void close_listener(struct feeder *feeder, struct listener *listener)
{
	int flags = fcntl(listener->feed.fd, F_GETFL);

	(void)make_non_blocking(listener->feed.fd);
	feeder_pause(feeder, &listener->feed, false);
	feeder_remove(feeder, &listener->feed);
	if (flags >= 0 && !(flags & O_NONBLOCK))
		(void)fcntl(listener->feed.fd, F_SETFL, flags);
	listener_free(listener);
}

static int listener_new(struct feeder *feeder, const char *name, int fd, ino_t socket,
	struct feeder_target *target, struct listener **ret_listener)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	int r = listener ? make_non_blocking(fd) : -ENOMEM;

	if (r < 0) {
		free(listener);
		return r;
	}
	(void)snprintf(listener->name, sizeof(listener->name), "%s", name);
	listener->feed.fd = fd;
	feeder_aim(feeder, &listener->feed, target);
	listener->feed.tally = inko_tally_open(feeder->own, name);
	listener->socket = socket;
	*ret_listener = listener;
	return 0;
}

/* Takes fd, which may be one that is here already: inkod tells again of what it has told. */
static int add_listener(struct feeder *feeder, const char *name, int fd,
	struct feeder_target *target, bool is_former)
{
	struct listener *listener, *current = find_listener(feeder, name);
	struct stat status;
	int r;

	if (fstat(fd, &status) < 0)
		return -errno;
	listener = find_socket(feeder, name, status.st_ino);
	if (listener) {
		(void)close(fd);
		feeder_aim(feeder, &listener->feed, target);
	} else {
		r = listener_new(feeder, name, fd, status.st_ino, target, &listener);
		if (r < 0)
			return r;
		feeder_add(feeder, &listener->feed);
	}
	if (is_former) {
		feeder_end(feeder, &listener->feed);
		return 0;
	}
	/* A listener may come back to the socket that it had before. */
	feeder_keep(&listener->feed);
	if (current && current != listener)
		feeder_end(feeder, &current->feed);
	return 0;
}

static int open_listener(
	struct feeder *feeder, const char *name, const cJSON *news, struct inko_message *message)
{
	const char *to = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(news, "to"));
	const char *balance =
		cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(news, "balance"));
	bool is_former = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(news, "former"));
	bool pulls = balance && strcmp(balance, "pull") == 0;
	char target_name[FEEDER_NAME_BYTES];
	struct feeder_target *target;
	int fd, r;

	if (!to)
		return -EBADMSG;
	(void)snprintf(target_name, sizeof(target_name), "%s%s", to, pulls ? "/*" : "");
	r = feeder_find_target(feeder, target_name, &target);
	if (r == 0)
		r = inko_message_take_fd(message, &fd);
	if (r < 0)
		return r;
	r = add_listener(feeder, name, fd, target, is_former);
	if (r < 0)
		(void)close(fd);
	return r;
}

/* Whoever asked for it may want the address again. */
static void confirm_closed(struct feeder *feeder, const char *name)
{
	char line[FEEDER_NAME_BYTES + 16];

	(void)snprintf(line, sizeof(line), "X_INKO_CLOSED=%s", name);
	feeder_notify(feeder, line);
}

/* turn says which of several pauses it is, and comes back with the answer. */
static void confirm_paused(struct feeder *feeder, const char *name, const cJSON *turn)
{
	char line[FEEDER_NAME_BYTES + 48];

	(void)snprintf(
		line, sizeof(line), "X_INKO_PAUSED=%s %.0f", name, cJSON_GetNumberValue(turn));
	feeder_notify(feeder, line);
}

/* A former socket has nobody left that waits there. */
static void on_over(struct feeder *feeder, struct feed *feed)
{
	struct listener *listener = (struct listener *)feed;
	char line[FEEDER_NAME_BYTES + 48];

	(void)snprintf(line, sizeof(line), "X_INKO_DRAINED=%s %ju", listener->name,
		(uintmax_t)listener->socket);
	listener_free(listener);
	feeder_notify(feeder, line);
}

static void set_refusing(struct listener *listener, bool refusing)
{
	int fd;

	listener->feed.needs_no_room = refusing;
	if (!refusing || !listener->feed.held)
		return;
	if (inko_message_take_fd(listener->feed.held, &fd) == 0)
		refuse(&listener->feed, fd);
	listener->feed.held = inko_message_free(listener->feed.held);
}

static void obey(struct feeder *feeder, struct listener *listener, const cJSON *news)
{
	const cJSON *refuses = cJSON_GetObjectItemCaseSensitive(news, "refuse");
	const cJSON *pauses = cJSON_GetObjectItemCaseSensitive(news, "pause");

	if (refuses)
		set_refusing(listener, cJSON_IsTrue(refuses));
	if (pauses)
		feeder_pause(feeder, &listener->feed, cJSON_IsTrue(pauses));
	if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(news, "close")))
		close_listener(feeder, listener);
}

static void obey_all(struct feeder *feeder, const char *name, const cJSON *news)
{
	struct feed *feed, *next;

	for (feed = LIST_FIRST(&feeder->feeds); feed; feed = next) {
		next = LIST_NEXT(feed, entries);
		if (strcmp(((struct listener *)feed)->name, name) == 0)
			obey(feeder, (struct listener *)feed, news);
	}
}

/* By its name: who had it open may have died before it could. */
static void forget_counts(struct feeder *feeder, const char *name)
{
	(void)inko_tally_forget(inko_tally_open(feeder->own, name));
}

static int on_news(struct feeder *feeder, struct inko_message *message)
{
	const char *name = inko_message_peek_listener(message);
	cJSON *news = cJSON_Parse(inko_message_peek_bytes(message, NULL));
	bool closes = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(news, "close"));
	bool is_listener = inko_message_get_kind(message) == INKO_LISTENER;
	int r = 0;

	if (is_listener && inko_message_count_sockets(message) > 0)
		r = open_listener(feeder, name, news, message);
	if (r < 0 && !feeder_is_shortage(r))
		(void)fprintf(stderr, "%s: cannot be opened here: %s\n", name, strerror(-r));
	if (is_listener)
		obey_all(feeder, name, news);
	if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(news, "pause")))
		confirm_paused(feeder, name, cJSON_GetObjectItemCaseSensitive(news, "turn"));
	if (closes) {
		forget_counts(feeder, name);
		confirm_closed(feeder, name);
	}
	cJSON_Delete(news);
	return r;
}

int main(void)
{
	static const struct feeder_type type = {
		.budget = 1, /* accept4 makes a socket before it looks whether there is need */
		.take_one = take_connection,
		.on_refused = on_refused,
		.on_over = on_over,
		.on_news = on_news,
	};
	struct feeder feeder;
	int r = feeder_init(&feeder, &type);

	if (r < 0) {
		(void)fprintf(stderr, "inko-acceptor: %s; inkod starts it\n", strerror(-r));
		return EXIT_FAILURE;
	}
	/* Woken for each connection it would push aside whoever is at work, to hand over one; what
	 * comes while they finish is handed over at once. */
	(void)sched_setscheduler(0, SCHED_BATCH, &(const struct sched_param){0});
	r = sandbox_enter();
	if (r < 0 && r != -EOPNOTSUPP)
		(void)fprintf(stderr, "inko-acceptor: runs without a filter of system calls: %s\n",
			strerror(-r));
	feeder_run(&feeder);
	return EXIT_SUCCESS;
}
