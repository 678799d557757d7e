/*
 * The mailbox that a process receives from (inbox.c), over real lanes, and the type.
 */

#include "tests/unit/close-under.h"
#include "tests/unit/lanes.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>

#include "libclient/wait.h"

#include <inko/actor.h>
#include <inko/notifier.h>
#include <inko/tcp.h>

#define SOON_USEC 50000

static uint64_t now_usec(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void send_text(struct lanes *lanes, size_t lane, const char *text)
{
	assert_int_equal(lanes_send(lanes, lane, ENVELOPE_MESSAGE, text, NULL, 0), 0);
}

/* Returns the client's side. */
static int send_connection(struct lanes *lanes, size_t lane)
{
	int peer, fd = lanes_connection(&peer);

	assert_int_equal(lanes_send(lanes, lane, ENVELOPE_CONNECTION, "", &fd, 1), 0);
	close(fd);
	return peer;
}

static void stop(struct lanes *lanes)
{
	assert_int_equal(lanes_send(lanes, 0, ENVELOPE_STOP, "", NULL, 0), 0);
}

static int try_receive(struct lanes *lanes)
{
	struct inko_message *message = NULL;
	int r = inko_mailbox_try_receive(lanes->own, &message);

	if (r == 0)
		inko_message_free(message);
	else
		assert_null(message);
	return r;
}

/* Opening */

/* What was passed as fd, which must be 3, makes no mailbox. */
static void expect_no_mailbox(int fd, size_t n_fds, const char *names, int error)
{
	struct inko_mailbox *mailbox = NULL;

	assert_int_equal(fd, 3);
	lanes_set_environment(getpid(), n_fds, names);
	assert_int_equal(inko_mailbox_open_own(&mailbox), error);
	assert_null(mailbox);
	unsetenv("LISTEN_PID");
}

static void test_no_mailbox(void **state)
{
	struct lane_ends ends = lane_ends_open(LANES_QUEUE);
	int fd = dup2(ends.read_fd, 3);

	(void)state;
	expect_no_mailbox(fd, 0, "", -ENOENT);
	expect_no_mailbox(fd, 1, "", -ENOENT);
	expect_no_mailbox(fd, 1, "web", -ENOENT);
	expect_no_mailbox(fd, 2, "mailbox:mailbox", -EBADF); /* the second is not there */
	close(fd);
	lane_ends_close(&ends);
}

/* inkod has a lane of its own to each instance. */
static void test_no_lane_of_inkod(void **state)
{
	struct lane_ends ends = lane_ends_open(LANES_QUEUE);

	(void)state;
	expect_no_mailbox(dup2(ends.read_fd, 3), 1, "mailbox-shared", -ENOENT);
	assert_int_equal(fcntl(3, F_GETFD), -1); /* it was taken */
	lane_ends_close(&ends);
}

static void test_mailbox_that_is_no_lane(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	expect_no_mailbox(fds[0], 1, "mailbox", -EPROTOTYPE);
	close(fds[0]);
	close(fds[1]);
}

static void test_open_keeps_environment_and_closes_on_exec(void **state)
{
	struct lanes lanes;

	(void)state;
	lanes_open(&lanes, "mailbox:web:mailbox-shared");
	for (int fd = 3; fd < 6; fd++)
		assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_string_equal(getenv("LISTEN_FDS"), "3");
	send_text(&lanes, 1, "is not a lane of ours");
	assert_int_equal(try_receive(&lanes), -EAGAIN);
	send_text(&lanes, 2, "is");
	lanes_expect(lanes.own, "is");
	close(4); /* the program's own */
	lanes_close(&lanes);
}

/* Receiving */

static void test_receives(void **state)
{
	struct envelope envelope = {.kind = ENVELOPE_CONNECTION,
		.peer_family = AF_INET,
		.peer_port = 99,
		.peer_address = {192, 0, 2, 1},
		.listener = "tcp-80",
		.time_usec = 12345};
	const struct inko_address expected = {.ip = inko_ip_v4(192, 0, 2, 1), .port = 99};
	struct inko_address from;
	struct inko_message *message;
	struct inko_socket *socket;
	struct lanes lanes;
	size_t size;
	int peer, fd = lanes_connection(&peer);

	(void)state;
	lanes_open(&lanes, "mailbox:mailbox");
	assert_false(lanes_is_readable(lanes.own));
	assert_int_equal(try_receive(&lanes), -EAGAIN);
	assert_int_equal(lane_send(lanes.ends[1].write_fd, &envelope, "hello", 5, &fd, 1), 0);
	close(fd);
	assert_true(lanes_is_readable(lanes.own));

	assert_int_equal(inko_mailbox_receive(lanes.own, &message), 0);
	assert_false(lanes_is_readable(lanes.own));
	assert_int_equal(inko_message_get_kind(message), INKO_CONNECTION);
	assert_string_equal(inko_message_peek_bytes(message, &size), "hello");
	assert_int_equal(size, 5);
	assert_string_equal(inko_message_peek_listener(message), "tcp-80");
	assert_int_equal(inko_message_peek_peer(message, &from), 0);
	assert_true(inko_address_equal(&from, &expected));
	assert_int_equal(inko_message_get_time(message), 12345);
	assert_int_equal(inko_message_take_socket(message, &socket), 0);
	assert_true(fcntl(inko_socket_get_fd(socket), F_GETFD) & FD_CLOEXEC);
	inko_message_free(message);
	assert_int_equal(inko_socket_write_string(socket, "hi"), 0);
	assert_int_equal(inko_socket_shutdown(socket), 0);
	inko_socket_close(socket);
	assert_int_equal(read(peer, (char[4]){0}, 4), 2);
	close(peer);
	lanes_close(&lanes);
}

/* Another process sends when receive is waiting. */
static void send_late(struct lanes *lanes)
{
	if (fork() == 0) {
		usleep(SOON_USEC);
		send_text(lanes, 1, "late");
		_exit(0);
	}
}

static void expect_late(struct lanes *lanes)
{
	struct inko_message *message;

	assert_int_equal(inko_mailbox_receive(lanes->own, &message), 0);
	assert_string_equal(inko_message_peek_bytes(message, NULL), "late");
	inko_message_free(message);
}

static void test_waits_for_a_message(void **state)
{
	struct lanes lanes;

	(void)state;
	lanes_open(&lanes, "mailbox:mailbox");
	send_late(&lanes);
	expect_late(&lanes);
	wait(NULL);
	lanes_close(&lanes);
}

static void on_alarm(int number)
{
	(void)number;
}

static void test_signals_do_not_interrupt(void **state)
{
	struct sigaction action = {.sa_handler = on_alarm}, before;
	struct itimerval often = {{0, 2000}, {0, 2000}}, off = {0};
	struct lanes lanes;

	(void)state;
	lanes_open(&lanes, "mailbox:mailbox");
	send_late(&lanes);
	sigaction(SIGALRM, &action, &before);
	setitimer(ITIMER_REAL, &often, NULL);
	expect_late(&lanes);
	setitimer(ITIMER_REAL, &off, NULL);
	/* One that is still pending goes. */
	signal(SIGALRM, SIG_IGN);
	sigaction(SIGALRM, &before, NULL);
	wait(NULL);
	lanes_close(&lanes);
}

static void test_lanes_have_turns(void **state)
{
	enum { EACH = 60, BUDGET = 16 };
	unsigned int n_of[3] = {0}, in_a_row = 0, last = 0;
	struct inko_message *message;
	struct lanes lanes;

	(void)state;
	lanes_open(&lanes, "mailbox:mailbox:mailbox-shared:mailbox");
	for (int i = 0; i < EACH; i++) {
		send_text(&lanes, 1, "0");
		send_text(&lanes, 2, "1");
		send_text(&lanes, 3, "2");
	}
	for (int i = 0; i < 3 * EACH; i++) {
		unsigned int lane;

		assert_int_equal(inko_mailbox_try_receive(lanes.own, &message), 0);
		lane = (unsigned int)(inko_message_peek_bytes(message, NULL)[0] - '0');
		inko_message_free(message);
		assert_in_range(lane, 0, 2);
		in_a_row = lane == last ? in_a_row + 1 : 1;
		last = lane;
		n_of[lane]++;
		/* Nobody is further ahead than one turn, until some lane is empty. */
		assert_true(in_a_row <= BUDGET || n_of[0] == EACH || n_of[1] == EACH ||
			    n_of[2] == EACH);
	}
	assert_int_equal(try_receive(&lanes), -EAGAIN);
	assert_int_equal(n_of[0] + n_of[1] + n_of[2], 3 * EACH);
	lanes_close(&lanes);
}

/* Several processes count what they got, and the sum is told here. */
struct tally {
	int read_fd, write_fd;
};

static void tally_open(struct tally *tally)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	tally->read_fd = lanes_move_up(fds[0]);
	tally->write_fd = lanes_move_up(fds[1]);
}

