/*
 * Mailboxes to send to: lanes that come, fill up and end.
 */

#include "tests/unit/lanes.h"

#include <grp.h>
#include <signal.h>
#include <sys/resource.h>

#define SOON_USEC 50000
#define QUEUE 8
#define MAX_OUT 4

/* Since Linux 6.16. */
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

/* An actor with a mailbox open to another, whose lanes' other ends are here. */
struct opener {
	struct lanes lanes;
	struct inko_mailbox *to;
	struct lane_ends out[MAX_OUT];
	unsigned int n_out;
};

static void opener_open(struct opener *opener, const char *name)
{
	*opener = (struct opener){0};
	lanes_open(&opener->lanes, "mailbox");
	assert_int_equal(inko_mailbox_open(opener->lanes.own, name, &opener->to), 0);
}

/* inkod makes one lane more, and does not give it yet. */
static void opener_make_lane(struct opener *opener)
{
	opener->out[opener->n_out++] = lane_ends_open(QUEUE);
}

/* inkod gives lane i; nobody has received it yet. */
static void opener_give_lane(struct opener *opener, size_t i, const char *peer)
{
	lanes_tell(&opener->lanes, i + 1, ENVELOPE_LANE_OUT, peer, &opener->out[i].write_fd, 1);
}

static void opener_tell(struct opener *opener, const char *peer)
{
	opener_make_lane(opener);
	opener_give_lane(opener, opener->n_out - 1, peer);
}

/* With a mailbox open to web, of whose instances n are told. */
static void opener_open_to_web(struct opener *opener, unsigned int n)
{
	char peer[16];

	opener_open(opener, "web");
	for (unsigned int i = 0; i < n; i++) {
		snprintf(peer, sizeof(peer), "web/%u", i);
		opener_tell(opener, peer);
	}
}

static void opener_close(struct opener *opener)
{
	opener->to = inko_mailbox_close(opener->to);
	lanes_close(&opener->lanes);
	for (unsigned int i = 0; i < opener->n_out; i++)
		lane_ends_close(&opener->out[i]);
}

/* So many of x, to be freed. */
static char *long_text(size_t length)
{
	char *text = malloc(length + 1);

	assert_non_null(text);
	memset(text, 'x', length);
	text[length] = '\0';
	return text;
}

static struct inko_message *make(const char *text)
{
	struct inko_message *message;

	assert_int_equal(inko_message_new(text, strlen(text), &message), 0);
	return message;
}

static int try_send(struct opener *opener, const char *text)
{
	struct inko_message *message = make(text);
	int r = inko_mailbox_try_send(opener->to, message);

	if (r < 0) {
		/* It is still the caller's, and whole. */
		assert_string_equal(inko_message_peek_bytes(message, NULL), text);
		inko_message_free(message);
	}
	return r;
}

static void fill(struct opener *opener, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(try_send(opener, ""), 0);
}

/* How many messages wait in lane i; they are taken off it. */
static unsigned int drain(struct opener *opener, size_t i)
{
	struct lane_message message;
	unsigned int n = 0;

	while (lane_receive(opener->out[i].read_fd, false, &message) == 1) {
		lane_message_done(&message);
		n++;
	}
	return n;
}

static void expect(struct opener *opener, size_t i, const char *text)
{
	struct lane_message message;

	assert_int_equal(lane_receive(opener->out[i].read_fd, false, &message), 1);
	assert_int_equal(message.envelope.kind, ENVELOPE_MESSAGE);
	assert_string_equal(message.body ? message.body : "", text);
	lane_message_done(&message);
}

static void test_names(void **state)
{
	static const char *const bad[] = {
		"", "/*", "web/0", "web/", "web/*/*", "../x", ".x", "-x", "a b", "web*"};
	struct inko_mailbox *mailbox = NULL;
	struct opener opener;

	(void)state;
	opener_open(&opener, "web");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(inko_mailbox_open(opener.lanes.own, bad[i], &mailbox), -EINVAL);
	assert_int_equal(inko_mailbox_open(opener.to, "web", &mailbox), -EOPNOTSUPP);
	assert_null(mailbox);
	opener_close(&opener);
}

