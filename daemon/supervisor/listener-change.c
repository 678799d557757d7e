#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/former-socket.h"
#include "daemon/supervisor/listener-change.h"
#include "daemon/supervisor/listener-news.h"
#include "daemon/supervisor/listener-route.h"
#include "daemon/supervisor/listener-state.h"
#include "daemon/supervisor/listener.h"
#include "daemon/supervisor/listening-socket.h"
#include "daemon/supervisor/log.h"
#include "daemon/supervisor/requests.h"
#include "daemon/supervisor/systemd-socket.h"
#include "proto/descriptor.h"

static void exchange_texts(char **text, char **other)
{
	char *kept = *text;

	*text = *other;
	*other = kept;
}

/* All that a request says of it; it stays where it is if other is nowhere. */
static void exchange(struct listener *listener, struct listener *other)
{
	int64_t hold_usec = listener->hold_usec;

	if (other->address) {
		exchange_texts(&listener->address, &other->address);
		exchange_texts(&listener->listens_on, &other->listens_on);
	}
	exchange_texts(&listener->to, &other->to);
	exchange_texts(&listener->give, &other->give);
	exchange_texts(&listener->balance, &other->balance);
	listener->hold_usec = other->hold_usec;
	other->hold_usec = hold_usec;
}

/* Nobody is connected to one that goes away. */
static bool leads_to_removed(const struct listener *listener)
{
	const struct actor *actor =
		listener->to ? actor_find(listener->supervisor, listener->to) : NULL;

	return actor && actor->is_removing;
}

/* All that can fail, listener having next's terms, since they say what the lanes are for; on
 * failure it has its own again. */
static int begin_change(struct listener *listener, struct listener *next, bool moves)
{
	int r;

	exchange(listener, next);
	r = leads_to_removed(listener) ? -ENOENT : listener_route_open(listener);
	if (r == 0 && moves && listener->to)
		r = former_socket_keep(listener->supervisor, listener->name, listener->fd);
	if (r < 0)
		exchange(listener, next);
	return r;
}

/* Of the socket that it had until now. */
static void leave_socket(struct listener *former, bool is_given)
{
	listening_socket_unlink(former->address);
	/* What systemd opened is not ours to end. */
	if (is_given && !former->listens_on)
		(void)shutdown(former->fd, SHUT_RDWR);
}

/* The acceptor accepts whoever waits still, wherever that is, and nobody else does there. */
static void give_away(struct listener *listener)
{
	listener_news_close(listener);
	former_socket_forget(listener->supervisor, listener->name);
}

/* It is put before anything is seen of it: where it is said to listen it does, whoever dies. */
static void finish_change(struct listener *listener, struct listener *former)
{
	/* That was about the actor before, or is found out again. */
	listener->hold = sd_event_source_disable_unref(listener->hold);
	listener->is_refusing = false;
	/* What the actor before has made of it is not what this one expects. */
	listener->is_blocking = false;
	/* Nobody pauses instances that accept for themselves. */
	if (listener->give)
		listener->is_paused = false;
	/* Until who has it now is told. */
	listener->is_published = false;
	listener_put(listener);
	if (former->fd >= 0) {
		former_socket_take_back(listener->supervisor, listener->name, listener->fd);
		leave_socket(former, listener->give);
	}
	if (listener->give)
		give_away(listener);
	listener_route_hand_out(listener);
}

int listener_change(struct listener *listener, const struct listener_request *request,
	const struct address *address, int *take_fd)
{
	struct supervisor *supervisor = listener->supervisor;
	bool moves = *take_fd >= 0;
	struct listener *other;
	int r = listener_new_unlisted(supervisor, request, moves ? address : NULL, &other);

	if (r < 0)
		return r;
	r = begin_change(listener, other, moves);
	if (r == 0 && moves) {
		other->fd = listener->fd;
		listener->fd = descriptor_take(take_fd);
	}
	if (r == 0)
		finish_change(listener, other);
	listener_free_unlisted(other);
	/* Somebody may wait for a pause that will not be. This may close the listener. */
	requests_check(supervisor);
	return r;
}

/* When systemd has opened another socket. */

static bool is_same_socket(int fd, int other_fd)
{
	uint64_t inode, other;

	return listening_socket_identify(fd, &inode) == 0 &&
	       listening_socket_identify(other_fd, &other) == 0 && inode == other;
}

static int move(struct listener *listener, int *take_fd)
{
	char text[ADDRESS_TEXT_BYTES];
	struct address address;
	_cleanup_free_ char *listens_on = NULL;
	int r = listening_socket_adopt(*take_fd, &address);

	if (r < 0)
		return r;
	address_format(&address, text);
	listens_on = strdup(text);
	if (!listens_on)
		return -ENOMEM;
	if (listener->to)
		r = former_socket_keep(listener->supervisor, listener->name, listener->fd);
	if (r < 0)
		return r;
	exchange_texts(&listener->listens_on, &listens_on);
	descriptor_close(&listener->fd);
	listener->fd = descriptor_take(take_fd);
	listener->is_blocking = false;
	listener_put(listener);
	return 0;
}

/* Instances that were given the former socket have it for good, and accept who waits there. */
static void tell_move(struct listener *listener)
{
	struct actor *actor =
		listener->give ? actor_find(listener->supervisor, listener->give) : NULL;

	log_info("%s: systemd opened another socket, %s", listener->name, listener->listens_on);
	listener_say(listener, "moved");
	if (listener->to)
		listener_news_open(listener);
	if (!actor)
		return;
	log_warning("%s: instances of %s that have its former socket go on with that; 'inkoctl "
		    "restart %s --rolling' gives all of them the other one",
		listener->name, listener->give, listener->give);
	listener_news_give(listener, actor);
}

static void follow(struct listener *listener)
{
	const char *socket = listener_request_systemd_name(listener->address);
	_cleanup_close_ int fd = -1;
	int r;

	if (!socket || listener->is_closing ||
		systemd_socket_open(listener->supervisor, socket, &fd) < 0 ||
		is_same_socket(fd, listener->fd))
		return;
	r = move(listener, &fd);
	if (r < 0)
		log_error("%s goes on with its former socket, and not with the one that systemd "
			  "opened: %s",
			listener->name, strerror(-r));
	else if (listener->is_published)
		tell_move(listener);
}

void listener_change_follow_systemd(struct supervisor *supervisor)
{
	struct listener *listener;

	TAILQ_FOREACH(listener, &supervisor->listeners, entries)
		follow(listener);
}