static void tally_exit(const struct tally *tally, int n)
{
	_exit(write(tally->write_fd, &n, sizeof(n)) == sizeof(n) ? 0 : 1);
}

/* Ends when all children have. */
static int tally_sum(struct tally *tally)
{
	int sum = 0, n;

	descriptor_close(&tally->write_fd);
	while (read(tally->read_fd, &n, sizeof(n)) == sizeof(n))
		sum += n;
	descriptor_close(&tally->read_fd);
	while (wait(NULL) > 0)
		;
	return sum;
}

static void send_many(struct lanes *lanes, size_t lane, int n)
{
	struct pollfd room = {.fd = lanes->ends[lane].write_fd, .events = POLLOUT};

	while (n > 0)
		if (lanes_send(lanes, lane, ENVELOPE_MESSAGE, "x", NULL, 0) == 0)
			n--;
		else
			(void)poll(&room, 1, -1);
}

/* What comes until nothing has for a while. */
static int count_messages(const struct lanes *lanes)
{
	struct pollfd readable = {.fd = inko_mailbox_get_fd(lanes->own), .events = POLLIN};
	struct inko_message *message;
	int n = 0, r;

	do {
		while ((r = inko_mailbox_try_receive(lanes->own, &message)) == 0) {
			inko_message_free(message);
			n++;
		}
	} while (r == -EAGAIN && poll(&readable, 1, 10 * SOON_USEC / 1000) > 0);
	return n;
}

/* Siblings read one lane: each message is received once, and lost races are no errors. */
static void test_siblings_share_a_lane(void **state)
{
	enum { SIBLINGS = 3, ALL = 20000 };
	struct lane_ends shared = lane_ends_open(LANES_QUEUE);
	struct tally tally;

	(void)state;
	tally_open(&tally);
	for (int i = 0; i < SIBLINGS; i++) {
		if (fork() == 0) {
			struct lanes lanes;

			lanes_open(&lanes, "mailbox");
			lanes_tell(&lanes, 1, ENVELOPE_LANE_IN | ENVELOPE_LANE_SHARED, "ask/0",
				&shared.read_fd, 1);
			tally_exit(&tally, count_messages(&lanes));
		}
	}
	send_many(&(struct lanes){.ends = {shared}}, 0, ALL);
	assert_int_equal(tally_sum(&tally), ALL);
	lane_ends_close(&shared);
}

/* Lanes that come later */

/* inkod gives one more, which becomes the last of lanes. */
static void add_lane(struct lanes *lanes, uint64_t number)
{
	struct lane_ends *ends = &lanes->ends[lanes->n_lanes++];

	*ends = lane_ends_open(LANES_QUEUE);
	lanes_tell(lanes, number, ENVELOPE_LANE_IN, "ask/0", &ends->read_fd, 1);
}

static void test_lane_added_later(void **state)
{
	struct lanes lanes;
	uintptr_t n_fds;

	(void)state;
	lanes_open(&lanes, "mailbox:mailbox");
	add_lane(&lanes, 7);
	assert_int_equal(try_receive(&lanes), -EAGAIN);
	n_fds = leaks_count_fds();
	/* Said again, it is closed. */
	lanes_tell(&lanes, 7, ENVELOPE_LANE_IN, "ask/0", &lanes.ends[2].read_fd, 1);
	assert_int_equal(try_receive(&lanes), -EAGAIN);
	assert_int_equal(leaks_count_fds(), n_fds);

	send_text(&lanes, 2, "by the new lane");
	lanes_expect(lanes.own, "by the new lane");
	assert_int_equal(try_receive(&lanes), -EAGAIN);
	lanes_close(&lanes);
}