static void test_calls_that_do_not_fit(void **state)
{
	struct inko_message *message = make("x"), *received = NULL;
	struct inko_socket *socket = NULL;
	struct opener opener;

	(void)state;
	opener_open(&opener, "web");
	assert_int_equal(inko_mailbox_receive(opener.to, &received), -EOPNOTSUPP);
	assert_int_equal(inko_mailbox_try_receive(opener.to, &received), -EOPNOTSUPP);
	assert_int_equal(inko_mailbox_accept(opener.to, NULL, &socket), -EOPNOTSUPP);
	assert_int_equal(inko_mailbox_send(opener.lanes.own, message), -EOPNOTSUPP);
	assert_int_equal(inko_mailbox_try_send(opener.lanes.own, message), -EOPNOTSUPP);
	assert_int_equal(inko_mailbox_room(opener.lanes.own), 0);
	assert_null(received);
	inko_message_free(message);
	opener_close(&opener);
}

static void test_lane_comes_after_opening(void **state)
{
	struct opener opener;

	(void)state;
	opener_open(&opener, "web");
	assert_int_equal(try_send(&opener, "nobody"), -EAGAIN);
	assert_int_equal(inko_mailbox_room(opener.to), 0);
	assert_false(lanes_is_readable(opener.to));
	opener_tell(&opener, "web/0");
	/* Who sends need not receive. */
	assert_int_equal(try_send(&opener, "hello"), 0);
	expect(&opener, 0, "hello");
	opener_close(&opener);
}

/* An event loop receives, which is -EAGAIN, and finds that its other mailbox has something. */
static void test_lane_comes_to_an_event_loop(void **state)
{
	struct inko_message *message = NULL;
	struct opener opener;

	(void)state;
	opener_open(&opener, "web");
	opener_tell(&opener, "web/0");
	assert_false(lanes_is_readable(opener.to));
	assert_true(lanes_is_readable(opener.lanes.own));
	assert_int_equal(inko_mailbox_try_receive(opener.lanes.own, &message), -EAGAIN);
	assert_true(lanes_is_readable(opener.to));
	assert_int_equal(inko_mailbox_room(opener.to), QUEUE);
	assert_false(lanes_is_readable(opener.to));
	opener_close(&opener);
}

static void test_lane_comes_before_opening(void **state)
{
	struct inko_message *message = NULL;
	struct inko_mailbox *again;
	struct opener opener;

	(void)state;
	opener_open(&opener, "other");
	opener_tell(&opener, "web/0");
	opener_tell(&opener, "web/1");
	assert_int_equal(inko_mailbox_try_receive(opener.lanes.own, &message), -EAGAIN);
	opener.to = inko_mailbox_close(opener.to);
	assert_int_equal(inko_mailbox_open(opener.lanes.own, "web", &opener.to), 0);
	assert_int_equal(try_send(&opener, "a"), 0);
	assert_int_equal(try_send(&opener, "b"), 0);
	expect(&opener, 0, "a");
	expect(&opener, 1, "b");
	/* Open it twice, close it once: the lanes stay. */
	assert_int_equal(inko_mailbox_open(opener.lanes.own, "web", &again), 0);
	inko_mailbox_close(again);
	assert_int_equal(inko_mailbox_room(opener.to), 2 * QUEUE);
	opener_close(&opener);
}

static void test_lanes_belong_to_their_name(void **state)
{
	struct inko_mailbox *shared;
	struct opener opener;

	(void)state;
	opener_open(&opener, "web");
	assert_int_equal(inko_mailbox_open(opener.lanes.own, "web/*", &shared), 0);
	opener_tell(&opener, "web/*");
	opener_tell(&opener, "website/0");
	assert_int_equal(try_send(&opener, "x"), -EAGAIN);
	assert_int_equal(inko_mailbox_room(shared), QUEUE);
	assert_int_equal(inko_mailbox_send(shared, make("all")), 0);
	expect(&opener, 0, "all");
	inko_mailbox_close(shared);
	opener_close(&opener);
}

