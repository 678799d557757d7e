#pragma once

/*
 * What the acceptor and the gateway have in common: they feed mailboxes with what comes in on
 * descriptors, and take something in only when there is a place for it, so that nothing waits in
 * their hands. A feed is one descriptor that things come in on, a target one mailbox.
 */

#include <stdbool.h>
#include <sys/queue.h>

#include <inko/inko.h>

/* The longest name of a target or a listener, with what stands around it. */
#define FEEDER_NAME_BYTES 72

struct feeder;

/* What an epoll event leads to. */
struct feeder_source {
	void (*on_ready)(struct feeder *feeder, struct feeder_source *source);
};

struct feeder_target {
	struct feeder_source source;
	LIST_ENTRY(feeder_target) entries;
	char name[FEEDER_NAME_BYTES];
	struct inko_mailbox *mailbox;
	unsigned int n_feeds; /* it is closed when it has none */
};

enum feed_state {
	FEED_OPEN,
	FEED_FULL,    /* nobody has room: what comes waits where it comes from */
	FEED_DELAYED, /* the kernel is short of something that it has no event for */
	FEED_PAUSED,  /* nothing is taken in, by order */
};

/* The first member of what is fed from. */
struct feed {
	struct feeder_source source;
	LIST_ENTRY(feed) entries;
	int fd;
	struct feeder_target *target;
	enum feed_state state;
	bool needs_no_room; /* what comes goes nowhere */
	bool is_paused;
	bool is_ending; /* ends when nothing more has come: see feeder_end */
	bool is_over;	/* that is so */
	/* Of what comes in on it; who takes one in counts that itself. NULL counts nothing. */
	struct inko_tally *tally;
	/* What found no place after all. Nothing else is taken before it has one. */
	struct inko_message *held;
};

struct feeder_type {
	/* So many things of one feed are taken in a row, before others have their turn. 1 where to
	 * look in vain costs more than to ask epoll again. */
	unsigned int budget;
	/* Takes one thing in, which the feed holds then. 0, or a negative errno: -EAGAIN when there
	 * is nothing. */
	int (*take_one)(struct feed *feed);
	/* The held message is refused for good (not for want of room): why. */
	void (*on_refused)(struct feed *feed, int error);
	/* One that was to end has brought all that had come: it feeds no more, and is the
	 * handler's. NULL where none is. */
	void (*on_over)(struct feeder *feeder, struct feed *feed);
	/* A message from inkod; it stays the caller's. 0, or a negative errno: after a shortage it
	 * comes again. */
	int (*on_news)(struct feeder *feeder, struct inko_message *message);
};

/* What inkod is to be told. */
struct feeder_line {
	STAILQ_ENTRY(feeder_line) entries;
	char text[];
};

struct feeder {
	const struct feeder_type *type;
	struct feeder_source news, timer, signal, notify;
	int epoll_fd, timer_fd, signal_fd;
	int notify_fd; /* -1 where there is nobody to tell */
	STAILQ_HEAD(, feeder_line) lines;
	struct inko_mailbox *own;
	struct inko_message *again; /* news that come again */
	LIST_HEAD(, feeder_target) targets;
	LIST_HEAD(, feed) feeds;
	bool has_over; /* is there a feed that is over? */
	bool has_idle; /* is there a target without a feed? */
	bool is_stopped;
};

/* Is the kernel, or this process, out of something that it will have again? */
bool feeder_is_shortage(int error);

/* Opens this actor's mailbox; call it before other descriptors are opened. From then on SIGTERM
 * ends feeder_run, in this and all threads that are started later. */
int feeder_init(struct feeder *feeder, const struct feeder_type *type);
/* Tells inkod, as inko_actor_notify does, by a socket that is open since feeder_init. What it does
 * not take now is said when it does: it waits for that, and nobody else waits for inkod. */
void feeder_notify(struct feeder *feeder, const char *line);
/* Says that the actor is ready and feeds until inkod wants it to end. */
void feeder_run(struct feeder *feeder);

/* The mailbox of that name, which is open for as long as a feed is aimed at it. */
int feeder_find_target(struct feeder *feeder, const char *name, struct feeder_target **ret_target);
/* What comes in on feed goes there from now on. */
void feeder_aim(struct feeder *feeder, struct feed *feed, struct feeder_target *target);
/* Feeds from feed, whose fd is set and that is aimed, when there is room. */
void feeder_add(struct feeder *feeder, struct feed *feed);
/* Takes nothing in from feed when this returns, until it is no longer paused; what it holds still
 * goes where there is room. It goes on when the news were read. */
void feeder_pause(struct feeder *feeder, struct feed *feed, bool paused);
/* Has feed, which nobody feeds any more, bring all that has come, however long that has to wait for
 * room or for the end of a pause; on_over follows. */
void feeder_end(struct feeder *feeder, struct feed *feed);
/* Takes that back before on_over has followed. */
void feeder_keep(struct feed *feed);
/* Brings what has come already, unless it is paused, as far as there is room and for a bounded
 * time, and feeds from it no more. What it holds is the caller's then. */
void feeder_remove(struct feeder *feeder, struct feed *feed);