static void test_lane_that_is_revoked(void **state)
{
	struct lanes lanes;
	uintptr_t n_fds;

	(void)state;
	lanes_open(&lanes, "mailbox:mailbox:mailbox");
	n_fds = leaks_count_fds();
	send_text(&lanes, 1, "one");
	send_text(&lanes, 1, "two");
	assert_int_equal(lane_revoke(lanes.ends[1].read_fd), 0);
	assert_int_equal(lanes_send(&lanes, 1, ENVELOPE_MESSAGE, "", NULL, 0), -EPIPE);
	lanes_expect(lanes.own, "one");
	lanes_expect(lanes.own, "two");
	assert_int_equal(try_receive(&lanes), -EAGAIN);
	assert_false(lanes_is_readable(lanes.own));
	assert_int_equal(leaks_count_fds(), n_fds - 1);
	send_text(&lanes, 2, "the other one goes on");
	lanes_expect(lanes.own, "the other one goes on");
	lanes_close(&lanes);
}

/* All senders have closed with the program none the wiser. */
static void test_lane_whose_sender_ends(void **state)
{
	struct lanes lanes;

	(void)state;
	lanes_open(&lanes, "mailbox:mailbox");
	send_text(&lanes, 1, "last words");
	descriptor_close(&lanes.ends[1].write_fd);
	lanes_expect(lanes.own, "last words");
	assert_int_equal(try_receive(&lanes), -EAGAIN);
	assert_false(lanes_is_readable(lanes.own));
	lanes_close(&lanes);
}

/* Garbage */

static void test_garbage_is_dropped(void **state)
{
	struct envelope envelope = {.version = 77, .kind = ENVELOPE_MESSAGE};
	struct iovec iov = {.iov_base = &envelope, .iov_len = sizeof(envelope)};
	struct lanes lanes;
	int peer, fd = lanes_connection(&peer);

	(void)state;
	lanes_open(&lanes, "mailbox:mailbox:mailbox");
	assert_int_equal(send(lanes.ends[1].write_fd, "short", 5, 0), 5);
	assert_int_equal(passing_send(lanes.ends[1].write_fd, &iov, 1, &fd, 1), 0);
	envelope.version = ENVELOPE_VERSION;
	envelope.sockets = 2; /* but there is one */
	assert_int_equal(passing_send(lanes.ends[1].write_fd, &iov, 1, &fd, 1), 0);
	close(fd);
	send_text(&lanes, 1, "good");
	lanes_expect(lanes.own, "good");
	assert_true(lanes_is_hung_up(peer));
	close(peer);
	lanes_close(&lanes);
}

/* However much garbage waits, a call that does not wait returns. */
static void test_garbage_does_not_hold_the_program(void **state)
{
	struct lanes lanes;
	int n_calls = 1;

	(void)state;
	lanes_open(&lanes, "mailbox:mailbox");
	while (send(lanes.ends[1].write_fd, "short", 5, MSG_DONTWAIT) > 0)
		;
	for (; try_receive(&lanes) == -EAGAIN && lanes_is_readable(lanes.own); n_calls++)
		;
	assert_in_range(n_calls, 1, 20);
	send_text(&lanes, 1, "good");
	lanes_expect(lanes.own, "good");
	lanes_close(&lanes);
}

/* Only inkod says stop, gives lanes and listeners. */
static void test_peers_cannot_speak_for_inkod(void **state)
{
	struct lanes lanes;
	uintptr_t n_fds;
	int peer, fd = lanes_connection(&peer);
	struct envelope envelope = {
		.kind = ENVELOPE_LANE, .flags = ENVELOPE_LANE_IN, .correlation = 5};

	(void)state;
	lanes_open(&lanes, "mailbox:mailbox");
	n_fds = leaks_count_fds();
	assert_int_equal(lanes_send(&lanes, 1, ENVELOPE_STOP, "", NULL, 0), 0);
	assert_int_equal(lanes_send(&lanes, 1, ENVELOPE_LISTENER, "{}", &fd, 1), 0);
	assert_int_equal(lane_send(lanes.ends[1].write_fd, &envelope, "x/0", 3, &fd, 1), 0);
	send_text(&lanes, 1, "after it");
	lanes_expect(lanes.own, "after it");
	assert_int_equal(leaks_count_fds(), n_fds);
	assert_int_equal(lanes_send(&lanes, 0, ENVELOPE_LISTENER, "{}", &fd, 1), 0);
	lanes_expect(lanes.own, "{}");
	close(fd);
	close(peer);
	lanes_close(&lanes);
}

/* Stop */

static void test_stop_delivers_own_lanes(void **state)
{
	struct lane_message left;
	struct lanes lanes;

	(void)state;
	lanes_open(&lanes, "mailbox:mailbox:mailbox-shared:mailbox");
	send_text(&lanes, 1, "a");
	send_text(&lanes, 1, "b");
	send_text(&lanes, 2, "for a sibling");
	assert_int_equal(lane_revoke(lanes.ends[1].read_fd), 0);
	assert_int_equal(lane_revoke(lanes.ends[3].read_fd), 0);
	send_text(&lanes, 0, "before stop");
	stop(&lanes);
	send_text(&lanes, 0, "after stop");

	for (int n = 0;; n++) {
		struct inko_message *message;
		int r = inko_mailbox_receive(lanes.own, &message);

		if (r == -ESHUTDOWN) {
			/* The shared lane's may have come before stop was seen. */
			assert_in_range(n, 3, 4);
			break;
		}
		assert_int_equal(r, 0);
		assert_string_not_equal(inko_message_peek_bytes(message, NULL), "after stop");
		inko_message_free(message);
	}
	for (int i = 0; i < 3; i++) {
		assert_true(lanes_is_readable(lanes.own));
		assert_int_equal(try_receive(&lanes), -ESHUTDOWN);
	}
	/* What comes to the shared lane now stays for the siblings. */
	send_text(&lanes, 2, "sibling");
	assert_int_equal(try_receive(&lanes), -ESHUTDOWN);
	while (lane_receive(lanes.ends[2].read_fd, false, &left) == 1)
		lane_message_done(&left);
	lanes_close(&lanes);
}