static void test_known_lane_is_closed(void **state)
{
	struct opener opener;
	uintptr_t n_fds;

	(void)state;
	opener_open_to_web(&opener, 1);
	assert_int_equal(inko_mailbox_room(opener.to), QUEUE);
	n_fds = leaks_count_fds();
	opener_give_lane(&opener, 0, "web/0");
	fill(&opener, QUEUE);
	assert_int_equal(try_send(&opener, ""), -EAGAIN);
	assert_int_equal(leaks_count_fds(), n_fds);
	opener_close(&opener);
}

static void test_lanes_have_turns(void **state)
{
	struct opener opener;

	(void)state;
	opener_open_to_web(&opener, 3);
	for (int i = 0; i < 12; i++)
		assert_int_equal(try_send(&opener, "x"), 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(drain(&opener, i), 4);
	opener_close(&opener);
}

static void test_full_lane_is_passed_over(void **state)
{
	struct opener opener;

	(void)state;
	opener_open_to_web(&opener, 2);
	fill(&opener, 2 * QUEUE);
	assert_int_equal(drain(&opener, 1), QUEUE);
	fill(&opener, QUEUE);
	assert_int_equal(drain(&opener, 0), QUEUE);
	assert_int_equal(drain(&opener, 1), QUEUE);
	opener_close(&opener);
}

static void test_room(void **state)
{
	struct opener opener;

	(void)state;
	opener_open_to_web(&opener, 2);
	assert_int_equal(inko_mailbox_room(opener.to), 2 * QUEUE);
	for (unsigned int i = 1; i <= 2 * QUEUE; i++) {
		assert_int_equal(try_send(&opener, ""), 0);
		assert_int_equal(inko_mailbox_room(opener.to), 2 * QUEUE - i);
	}
	assert_int_equal(try_send(&opener, ""), -EAGAIN);
	assert_false(lanes_is_readable(opener.to));
	/* One place is found when asked for, though the kernel tells only of more. */
	assert_int_equal(lane_receive(opener.out[0].read_fd, false, &(struct lane_message){0}), 1);
	assert_false(lanes_is_readable(opener.to));
	assert_int_equal(inko_mailbox_room(opener.to), 1);
	assert_int_equal(try_send(&opener, ""), 0);
	assert_int_equal(try_send(&opener, ""), -EAGAIN);

	assert_int_equal(drain(&opener, 1), QUEUE);
	assert_true(lanes_is_readable(opener.to));
	assert_int_equal(inko_mailbox_room(opener.to), QUEUE);
	assert_false(lanes_is_readable(opener.to));
	opener_close(&opener);
}

/* Bodies take more than envelopes: room is asked again after each. */
static void test_room_after_bodies(void **state)
{
	char *body = long_text(1000);
	struct opener opener;
	unsigned int room;

	(void)state;
	opener_open_to_web(&opener, 1);
	assert_int_equal(try_send(&opener, body), 0);
	room = inko_mailbox_room(opener.to);
	assert_in_range(room, 1, QUEUE - 2);
	fill(&opener, room);
	assert_int_equal(try_send(&opener, ""), -EAGAIN);
	free(body);
	opener_close(&opener);
}

static void test_revoked_lane_loses_nothing(void **state)
{
	struct opener opener;
	uintptr_t n_fds;

	(void)state;
	opener_open_to_web(&opener, 2);
	assert_int_equal(try_send(&opener, "0"), 0);
	assert_int_equal(try_send(&opener, "1"), 0);
	n_fds = leaks_count_fds();
	assert_int_equal(lane_revoke(opener.out[0].read_fd), 0);
	for (int i = 0; i < QUEUE - 1; i++)
		assert_int_equal(try_send(&opener, "more"), 0);
	assert_int_equal(leaks_count_fds(), n_fds - 1);
	assert_int_equal(try_send(&opener, "none left"), -EAGAIN);
	assert_int_equal(drain(&opener, 0), 1);
	assert_int_equal(drain(&opener, 1), QUEUE);

	assert_int_equal(lane_revoke(opener.out[1].read_fd), 0);
	assert_int_equal(try_send(&opener, "nobody"), -EAGAIN);
	opener_tell(&opener, "web/1");
	assert_int_equal(try_send(&opener, "again"), 0);
	expect(&opener, 2, "again");
	opener_close(&opener);
}

/* The end of a lane is noticed without sending, once and not again and again. */
static void test_revoked_lane_is_noticed(void **state)
{
	struct opener opener;
	uintptr_t n_fds;
	int n_wakeups = 0;

	(void)state;
	opener_open_to_web(&opener, 2);
	assert_int_equal(inko_mailbox_room(opener.to), 2 * QUEUE);
	n_fds = leaks_count_fds();
	assert_int_equal(lane_revoke(opener.out[1].read_fd), 0);
	for (; lanes_is_readable(opener.to); n_wakeups++)
		(void)inko_mailbox_room(opener.to);
	assert_in_range(n_wakeups, 1, 20);
	assert_int_equal(leaks_count_fds(), n_fds - 1);
	assert_int_equal(inko_mailbox_room(opener.to), QUEUE);
	opener_close(&opener);
}

static void test_send_waits_for_room(void **state)
{
	enum { ALL = 500 };
	struct opener opener;
	int status;

	(void)state;
	opener_open_to_web(&opener, 1);
	if (fork() == 0) {
		struct pollfd readable = {.fd = opener.out[0].read_fd, .events = POLLIN};
		unsigned int n = 0;

		usleep(SOON_USEC);
		while (n < ALL && poll(&readable, 1, 5000) == 1)
			n += drain(&opener, 0);
		_exit(n == ALL ? 0 : 1);
	}
	for (int i = 0; i < ALL; i++)
		assert_int_equal(inko_mailbox_send(opener.to, make("x")), 0);
	wait(&status);
	assert_int_equal(status, 0);
	opener_close(&opener);
}

static void test_send_waits_for_a_receiver(void **state)
{
	struct opener opener;

	(void)state;
	opener_open(&opener, "web");
	opener_make_lane(&opener);
	if (fork() == 0) {
		usleep(SOON_USEC);
		assert_int_equal(
			lanes_send(&opener.lanes, 0, ENVELOPE_LISTENER, "first", NULL, 0), 0);
		opener_give_lane(&opener, 0, "web/0");
		_exit(0);
	}
	assert_int_equal(inko_mailbox_send(opener.to, make("hello")), 0);
	expect(&opener, 0, "hello");
	/* What else inkod said is there still. */
	assert_true(lanes_is_readable(opener.lanes.own));
	lanes_expect(opener.lanes.own, "first");
	assert_false(lanes_is_readable(opener.lanes.own));
	wait(NULL);
	opener_close(&opener);
}

/* A full lane that is revoked while send waits: the message goes by another, or waits for one. */
static void test_send_survives_revocation(void **state)
{
	struct opener opener;

	(void)state;
	opener_open_to_web(&opener, 1);
	fill(&opener, QUEUE);
	opener_make_lane(&opener);
	if (fork() == 0) {
		usleep(SOON_USEC);
		lane_revoke(opener.out[0].read_fd);
		usleep(SOON_USEC);
		opener_give_lane(&opener, 1, "web/0");
		_exit(0);
	}
	assert_int_equal(inko_mailbox_send(opener.to, make("kept")), 0);
	expect(&opener, 1, "kept");
	assert_int_equal(drain(&opener, 0), QUEUE);
	wait(NULL);
	opener_close(&opener);
}

static void test_send_after_stop(void **state)
{
	struct inko_message *message = make("x");
	struct opener opener;

	(void)state;
	opener_open_to_web(&opener, 1);
	assert_int_equal(lanes_send(&opener.lanes, 0, ENVELOPE_STOP, "", NULL, 0), 0);
	assert_int_equal(inko_mailbox_send(opener.to, make("goes on")), 0);
	expect(&opener, 0, "goes on");
	assert_int_equal(lane_revoke(opener.out[0].read_fd), 0);
	/* Nobody is left, and nobody will come. */
	assert_int_equal(inko_mailbox_send(opener.to, message), -ESHUTDOWN);
	assert_int_equal(inko_mailbox_try_send(opener.to, message), -EAGAIN);
	inko_message_free(message);
	opener_close(&opener);
}

static void test_sends_connections(void **state)
{
	const struct inko_address peer_address = {
		.ip = {.version = 6, .bytes = {0xfe, 0x80, [15] = 1}, .scope = 3}, .port = 5};
	struct inko_message *message;
	struct lane_message got;
	struct opener opener;
	int peer, fd = lanes_connection(&peer);

	(void)state;
	opener_open(&opener, "web");
	assert_int_equal(inko_message_new_connection(&fd, "tcp-80", &peer_address, &message), 0);
	assert_int_equal(inko_mailbox_try_send(opener.to, message), -EAGAIN);
	assert_int_equal(inko_message_count_sockets(message), 1);
	assert_false(lanes_is_hung_up(peer));
	opener_tell(&opener, "web/0");
	assert_int_equal(inko_mailbox_try_send(opener.to, message), 0);

	assert_int_equal(lane_receive(opener.out[0].read_fd, false, &got), 1);
	assert_int_equal(got.envelope.kind, ENVELOPE_CONNECTION);
	assert_string_equal(got.envelope.listener, "tcp-80");
	assert_int_equal(got.envelope.peer_family, AF_INET6);
	assert_int_equal(got.envelope.peer_port, 5);
	assert_int_equal(got.envelope.peer_scope, 3);
	assert_memory_equal(got.envelope.peer_address, peer_address.ip.bytes, 16);
	assert_int_equal(got.passed.n_fds, 1);
	lane_message_done(&got);
	assert_true(lanes_is_hung_up(peer)); /* the sender has it no more */
	close(peer);
	opener_close(&opener);
}

static void send_on(struct opener *opener)
{
	struct inko_message *message;

	assert_int_equal(inko_mailbox_receive(opener->lanes.own, &message), 0);
	assert_int_equal(inko_mailbox_send(opener->to, message), 0);
}

/* What is received can be sent on; a listener or an answer is then a message like any other. */
static void test_sends_on(void **state)
{
	struct envelope connection = {.kind = ENVELOPE_CONNECTION, .time_usec = 4711};
	struct lane_message got;
	struct opener opener;
	int peer, fd = lanes_connection(&peer);

	(void)state;
	opener_open_to_web(&opener, 1);
	assert_int_equal(lanes_send(&opener.lanes, 0, ENVELOPE_LISTENER, "listener", &fd, 1), 0);
	assert_int_equal(lane_send(opener.lanes.ends[0].write_fd, &connection, NULL, 0, &fd, 1), 0);
	close(fd);
	inko_mailbox_set_concurrency(opener.lanes.own, 1);
	send_on(&opener);
	expect(&opener, 0, "listener");
	send_on(&opener);
	assert_int_equal(lane_receive(opener.out[0].read_fd, false, &got), 1);
	assert_int_equal(got.envelope.kind, ENVELOPE_CONNECTION);
	assert_int_equal(got.envelope.time_usec, 4711);
	lane_message_done(&got);
	assert_true(lanes_is_hung_up(peer));
	close(peer);
	opener_close(&opener);
}

static void test_large_body_travels(void **state)
{
	char *big = long_text(1 << 20);
	struct opener opener;

	(void)state;
	opener_open_to_web(&opener, 1);
	assert_int_equal(try_send(&opener, big), 0);
	expect(&opener, 0, big);
	free(big);
	opener_close(&opener);
}

/* What is wrong with the sender does not cost it its lanes. */
static void test_own_errors_keep_the_lane(void **state)
{
	struct rlimit limit, low;
	struct opener opener;
	char *big = long_text(20000);

	(void)state;
	opener_open_to_web(&opener, 1);
	assert_int_equal(inko_mailbox_room(opener.to), QUEUE);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = 3; /* there is no room for the memfd */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(try_send(&opener, big), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(try_send(&opener, big), 0);
	expect(&opener, 0, big);
	free(big);
	opener_close(&opener);
}

/* A receiver that refuses descriptors ends its lane; the other one gets the message. */
static void test_lane_that_takes_no_descriptors(void **state)
{
	struct inko_message *message;
	struct lane_message got;
	struct opener opener;
	int off = 0, peer, fd = lanes_connection(&peer);

	(void)state;
	opener_open_to_web(&opener, 2);
	if (setsockopt(opener.out[0].read_fd, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off)) < 0)
		print_message("SO_PASSRIGHTS is not known here\n");
	assert_int_equal(inko_message_new_connection(&fd, "l", NULL, &message), 0);
	assert_int_equal(inko_mailbox_send(opener.to, message), 0);
	assert_int_equal(lane_receive(opener.out[1].read_fd, false, &got) == 1 ||
				 lane_receive(opener.out[0].read_fd, false, &got) == 1,
		1);
	lane_message_done(&got);
	close(peer);
	opener_close(&opener);
}

/* Descriptors in flight are limited for a uid: the message stays the caller's, the lanes too. */
static void send_until_too_many_refs(struct opener *opener)
{
	struct rlimit low = {.rlim_cur = 110, .rlim_max = 20000};
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), r;
	struct inko_message *message;

	if (setgroups(0, NULL) < 0 || setresuid(65534, 65534, 65534) < 0)
		_exit(77);
	(void)setrlimit(RLIMIT_NOFILE, &low);
	for (int i = 0; i < 2; i++) {
		int fds[100];

		for (size_t j = 0; j < 100; j++)
			fds[j] = fd;
		(void)lanes_send(&opener->lanes, 0, ENVELOPE_MESSAGE, "", fds, 100);
	}
	/* valgrind keeps the limit to itself, and the kernel then knows of none. */
	if (lanes_send(&opener->lanes, 0, ENVELOPE_MESSAGE, "", &fd, 1) != -ETOOMANYREFS)
		_exit(77);
	if (inko_message_new_connection(&fd, "l", NULL, &message) < 0)
		_exit(1);
	r = inko_mailbox_try_send(opener->to, message);
	if (r != -ETOOMANYREFS || inko_message_count_sockets(message) != 1)
		_exit(2);
	_exit(inko_mailbox_room(opener->to) == QUEUE ? 0 : 3);
}

