#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "feeder.h"

#define EVENTS 32
#define DELAY_USEC 10000
/* What is held at the end has a second to find a place. */
#define LAST_TRIES 100
/* Of a feed that is removed: others come all the time. */
#define REMOVING_BUDGET 4096
#define NEWS_BUDGET 64
/* Of a feed that is to end. That there is nothing left has to be seen, as nobody tells it. */
#define ENDING_BUDGET 256

static int watch_for(struct feeder *feeder, int fd, uint32_t events, struct feeder_source *source)
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	return epoll_ctl(feeder->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int watch(struct feeder *feeder, int fd, struct feeder_source *source)
{
	return watch_for(feeder, fd, EPOLLIN, source);
}

static void delay(const struct feeder *feeder)
{
	const struct itimerspec once = {.it_value.tv_nsec = DELAY_USEC * 1000};

	(void)timerfd_settime(feeder->timer_fd, 0, &once, NULL);
}

static void watch_own(struct feeder *feeder, bool watched)
{
	struct epoll_event event = {.events = watched ? EPOLLIN : 0, .data.ptr = &feeder->news};
	int fd = inko_mailbox_get_fd(feeder->own);

	(void)epoll_ctl(feeder->epoll_fd, EPOLL_CTL_MOD, fd, &event);
}

static void set_state(struct feeder *feeder, struct feed *feed, enum feed_state state)
{
	if (state == FEED_DELAYED)
		delay(feeder);
	if (feed->state == state)
		return;
	/* Out of the epoll altogether: a hang-up is told whatever one asks for. */
	if (feed->state == FEED_OPEN)
		(void)epoll_ctl(feeder->epoll_fd, EPOLL_CTL_DEL, feed->fd, NULL);
	feed->state = state;
	if (state == FEED_OPEN && watch(feeder, feed->fd, &feed->source) < 0)
		set_state(feeder, feed, FEED_DELAYED);
}

bool feeder_is_shortage(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM ||
	       error == -ETOOMANYREFS;
}

static bool can_go_on(const struct feed *feed)
{
	return feed->needs_no_room || inko_mailbox_room(feed->target->mailbox) > 0;
}

/* Sends what is held. 0, or why it stays. */
static int hand_over(struct feeder *feeder, struct feed *feed)
{
	int r = inko_mailbox_try_send(feed->target->mailbox, feed->held);

	if (r == 0) {
		feed->held = NULL;
		inko_tally_add(feed->tally, INKO_TALLY_HANDED_OVER);
	} else if (r != -EAGAIN && !feeder_is_shortage(r)) {
		/* It would never be taken, and all that come after it would wait for ever. */
		feeder->type->on_refused(feed, r);
		feed->held = inko_message_free(feed->held);
		inko_tally_add(feed->tally, INKO_TALLY_REFUSED);
		r = 0;
	}
	return r;
}

/* Takes one thing in and hands it over. 0, or a negative errno and the state that follows. */
static int bring_one(struct feeder *feeder, struct feed *feed, enum feed_state *ret_state)
{
	int r = feed->held || (!feed->is_paused && can_go_on(feed)) ? 0 : -EAGAIN;

	*ret_state = feed->is_paused && !feed->held ? FEED_PAUSED : FEED_FULL;
	if (r == 0 && !feed->held) {
		r = feeder->type->take_one(feed);
		/* Of no other failure is it told when it is over. */
		if (r < 0)
			*ret_state = r == -EAGAIN ? FEED_OPEN : FEED_DELAYED;
		feed->is_over = r == -EAGAIN && feed->is_ending;
		feeder->has_over |= feed->is_over;
	}
	if (r == 0 && feed->held)
		r = hand_over(feeder, feed);
	if (feeder_is_shortage(r))
		*ret_state = FEED_DELAYED;
	return r;
}

static void bring_some(struct feeder *feeder, struct feed *feed, unsigned int budget)
{
	if (feed->is_ending && budget < ENDING_BUDGET)
		budget = ENDING_BUDGET;
	for (unsigned int i = 0; i < budget; i++) {
		enum feed_state state;

		if (bring_one(feeder, feed, &state) < 0) {
			set_state(feeder, feed, state);
			return;
		}
	}
	if (feed->is_ending)
		set_state(feeder, feed, FEED_DELAYED);
}

static void on_feed(struct feeder *feeder, struct feeder_source *source)
{
	bring_some(feeder, (struct feed *)source, feeder->type->budget);
}

/* Opens the feeds of target (NULL: of all) again that are in this state and can go on. */
static void reopen(struct feeder *feeder, const struct feeder_target *target, enum feed_state state)
{
	struct feed *feed;

	LIST_FOREACH(feed, &feeder->feeds, entries) {
		if (feed->state != state || (target && feed->target != target) ||
			(state == FEED_FULL && !can_go_on(feed)))
			continue;
		set_state(feeder, feed, FEED_OPEN);
		bring_some(feeder, feed, feeder->type->budget);
	}
}

static void on_room(struct feeder *feeder, struct feeder_source *source)
{
	const struct feeder_target *target = (const struct feeder_target *)source;

	/* Asking for the room is what makes its descriptor quiet again. */
	(void)inko_mailbox_room(target->mailbox);
	reopen(feeder, target, FEED_FULL);
}

/* Telling inkod. */

static int say(const struct feeder *feeder, const char *line)
{
	return send(feeder->notify_fd, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno
											    : 0;
}

static void watch_notify(struct feeder *feeder, bool watched)
{
	int r = 0;

	if (watched)
		r = watch_for(feeder, feeder->notify_fd, EPOLLOUT, &feeder->notify);
	else
		(void)epoll_ctl(feeder->epoll_fd, EPOLL_CTL_DEL, feeder->notify_fd, NULL);
	if (r < 0 && r != -EEXIST)
		delay(feeder);
}

/* What it would never take is not said. */
static void say_waiting(struct feeder *feeder)
{
	struct feeder_line *line;
	int r = 0;

	while ((line = STAILQ_FIRST(&feeder->lines))) {
		r = say(feeder, line->text);
		if (r == -EAGAIN || feeder_is_shortage(r))
			break;
		STAILQ_REMOVE_HEAD(&feeder->lines, entries);
		free(line);
		r = 0;
	}
	watch_notify(feeder, r == -EAGAIN);
	if (r < 0 && r != -EAGAIN)
		delay(feeder);
}

static void on_notify(struct feeder *feeder, struct feeder_source *source)
{
	(void)source;
	say_waiting(feeder);
}

void feeder_notify(struct feeder *feeder, const char *line)
{
	struct feeder_line *copy;
	bool is_first = STAILQ_EMPTY(&feeder->lines);

	if (feeder->notify_fd < 0)
		return;
	copy = malloc(sizeof(*copy) + strlen(line) + 1);
	if (!copy) {
		(void)say(feeder, line);
		return;
	}
	(void)strcpy(copy->text, line);
	STAILQ_INSERT_TAIL(&feeder->lines, copy, entries);
	if (is_first)
		say_waiting(feeder);
}

static void on_timer(struct feeder *feeder, struct feeder_source *source)
{
	uint64_t times;

	(void)source;
	(void)!read(feeder->timer_fd, &times, sizeof(times));
	watch_own(feeder, true);
	reopen(feeder, NULL, FEED_DELAYED);
	if (!STAILQ_EMPTY(&feeder->lines))
		say_waiting(feeder);
}

/* 0, or why there are none, or none can be taken in now. */
static int take_news(struct feeder *feeder)
{
	int r = feeder->again ? 0 : inko_mailbox_try_receive(feeder->own, &feeder->again);

	if (r < 0)
		return r;
	r = feeder->type->on_news(feeder, feeder->again);
	if (feeder_is_shortage(r))
		return r;
	feeder->again = inko_message_free(feeder->again);
	return 0;
}

static void on_news(struct feeder *feeder, struct feeder_source *source)
{
	int r = 0;

	(void)source;
	for (int i = 0; i < NEWS_BUDGET && r == 0; i++)
		r = take_news(feeder);
	feeder->is_stopped = r == -ESHUTDOWN;
	if (feeder_is_shortage(r)) {
		/* They stay there, and would be reported without end. */
		watch_own(feeder, false);
		delay(feeder);
	}
	/* Lanes may have come with the news. */
	reopen(feeder, NULL, FEED_FULL);
}

int feeder_find_target(struct feeder *feeder, const char *name, struct feeder_target **ret_target)
{
	struct feeder_target *target;
	int r;

	LIST_FOREACH(target, &feeder->targets, entries)
		if (strcmp(target->name, name) == 0) {
			*ret_target = target;
			return 0;
		}
	target = calloc(1, sizeof(*target));
	if (!target)
		return -ENOMEM;
	target->source.on_ready = on_room;
	(void)snprintf(target->name, sizeof(target->name), "%s", name);
	r = inko_mailbox_open(feeder->own, name, &target->mailbox);
	if (r == 0)
		r = watch(feeder, inko_mailbox_get_fd(target->mailbox), &target->source);
	if (r < 0) {
		inko_mailbox_close(target->mailbox);
		free(target);
		return r;
	}
	LIST_INSERT_HEAD(&feeder->targets, target, entries);
	/* Whoever wanted it may not come to aim at it. */
	feeder->has_idle = true;
	*ret_target = target;
	return 0;
}

/* At nothing, where target is NULL. */
void feeder_aim(struct feeder *feeder, struct feed *feed, struct feeder_target *target)
{
	if (target)
		target->n_feeds++;
	if (feed->target && --feed->target->n_feeds == 0)
		feeder->has_idle = true;
	feed->target = target;
}

void feeder_add(struct feeder *feeder, struct feed *feed)
{
	feed->source.on_ready = on_feed;
	/* It is opened with the others, when the news are read. */
	feed->state = FEED_FULL;
	LIST_INSERT_HEAD(&feeder->feeds, feed, entries);
}

void feeder_pause(struct feeder *feeder, struct feed *feed, bool paused)
{
	feed->is_paused = paused;
	if (paused && !feed->held)
		set_state(feeder, feed, FEED_PAUSED);
	else if (!paused && feed->state == FEED_PAUSED)
		set_state(feeder, feed, FEED_FULL);
}

static void leave(struct feeder *feeder, struct feed *feed)
{
	set_state(feeder, feed, FEED_FULL);
	LIST_REMOVE(feed, entries);
	feeder_aim(feeder, feed, NULL);
}

void feeder_remove(struct feeder *feeder, struct feed *feed)
{
	bring_some(feeder, feed, REMOVING_BUDGET);
	leave(feeder, feed);
}

void feeder_end(struct feeder *feeder, struct feed *feed)
{
	feed->is_ending = true;
	/* It is looked at when the news are read. */
	if (feed->state == FEED_OPEN)
		set_state(feeder, feed, FEED_FULL);
}

void feeder_keep(struct feed *feed)
{
	feed->is_ending = false;
	feed->is_over = false;
}

/* Between two turns of the loop, as events and lists lead to them. */
static void let_go_of_over(struct feeder *feeder)
{
	struct feed *feed, *next;

	feeder->has_over = false;
	for (feed = LIST_FIRST(&feeder->feeds); feed; feed = next) {
		next = LIST_NEXT(feed, entries);
		if (!feed->is_over)
			continue;
		leave(feeder, feed);
		feeder->type->on_over(feeder, feed);
	}
}

/* Actors come and go under other names, for as long as this process lives. */
static void let_go_of_idle(struct feeder *feeder)
{
	struct feeder_target *target, *next;

	feeder->has_idle = false;
	for (target = LIST_FIRST(&feeder->targets); target; target = next) {
		next = LIST_NEXT(target, entries);
		if (target->n_feeds > 0)
			continue;
		LIST_REMOVE(target, entries);
		inko_mailbox_close(target->mailbox);
		free(target);
	}
}

/* Somebody wants this process to end: what is in its hands goes where it belongs first. */
static void on_signal(struct feeder *feeder, struct feeder_source *source)
{
	(void)source;
	feeder->is_stopped = true;
}

static int open_signal(struct feeder *feeder)
{
	sigset_t term;

	(void)sigemptyset(&term);
	(void)sigaddset(&term, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &term, NULL);
	feeder->signal_fd = signalfd(-1, &term, SFD_CLOEXEC | SFD_NONBLOCK);
	return feeder->signal_fd < 0 ? -errno : watch(feeder, feeder->signal_fd, &feeder->signal);
}

/* Before whoever has it may make no more sockets. It stays the same over all lives of inkod. */
static int open_notify(struct feeder *feeder)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	feeder->notify_fd = -1;
	if (!path || !*path)
		return 0;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	(void)strcpy(address.sun_path, path);
	feeder->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (feeder->notify_fd < 0 ||
		connect(feeder->notify_fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return 0;
}

int feeder_init(struct feeder *feeder, const struct feeder_type *type)
{
	int r;

	*feeder = (struct feeder){.type = type,
		.news = {on_news},
		.timer = {on_timer},
		.signal = {on_signal},
		.notify = {on_notify}};
	STAILQ_INIT(&feeder->lines);
	feeder->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	feeder->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (feeder->epoll_fd < 0 || feeder->timer_fd < 0)
		return -errno;
	r = inko_mailbox_open_own(&feeder->own);
	if (r == 0)
		r = watch(feeder, inko_mailbox_get_fd(feeder->own), &feeder->news);
	if (r == 0)
		r = open_signal(feeder);
	if (r == 0)
		r = open_notify(feeder);
	return r < 0 ? r : watch(feeder, feeder->timer_fd, &feeder->timer);
}

/* Nothing more is taken in, but what was has to go somewhere: nobody else has it. */
static void finish(struct feeder *feeder)
{
	struct feed *feed;
	int n_tries = LAST_TRIES;

	LIST_FOREACH(feed, &feeder->feeds, entries)
		while (feed->held && hand_over(feeder, feed) < 0 && n_tries-- > 0)
			(void)usleep(DELAY_USEC);
}

void feeder_run(struct feeder *feeder)
{
	struct epoll_event events[EVENTS];

	feeder_notify(feeder, "READY=1");
	while (!feeder->is_stopped) {
		int n = epoll_wait(feeder->epoll_fd, events, EVENTS, -1);

		for (int i = 0; i < n && !feeder->is_stopped; i++) {
			struct feeder_source *source = events[i].data.ptr;

			source->on_ready(feeder, source);
			/* News may have ended what other events lead to: ask again. */
			if (source == &feeder->news)
				break;
		}
		if (feeder->has_over)
			let_go_of_over(feeder);
		if (feeder->has_idle)
			let_go_of_idle(feeder);
	}
	finish(feeder);
}