static void test_stop_leaves_shared_lanes(void **state)
{
	struct lane_message left;
	struct lanes lanes;

	(void)state;
	lanes_open(&lanes, "mailbox:mailbox-shared");
	stop(&lanes);
	assert_int_equal(try_receive(&lanes), -ESHUTDOWN);
	send_text(&lanes, 1, "sibling");
	assert_int_equal(try_receive(&lanes), -ESHUTDOWN);
	assert_int_equal(lane_receive(lanes.ends[1].read_fd, false, &left), 1);
	assert_string_equal(left.body, "sibling");
	lane_message_done(&left);
	lanes_close(&lanes);
}

/* A lane that nobody revoked ends all the same. */
static void test_stop_revokes(void **state)
{
	struct lanes lanes;

	(void)state;
	lanes_open(&lanes, "mailbox:mailbox");
	stop(&lanes);
	assert_int_equal(try_receive(&lanes), -ESHUTDOWN);
	assert_int_equal(lanes_send(&lanes, 1, ENVELOPE_MESSAGE, "", NULL, 0), -EPIPE);
	lanes_close(&lanes);
}

static void test_inkod_is_gone(void **state)
{
	struct inko_message *message;
	struct lanes lanes;
	int n = 0;

	(void)state;
	lanes_open(&lanes, "mailbox:mailbox:mailbox-shared");
	send_text(&lanes, 0, "0");
	send_text(&lanes, 1, "1");
	send_text(&lanes, 2, "2");
	descriptor_close(&lanes.ends[0].write_fd);
	while (inko_mailbox_receive(lanes.own, &message) == 0) {
		inko_message_free(message);
		n++;
	}
	assert_int_equal(n, 3); /* nobody else will take the shared ones */
	assert_int_equal(try_receive(&lanes), -ESHUTDOWN);
	assert_true(lanes_is_readable(lanes.own));
	assert_int_equal(lanes_send(&lanes, 1, ENVELOPE_MESSAGE, "", NULL, 0), -EPIPE);
	lanes_close(&lanes);
}

/* Concurrency */

static struct inko_socket *receive_connection(struct lanes *lanes)
{
	struct inko_message *message;
	struct inko_socket *socket;

	assert_int_equal(inko_mailbox_try_receive(lanes->own, &message), 0);
	assert_int_equal(inko_message_take_socket(message, &socket), 0);
	inko_message_free(message);
	return socket;
}

static void test_concurrency(void **state)
{
	struct inko_socket *a, *b, *c;
	struct inko_message *message;
	struct lanes lanes;
	int peers[6], fd;

	(void)state;
	lanes_open(&lanes, "mailbox:mailbox:mailbox");
	inko_mailbox_set_concurrency(lanes.own, 2);
	for (size_t i = 0; i < 6; i++)
		peers[i] = send_connection(&lanes, 1 + i % 2);
	a = receive_connection(&lanes);
	b = receive_connection(&lanes);
	assert_int_equal(try_receive(&lanes), -EAGAIN);
	assert_false(lanes_is_readable(lanes.own)); /* a program that polls does not spin */

	send_text(&lanes, 0, "inkod is heard");
	assert_true(lanes_is_readable(lanes.own));
	lanes_expect(lanes.own, "inkod is heard");

	inko_socket_close(a);
	assert_true(lanes_is_readable(lanes.own));
	c = receive_connection(&lanes);
	assert_int_equal(try_receive(&lanes), -EAGAIN);
	fd = inko_socket_release(b);
	assert_int_equal(inko_mailbox_try_receive(lanes.own, &message), 0);
	/* What is still in its message counts as well, until that is freed or gives it up. */
	assert_int_equal(try_receive(&lanes), -EAGAIN);
	inko_message_free(message);
	assert_int_equal(inko_mailbox_try_receive(lanes.own, &message), 0);
	assert_int_equal(try_receive(&lanes), -EAGAIN);
	close(fd);
	assert_int_equal(inko_message_take_fd(message, &fd), 0);
	inko_message_free(message);
	assert_int_equal(try_receive(&lanes), 0);
	inko_socket_close(c);
	close(fd);
	for (size_t i = 0; i < 6; i++)
		close(peers[i]);
	lanes_close(&lanes);
}

/* One connection is open, which is as many as may be, and another one waits. */
static struct inko_socket *open_at_limit(struct lanes *lanes, int ret_peers[2])
{
	struct inko_socket *socket;

	lanes_open(lanes, "mailbox:mailbox");
	inko_mailbox_set_concurrency(lanes->own, 1);
	ret_peers[0] = send_connection(lanes, 1);
	ret_peers[1] = send_connection(lanes, 1);
	socket = receive_connection(lanes);
	assert_int_equal(try_receive(lanes), -EAGAIN);
	return socket;
}

static void test_concurrency_raised(void **state)
{
	struct inko_socket *a, *b;
	struct lanes lanes;
	int peers[2];

	(void)state;
	a = open_at_limit(&lanes, peers);
	inko_mailbox_set_concurrency(lanes.own, 2);
	assert_true(lanes_is_readable(lanes.own));
	b = receive_connection(&lanes);
	inko_socket_close(a);
	inko_socket_close(b);
	close(peers[0]);
	close(peers[1]);
	lanes_close(&lanes);
}

/* A new lane while the limit is reached, and stop while it is. */
static void test_concurrency_and_changes(void **state)
{
	struct inko_socket *socket;
	struct lanes lanes;
	int peers[3];

	(void)state;
	socket = open_at_limit(&lanes, peers);
	add_lane(&lanes, 9);
	peers[2] = send_connection(&lanes, 2);
	assert_int_equal(try_receive(&lanes), -EAGAIN);
	assert_false(lanes_is_readable(lanes.own));
	stop(&lanes);
	assert_int_equal(try_receive(&lanes), -EAGAIN); /* two are not delivered yet */
	assert_false(lanes_is_readable(lanes.own));
	inko_socket_close(socket);
	inko_socket_close(receive_connection(&lanes));
	inko_socket_close(receive_connection(&lanes));
	assert_int_equal(try_receive(&lanes), -ESHUTDOWN);
	for (size_t i = 0; i < 3; i++)
		close(peers[i]);
	lanes_close(&lanes);
}