static void test_too_many_refs(void **state)
{
	struct opener opener;
	int status;

	(void)state;
	if (geteuid() != 0)
		skip();
	opener_open_to_web(&opener, 1);
	assert_int_equal(inko_mailbox_room(opener.to), QUEUE);
	if (fork() == 0)
		send_until_too_many_refs(&opener);
	wait(&status);
	opener_close(&opener);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(test_names),
		leaks_test(test_calls_that_do_not_fit),
		leaks_test(test_lane_comes_after_opening),
		leaks_test(test_lane_comes_to_an_event_loop),
		leaks_test(test_lane_comes_before_opening),
		leaks_test(test_lanes_belong_to_their_name),
		leaks_test(test_known_lane_is_closed),
		leaks_test(test_lanes_have_turns),
		leaks_test(test_full_lane_is_passed_over),
		leaks_test(test_room),
		leaks_test(test_room_after_bodies),
		leaks_test(test_revoked_lane_loses_nothing),
		leaks_test(test_revoked_lane_is_noticed),
		leaks_test(test_send_waits_for_room),
		leaks_test(test_send_waits_for_a_receiver),
		leaks_test(test_send_survives_revocation),
		leaks_test(test_send_after_stop),
		leaks_test(test_sends_connections),
		leaks_test(test_sends_on),
		leaks_test(test_large_body_travels),
		leaks_test(test_own_errors_keep_the_lane),
		leaks_test(test_lane_that_takes_no_descriptors),
		leaks_test(test_too_many_refs),
	};

	/* Whoever started this may have left descriptors open from 3 on. */
	(void)close_range(3, ~0u, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