static void test_sockets_outlive_the_mailbox(void **state)
{
	struct inko_message *message;
	struct inko_socket *socket;
	struct lanes lanes;
	int peers[2];

	(void)state;
	socket = open_at_limit(&lanes, peers);
	inko_mailbox_set_concurrency(lanes.own, 2);
	assert_int_equal(inko_mailbox_try_receive(lanes.own, &message), 0);
	assert_int_equal(try_receive(&lanes), -EAGAIN);
	lanes_close(&lanes);
	assert_int_equal(inko_socket_write_string(socket, "x"), 0);
	inko_socket_close(socket);
	inko_message_free(message);
	assert_true(lanes_is_hung_up(peers[0]) && lanes_is_hung_up(peers[1]));
	close(peers[0]);
	close(peers[1]);
}

/* Descriptors */

static void test_no_room_leaves_messages_queued(void **state)
{
	struct rlimit limit, low;
	struct inko_message *message;
	struct lanes lanes;
	int peer, fd = lanes_connection(&peer), fds[20];

	(void)state;
	lanes_open(&lanes, "mailbox:mailbox-shared:mailbox");
	for (size_t i = 0; i < 20; i++)
		fds[i] = fd;
	assert_int_equal(lanes_send(&lanes, 1, ENVELOPE_MESSAGE, "many", fds, 20), 0);
	close(fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = (rlim_t)inko_mailbox_get_fd(lanes.own) + 10;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(try_receive(&lanes), -EMFILE);
	assert_true(lanes_is_readable(lanes.own));
	/* Those that need no room are not behind it. */
	send_text(&lanes, 2, "light");
	for (int i = 0, r = -EMFILE; r != 0; i++) {
		r = try_receive(&lanes);
		assert_true(i < 3 && (r == 0 || r == -EMFILE));
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(inko_mailbox_try_receive(lanes.own, &message), 0);
	assert_int_equal(inko_message_count_sockets(message), 20);
	assert_false(lanes_is_hung_up(peer));
	inko_message_free(message);
	assert_true(lanes_is_hung_up(peer));
	close(peer);
	lanes_close(&lanes);
}

static void test_as_many_sockets_as_there_can_be(void **state)
{
	enum { BIG = 100000 };
	int peer, fd = lanes_connection(&peer), fds[LIMIT_SOCKETS];
	char *big = malloc(BIG + 1);
	struct inko_message *message;
	struct inko_socket *socket;
	struct lanes lanes;
	size_t size;

	(void)state;
	memset(big, 'x', BIG);
	big[BIG] = '\0';
	for (size_t i = 0; i < LIMIT_SOCKETS; i++)
		fds[i] = fd;
	lanes_open(&lanes, "mailbox:mailbox-shared");
	assert_int_equal(lanes_send(&lanes, 1, ENVELOPE_MESSAGE, big, fds, 252), 0);
	assert_int_equal(lanes_send(&lanes, 1, ENVELOPE_MESSAGE, "", fds, 253), 0);
	close(fd);
	assert_int_equal(inko_mailbox_receive(lanes.own, &message), 0);
	assert_int_equal(inko_message_count_sockets(message), 252);
	assert_string_equal(inko_message_peek_bytes(message, &size), big);
	assert_int_equal(size, BIG);
	while (inko_message_take_socket(message, &socket) == 0)
		inko_socket_close(socket);
	assert_int_equal(inko_message_count_sockets(message), 0);
	inko_message_free(message);
	assert_int_equal(inko_mailbox_receive(lanes.own, &message), 0);
	assert_int_equal(inko_message_count_sockets(message), 253);
	inko_message_free(message);
	assert_true(lanes_is_hung_up(peer));
	close(peer);
	free(big);
	lanes_close(&lanes);
}

/* Answers */

static struct inko_message *make(const char *text)
{
	struct inko_message *message;

	assert_int_equal(inko_message_new(text, strlen(text), &message), 0);
	return message;
}

static void test_reply(void **state)
{
	struct lane_ends to_us = lane_ends_open(LANES_QUEUE), back = lane_ends_open(8);
	struct envelope question = {.kind = ENVELOPE_MESSAGE, .correlation = 77};
	struct inko_message *message, *again, *answer;
	struct lane_message got;
	struct inko_socket *socket;
	struct lanes lanes;
	int peer, fd = lanes_connection(&peer);

	(void)state;
	lanes_open(&lanes, "mailbox:mailbox");
	lanes_tell(&lanes, 3, ENVELOPE_LANE_IN | ENVELOPE_LANE_OUT, "ask/0",
		(int[]){to_us.read_fd, back.write_fd}, 2);
	assert_int_equal(lane_send(to_us.write_fd, &question, "what?", 5, NULL, 0), 0);
	assert_int_equal(lane_send(to_us.write_fd, &question, "and?", 4, NULL, 0), 0);
	assert_int_equal(inko_mailbox_receive(lanes.own, &message), 0);
	assert_int_equal(inko_mailbox_receive(lanes.own, &again), 0);
	assert_int_equal(inko_message_get_correlation(message), 77);

	answer = make("that");
	assert_int_equal(inko_socket_adopt(&fd, &socket), 0);
	assert_int_equal(inko_message_push_socket(answer, socket), 0);
	assert_int_equal(inko_message_reply(message, answer), 0);
	inko_message_free(message);
	assert_int_equal(lane_receive(back.read_fd, false, &got), 1);
	assert_int_equal(got.envelope.kind, ENVELOPE_ANSWER);
	assert_int_equal(got.envelope.correlation, 77);
	assert_string_equal(got.body, "that");
	assert_int_equal(got.passed.n_fds, 1);
	lane_message_done(&got);
	assert_true(lanes_is_hung_up(peer)); /* it was closed here, too */
	close(peer);

	/* The asker waits for room in its mailbox as any other. */
	if (fork() == 0) {
		struct pollfd readable = {.fd = back.read_fd, .events = POLLIN};

		usleep(SOON_USEC);
		for (int i = 0; i < 20;)
			if (lane_receive(back.read_fd, false, &got) == 1)
				i++;
			else
				(void)poll(&readable, 1, -1);
		_exit(0);
	}
	for (int i = 0; i < 20; i++)
		assert_int_equal(inko_message_reply(again, make("more")), 0);
	wait(NULL);

	/* The question outlives the mailbox, and the asker does not. */
	lanes_close(&lanes);
	lane_revoke(back.read_fd);
	answer = make("too late");
	assert_int_equal(inko_message_reply(again, answer), -ENOTCONN);
	assert_string_equal(inko_message_peek_bytes(answer, NULL), "too late");
	inko_message_free(answer);
	inko_message_free(again);
	lane_ends_close(&to_us);
	lane_ends_close(&back);
}

static void test_reply_to_nobody(void **state)
{
	struct inko_message *message, *answer = make("");
	struct lanes lanes;

	(void)state;
	lanes_open(&lanes, "mailbox:mailbox");
	send_text(&lanes, 1, "no way back");
	assert_int_equal(inko_mailbox_receive(lanes.own, &message), 0);
	assert_int_equal(inko_message_reply(message, answer), -ENOTCONN);
	inko_message_free(message);
	inko_message_free(answer);
	lanes_close(&lanes);
}

/* Accepting */

/* Without a place to count in, a tally is nothing, and nothing fails. */
static void test_tally_without_counters(void **state)
{
	static const struct inko_mailbox_transport nothing = {0};
	struct inko_mailbox *other;
	struct lanes lanes;

	(void)state;
	lanes_open(&lanes, "mailbox:mailbox");
	assert_null(inko_tally_open(lanes.own, "tcp-80"));
	assert_int_equal(inko_mailbox_new(&nothing, NULL, &other), 0);
	assert_null(inko_tally_open(other, "tcp-80"));
	inko_tally_add(NULL, INKO_TALLY_TAKEN);
	assert_null(inko_tally_forget(NULL));
	inko_mailbox_close(other);
	lanes_close(&lanes);
}

/* A socket alone */

static void test_sends_a_socket(void **state)
{
	struct lane_ends to_web = lane_ends_open(LANES_QUEUE);
	struct lane_message got = {0};
	struct inko_socket *socket;
	struct inko_mailbox *web;
	struct lanes lanes;
	int peer, fd = lanes_connection(&peer);

	(void)state;
	lanes_open(&lanes, "mailbox:mailbox");
	lanes_tell(&lanes, 3, ENVELOPE_LANE_OUT, "web/0", &to_web.write_fd, 1);
	assert_int_equal(inko_mailbox_open(lanes.own, "web", &web), 0);
	assert_int_equal(inko_socket_adopt(&fd, &socket), 0);
	assert_int_equal(inko_mailbox_send_socket(web, socket), 0);
	assert_int_equal(lane_receive(to_web.read_fd, false, &got), 1);
	assert_int_equal(got.envelope.kind, ENVELOPE_MESSAGE);
	assert_int_equal(got.envelope.length, 0);
	assert_int_equal(got.passed.n_fds, 1);
	lane_message_done(&got);
	assert_true(lanes_is_hung_up(peer)); /* it was closed here, too */
	close(peer);
	inko_mailbox_close(web);
	lanes_close(&lanes);
	lane_ends_close(&to_web);
}

/* It stays the caller's, as it was. */
static void test_sends_a_socket_in_vain(void **state)
{
	struct inko_socket *socket;
	struct lanes lanes;
	int peer, fd = lanes_connection(&peer);
	char byte;

	(void)state;
	lanes_open(&lanes, "mailbox:mailbox");
	assert_int_equal(inko_socket_adopt(&fd, &socket), 0);
	inko_socket_set_deadline(socket, 1);
	assert_int_equal(inko_mailbox_send_socket(lanes.own, socket), -EOPNOTSUPP);
	assert_int_equal(inko_socket_read(socket, &byte, 1), -ETIMEDOUT);
	assert_int_equal(inko_socket_write_string(socket, "x"), 0);
	assert_int_equal(recv(peer, &byte, 1, MSG_DONTWAIT), 1);
	inko_socket_close(socket);
	close(peer);
	lanes_close(&lanes);
}

static void test_receives_a_socket(void **state)
{
	struct inko_socket *socket = NULL;
	struct lanes lanes;
	int peer, fd = lanes_connection(&peer), plain[2];

	(void)state;
	lanes_open(&lanes, "mailbox:mailbox");
	assert_int_equal(lanes_send(&lanes, 1, ENVELOPE_MESSAGE, "", &fd, 1), 0);
	close(fd);
	assert_int_equal(inko_mailbox_receive_socket(lanes.own, &socket), 0);
	assert_int_equal(inko_socket_require(socket, INKO_UNIX_CLIENT), 0);
	socket = inko_socket_close(socket);
	assert_true(lanes_is_hung_up(peer));
	close(peer);

	assert_int_equal(lanes_send(&lanes, 1, ENVELOPE_MESSAGE, "words", NULL, 0), 0);
	assert_int_equal(inko_mailbox_receive_socket(lanes.own, &socket), -ENOMSG);
	assert_int_equal(pipe2(plain, O_CLOEXEC), 0);
	assert_int_equal(lanes_send(&lanes, 1, ENVELOPE_MESSAGE, "", &plain[1], 1), 0);
	close(plain[1]);
	assert_int_equal(inko_mailbox_receive_socket(lanes.own, &socket), -EPROTOTYPE);
	assert_true(lanes_is_hung_up(plain[0]));
	close(plain[0]);
	stop(&lanes);
	assert_int_equal(inko_mailbox_receive_socket(lanes.own, &socket), -ESHUTDOWN);
	assert_null(socket);
	lanes_close(&lanes);
}

struct shared_listener {
	struct lanes lanes;
	struct inko_socket *listener;
	struct inko_ip ip;
	uint16_t port;
};

static void shared_listener_open(struct shared_listener *shared)
{
	struct inko_address address;

	shared->ip = inko_ip_v4(127, 0, 0, 1);
	lanes_open(&shared->lanes, "mailbox:mailbox");
	assert_int_equal(inko_tcp_listen(&shared->ip, 0, &shared->listener), 0);
	assert_int_equal(inko_socket_local_address(shared->listener, &address), 0);
	shared->port = address.port;
}

static void shared_listener_close(struct shared_listener *shared)
{
	inko_socket_close(shared->listener);
	lanes_close(&shared->lanes);
}

static struct inko_socket *shared_listener_connect(const struct shared_listener *shared)
{
	struct inko_socket *client;

	assert_int_equal(inko_tcp_connect(&shared->ip, shared->port, &client), 0);
	return client;
}

/* What it accepts it closes. */
static int shared_listener_accept(struct shared_listener *shared)
{
	struct inko_socket *server = NULL;
	int r = inko_mailbox_accept(shared->lanes.own, shared->listener, &server);

	assert_true((r == 0) == (server != NULL));
	inko_socket_close(server);
	return r;
}

static void test_accepts(void **state)
{
	struct shared_listener shared;
	struct inko_socket *client;

	(void)state;
	shared_listener_open(&shared);
	client = shared_listener_connect(&shared);
	assert_int_equal(shared_listener_accept(&shared), 0);
	inko_socket_close(client);
	inko_socket_set_deadline(shared.listener, now_usec(CLOCK_MONOTONIC) + SOON_USEC);
	assert_int_equal(shared_listener_accept(&shared), -ETIMEDOUT);
	inko_socket_set_deadline(shared.listener, 0);
	shutdown(inko_socket_get_fd(shared.listener), SHUT_RD);
	assert_int_equal(shared_listener_accept(&shared), -ESHUTDOWN);
	shared_listener_close(&shared);
}

static void test_accept_ends_with_stop(void **state)
{
	struct shared_listener shared;
	struct inko_socket *client;

	(void)state;
	shared_listener_open(&shared);
	if (fork() == 0) {
		usleep(SOON_USEC);
		stop(&shared.lanes);
		_exit(0);
	}
	assert_int_equal(shared_listener_accept(&shared), -ESHUTDOWN);
	/* Even when somebody connects: others may accept them. */
	client = shared_listener_connect(&shared);
	assert_int_equal(shared_listener_accept(&shared), -ESHUTDOWN);
	assert_int_equal(try_receive(&shared.lanes), -ESHUTDOWN);
	wait(NULL);
	inko_socket_close(client);
	shared_listener_close(&shared);
}

/* A listener that never runs dry must not hide it. */
static void test_busy_accept_ends_with_stop(void **state)
{
	struct shared_listener shared;
	struct inko_socket *clients[2];

	(void)state;
	shared_listener_open(&shared);
	clients[0] = shared_listener_connect(&shared);
	clients[1] = shared_listener_connect(&shared);
	assert_int_equal(shared_listener_accept(&shared), 0);
	stop(&shared.lanes);
	assert_int_equal(shared_listener_accept(&shared), -ESHUTDOWN);
	inko_socket_close(clients[0]);
	inko_socket_close(clients[1]);
	shared_listener_close(&shared);
}

/* Messages of both lanes stay for receive, and waiting beside them costs nothing. */
static void test_accept_leaves_messages(void **state)
{
	struct shared_listener shared;
	uint64_t before_usec;
	char number[12];

	(void)state;
	shared_listener_open(&shared);
	send_text(&shared.lanes, 1, "ordinary");
	for (int i = 0; i < 20; i++) {
		snprintf(number, sizeof(number), "%d", i);
		assert_int_equal(
			lanes_send(&shared.lanes, 0, ENVELOPE_LISTENER, number, NULL, 0), 0);
	}
	before_usec = now_usec(CLOCK_PROCESS_CPUTIME_ID);
	inko_socket_set_deadline(shared.listener, now_usec(CLOCK_MONOTONIC) + 4 * SOON_USEC);
	assert_int_equal(shared_listener_accept(&shared), -ETIMEDOUT);
	assert_true(now_usec(CLOCK_PROCESS_CPUTIME_ID) - before_usec < SOON_USEC);
	for (int i = 0; i < 20; i++) {
		struct inko_message *message;

		assert_true(lanes_is_readable(shared.lanes.own));
		assert_int_equal(inko_mailbox_try_receive(shared.lanes.own, &message), 0);
		if (inko_message_get_kind(message) == INKO_MESSAGE) {
			i--;
		} else {
			snprintf(number, sizeof(number), "%d", i);
			assert_string_equal(inko_message_peek_bytes(message, NULL), number);
		}
		inko_message_free(message);
	}
	(void)try_receive(&shared.lanes); /* the ordinary one, if it was not among them */
	assert_int_equal(try_receive(&shared.lanes), -EAGAIN);
	assert_false(lanes_is_readable(shared.lanes.own));
	shared_listener_close(&shared);
}

/* A stop is seen behind a listener that the program does not receive, which is not lost. */
static void test_accept_sees_stop_behind_listener(void **state)
{
	struct shared_listener shared;
	int fd;

	(void)state;
	shared_listener_open(&shared);
	fd = inko_socket_get_fd(shared.listener);
	assert_int_equal(lanes_send(&shared.lanes, 0, ENVELOPE_LISTENER, "2", &fd, 1), 0);
	stop(&shared.lanes);
	assert_int_equal(shared_listener_accept(&shared), -ESHUTDOWN);
	assert_true(lanes_is_readable(shared.lanes.own));
	lanes_expect(shared.lanes.own, "2");
	assert_int_equal(try_receive(&shared.lanes), -ESHUTDOWN);
	shared_listener_close(&shared);
}

/* Before it waits and while it does. */
static void test_accept_ends_with_a_notification(void **state)
{
	struct inko_notifier *notifier;
	struct shared_listener shared;

	(void)state;
	shared_listener_open(&shared);
	assert_int_equal(inko_notifier_new(&notifier), 0);
	inko_socket_set_notifier(shared.listener, notifier);
	inko_notifier_notify(notifier);
	assert_int_equal(shared_listener_accept(&shared), -EINTR);
	if (fork() == 0) {
		usleep(SOON_USEC);
		inko_notifier_notify(notifier);
		_exit(0);
	}
	assert_int_equal(shared_listener_accept(&shared), -EINTR);
	wait(NULL);
	shared_listener_close(&shared);
	assert_null(inko_notifier_free(notifier));
}

static int accept_in_a_task(struct inko_mailbox *mailbox, void *argument)
{
	(void)mailbox;
	return shared_listener_accept(argument);
}

static void test_accept_ends_with_the_listener(void **state)
{
	struct shared_listener shared;

	(void)state;
	shared_listener_open(&shared);
	assert_int_equal(close_under(accept_in_a_task, &shared, &shared.listener), -EBADF);
	shared_listener_close(&shared);
}

/* Many accept from one listener: each connection is accepted once, and nobody is stuck. */
static void test_accept_in_parallel(void **state)
{
	enum { PROCESSES = 4, CONNECTIONS = 400 };
	struct shared_listener shared;
	struct tally tally;

	(void)state;
	tally_open(&tally);
	shared_listener_open(&shared);
	fcntl(inko_socket_get_fd(shared.listener), F_SETFL, 0);
	inko_socket_set_deadline(shared.listener, now_usec(CLOCK_MONOTONIC) + 20 * SOON_USEC);
	for (int i = 0; i < PROCESSES; i++) {
		if (fork() == 0) {
			int n = 0;

			while (shared_listener_accept(&shared) == 0)
				n++;
			tally_exit(&tally, n);
		}
	}
	for (int i = 0; i < CONNECTIONS; i++)
		inko_socket_close(shared_listener_connect(&shared));
	assert_int_equal(tally_sum(&tally), CONNECTIONS);
	shared_listener_close(&shared);
}

/* Other transports */

struct fake {
	int fd;
	unsigned int n_calls, n_waits;
	struct inko_message *message;
};

static int fake_get_fd(void *context)
{
	return ((struct fake *)context)->fd;
}

static int fake_try_receive(void *context, struct inko_message **ret_message)
{
	struct fake *fake = context;
	char byte;

	if (read(fake->fd, &byte, 1) != 1)
		return -EAGAIN;
	return inko_message_new(&byte, 1, ret_message);
}

/* There is room after it was waited for. */
static int fake_try_send(void *context, struct inko_message *take_message)
{
	struct fake *fake = context;

	if (fake->n_waits == 0)
		return -EAGAIN;
	fake->message = take_message;
	return 0;
}

static int fake_wait(void *context, bool to_send)
{
	struct fake *fake = context;
	struct pollfd readable = {.fd = fake->fd, .events = POLLIN};

	if (!to_send)
		return wait_for(&readable, 1, 0);
	fake->n_waits++;
	return 0;
}

static void fake_close(void *context)
{
	((struct fake *)context)->n_calls++;
}

static void test_other_transports(void **state)
{
	static const struct inko_mailbox_transport nothing = {0},
						   all = {.get_fd = fake_get_fd,
							   .try_receive = fake_try_receive,
							   .try_send = fake_try_send,
							   .wait = fake_wait,
							   .close = fake_close};
	struct inko_mailbox *mailbox, *to;
	struct inko_message *message = make("x"), *received;
	struct inko_socket *socket;
	struct fake fake = {0};
	int fds[2];

	(void)state;
	assert_int_equal(inko_mailbox_new(&nothing, NULL, &mailbox), 0);
	assert_int_equal(inko_mailbox_get_fd(mailbox), -EOPNOTSUPP);
	assert_int_equal(inko_mailbox_receive(mailbox, &received), -EOPNOTSUPP);
	assert_int_equal(inko_mailbox_send(mailbox, message), -EOPNOTSUPP);
	assert_int_equal(inko_mailbox_open(mailbox, "web", &to), -EOPNOTSUPP);
	assert_int_equal(inko_mailbox_accept(mailbox, NULL, &socket), -EOPNOTSUPP);
	assert_int_equal(inko_mailbox_room(mailbox), 0);
	inko_mailbox_set_concurrency(mailbox, 1);
	assert_null(inko_mailbox_close(mailbox));
	assert_null(inko_mailbox_close(NULL));

	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	fake.fd = fds[0];
	assert_int_equal(inko_mailbox_new(&all, &fake, &mailbox), 0);
	assert_int_equal(inko_mailbox_room(mailbox), 0);
	assert_int_equal(inko_mailbox_try_send(mailbox, message), -EAGAIN);
	assert_int_equal(inko_mailbox_send(mailbox, message), 0);
	assert_int_equal(fake.n_waits, 1);
	assert_ptr_equal(fake.message, message);
	if (fork() == 0) {
		usleep(SOON_USEC);
		_exit(write(fds[1], "y", 1) == 1 ? 0 : 1);
	}
	assert_int_equal(inko_mailbox_try_receive(mailbox, &received), -EAGAIN);
	assert_int_equal(inko_mailbox_receive(mailbox, &received), 0);
	assert_string_equal(inko_message_peek_bytes(received, NULL), "y");
	wait(NULL);
	inko_message_free(received);
	inko_message_free(message);
	inko_mailbox_close(mailbox);
	assert_int_equal(fake.n_calls, 1);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(test_no_mailbox),
		leaks_test(test_no_lane_of_inkod),
		leaks_test(test_mailbox_that_is_no_lane),
		leaks_test(test_open_keeps_environment_and_closes_on_exec),
		leaks_test(test_receives),
		leaks_test(test_waits_for_a_message),
		leaks_test(test_signals_do_not_interrupt),
		leaks_test(test_lanes_have_turns),
		leaks_test(test_siblings_share_a_lane),
		leaks_test(test_lane_added_later),
		leaks_test(test_lane_that_is_revoked),
		leaks_test(test_lane_whose_sender_ends),
		leaks_test(test_garbage_is_dropped),
		leaks_test(test_garbage_does_not_hold_the_program),
		leaks_test(test_peers_cannot_speak_for_inkod),
		leaks_test(test_stop_delivers_own_lanes),
		leaks_test(test_stop_leaves_shared_lanes),
		leaks_test(test_stop_revokes),
		leaks_test(test_inkod_is_gone),
		leaks_test(test_concurrency),
		leaks_test(test_concurrency_raised),
		leaks_test(test_concurrency_and_changes),
		leaks_test(test_sockets_outlive_the_mailbox),
		leaks_test(test_no_room_leaves_messages_queued),
		leaks_test(test_as_many_sockets_as_there_can_be),
		leaks_test(test_reply),
		leaks_test(test_reply_to_nobody),
		leaks_test(test_accepts),
		leaks_test(test_accept_ends_with_stop),
		leaks_test(test_busy_accept_ends_with_stop),
		leaks_test(test_accept_leaves_messages),
		leaks_test(test_accept_sees_stop_behind_listener),
		leaks_test(test_accept_ends_with_a_notification),
		leaks_test(test_accept_ends_with_the_listener),
		leaks_test(test_accept_in_parallel),
		leaks_test(test_tally_without_counters),
		leaks_test(test_sends_a_socket),
		leaks_test(test_sends_a_socket_in_vain),
		leaks_test(test_receives_a_socket),
		leaks_test(test_other_transports),
	};

	/* Whoever started this may have left descriptors open from 3 on. */
	(void)close_range(3, ~0u, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
