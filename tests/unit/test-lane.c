/*
 * Lanes, and the kernel's behaviour that they rest on.
 */

#include "tests/unit/leaks.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/descriptor.h"
#include "proto/lane.h"

struct lane {
	int write_fd, read_fd;
};

static struct lane open_lane(unsigned int queue)
{
	struct lane lane;

	assert_int_equal(lane_open(queue, &lane.write_fd, &lane.read_fd), 0);
	return lane;
}

static void close_lane(struct lane *lane)
{
	descriptor_close(&lane->write_fd);
	descriptor_close(&lane->read_fd);
}

static int send_numbered(const struct lane *lane, uint64_t number)
{
	struct envelope envelope = {.kind = ENVELOPE_MESSAGE, .correlation = number};

	return lane_send(lane->write_fd, &envelope, NULL, 0, NULL, 0);
}

static void assert_next_is(const struct lane *lane, uint64_t number)
{
	struct lane_message message;

	assert_int_equal(lane_receive(lane->read_fd, false, &message), 1);
	assert_int_equal(message.envelope.correlation, number);
	lane_message_done(&message);
}

static void assert_receive(const struct lane *lane, int result)
{
	struct lane_message message;

	assert_int_equal(lane_receive(lane->read_fd, false, &message), result);
}

static void holds_exactly_its_queue(void **state)
{
	const unsigned int queues[] = {LIMIT_QUEUE_MIN, 8, 16, 63, 64, 256, LIMIT_QUEUE_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
		struct lane lane = open_lane(queues[i]);

		for (unsigned int n = 0; n < queues[i]; n++)
			assert_int_equal(send_numbered(&lane, n), 0);
		assert_int_equal(send_numbered(&lane, 0), -EAGAIN);
		close_lane(&lane);
	}
}

static void refuses_queues_out_of_range(void **state)
{
	int write_fd = -1, read_fd = -1;

	(void)state;
	assert_int_equal(lane_open(LIMIT_QUEUE_MIN - 1, &write_fd, &read_fd), -ERANGE);
	assert_int_equal(lane_open(LIMIT_QUEUE_MAX + 1, &write_fd, &read_fd), -ERANGE);
	assert_int_equal(write_fd, -1);
	assert_int_equal(read_fd, -1);
}

static void counts_room_and_what_waits(void **state)
{
	struct lane lane = open_lane(16);
	unsigned int room, waiting;
	size_t charge;

	(void)state;
	assert_int_equal(lane_measure_charge(&charge), 0);
	assert_true(charge >= sizeof(struct envelope));
	for (unsigned int n = 0; n <= 16; n++) {
		assert_int_equal(lane_room(lane.write_fd, charge, &room), 0);
		assert_int_equal(lane_waiting(lane.write_fd, charge, &waiting), 0);
		assert_int_equal(room, 16 - n);
		assert_int_equal(waiting, n);
		assert_int_equal(send_numbered(&lane, n), n < 16 ? 0 : -EAGAIN);
	}
	assert_next_is(&lane, 0);
	assert_int_equal(lane_room(lane.write_fd, charge, &room), 0);
	assert_int_equal(room, 1);
	close_lane(&lane);
}

static void says_what_is_no_socket(void **state)
{
	struct envelope envelope = {.kind = ENVELOPE_MESSAGE};
	struct lane_message message;
	unsigned int room;

	(void)state;
	assert_int_equal(lane_room(-1, 768, &room), -EBADF);
	assert_int_equal(lane_waiting(-1, 768, &room), -EBADF);
	assert_int_equal(lane_revoke(-1), -EBADF);
	assert_int_equal(lane_peek(-1, &envelope), -EBADF);
	assert_int_equal(lane_receive(-1, false, &message), -EBADF);
	assert_int_equal(lane_send(-1, &envelope, NULL, 0, NULL, 0), -EBADF);
	assert_int_equal(lane_send(-1, &envelope, "", 4096, NULL, 0), -EBADF);
}

static void goes_one_way_only(void **state)
{
	struct lane lane = open_lane(8);

	(void)state;
	assert_int_equal(send(lane.read_fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(send_numbered(&lane, 1), 0);
	assert_next_is(&lane, 1);
	close_lane(&lane);
}

static void fills_in_the_envelope(void **state)
{
	struct lane lane = open_lane(8);
	struct envelope envelope = {
		.kind = ENVELOPE_CONNECTION,
		.flags = ENVELOPE_BODY_MEMFD,
		.length = 77,
		.listener = "tcp-web",
		.correlation = 5,
	};
	struct lane_message message;

	(void)state;
	assert_int_equal(lane_send(lane.write_fd, &envelope, "body", 4, &lane.read_fd, 1), 0);
	assert_int_equal(lane_receive(lane.read_fd, false, &message), 1);
	assert_int_equal(message.envelope.version, ENVELOPE_VERSION);
	assert_int_equal(message.envelope.flags, 0);
	assert_int_equal(message.envelope.length, 4);
	assert_int_equal(message.envelope.sockets, 1);
	assert_int_equal(message.envelope.correlation, 5);
	assert_true(message.envelope.time_usec > 0);
	assert_string_equal(message.envelope.listener, "tcp-web");
	assert_string_equal(message.body, "body");
	assert_int_equal(message.passed.n_fds, 1);
	lane_message_done(&message);

	envelope.time_usec = 42;
	assert_int_equal(lane_send(lane.write_fd, &envelope, NULL, 0, NULL, 0), 0);
	assert_int_equal(lane_receive(lane.read_fd, false, &message), 1);
	assert_int_equal(message.envelope.time_usec, 42);
	assert_null(message.body);
	lane_message_done(&message);
	close_lane(&lane);
}

static char *make_body(size_t size)
{
	char *body = malloc(size + 1);

	assert_non_null(body);
	for (size_t i = 0; i < size; i++)
		body[i] = (char)(i * 7 + i / 251);
	return body;
}

static void carry(unsigned int queue, size_t size, size_t n_sockets)
{
	struct lane lane = open_lane(queue);
	struct envelope envelope = {.kind = ENVELOPE_MESSAGE};
	struct lane_message message;
	char *body = make_body(size);
	int sockets[LIMIT_SOCKETS];

	for (size_t i = 0; i < n_sockets; i++)
		sockets[i] = lane.read_fd;
	assert_int_equal(lane_send(lane.write_fd, &envelope, body, size, sockets, n_sockets), 0);
	assert_int_equal(lane_receive(lane.read_fd, false, &message), 1);
	assert_int_equal(message.envelope.length, size);
	assert_int_equal(message.passed.n_fds, n_sockets);
	if (size > 0) {
		assert_memory_equal(message.body, body, size);
		assert_int_equal(((char *)message.body)[size], 0);
	}
	lane_message_done(&message);
	free(body);
	close_lane(&lane);
}

static void carries_bodies_of_any_size(void **state)
{
	const size_t sizes[] = {0, 1, 1152, 1153, LIMIT_INLINE_BODY_BYTES,
		LIMIT_INLINE_BODY_BYTES + 1, 1u << 20, LIMIT_BODY_BYTES};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		carry(LIMIT_QUEUE_MIN, sizes[i], 0);
		carry(64, sizes[i], 3);
		carry(64, sizes[i], LIMIT_SOCKETS_WITH_BODY);
	}
	carry(64, 0, LIMIT_SOCKETS);
	carry(64, 100, LIMIT_SOCKETS);
}

static void refuses_what_is_too_much(void **state)
{
	struct lane lane = open_lane(8);
	struct envelope envelope = {.kind = ENVELOPE_MESSAGE};
	char *body = make_body(LIMIT_BODY_BYTES + 1);
	int sockets[LIMIT_SOCKETS + 1] = {0};

	(void)state;
	assert_int_equal(lane_send(lane.write_fd, &envelope, body, LIMIT_BODY_BYTES + 1, NULL, 0),
		-EMSGSIZE);
	assert_int_equal(
		lane_send(lane.write_fd, &envelope, NULL, 0, sockets, LIMIT_SOCKETS + 1), -EINVAL);
	assert_int_equal(
		lane_send(lane.write_fd, &envelope, body, 8192, sockets, LIMIT_SOCKETS), -EINVAL);
	assert_receive(&lane, -EAGAIN);
	free(body);
	close_lane(&lane);
}

/* Several bodies of any size fit at a time: what is large is not charged to the lane. */
static void is_not_filled_by_one_body(void **state)
{
	struct lane lane = open_lane(LIMIT_QUEUE_MIN);
	struct envelope envelope = {.kind = ENVELOPE_MESSAGE};
	char *body = make_body(LIMIT_INLINE_BODY_BYTES);

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(
			lane_send(lane.write_fd, &envelope, body, LIMIT_INLINE_BODY_BYTES, NULL, 0),
			0);
	free(body);
	close_lane(&lane);
}

static void peeks_without_taking(void **state)
{
	struct lane lane = open_lane(8);
	struct envelope envelope = {.kind = ENVELOPE_MESSAGE, .correlation = 3}, head;
	struct lane_message message;

	(void)state;
	assert_int_equal(lane_peek(lane.read_fd, &head), -EAGAIN);
	assert_int_equal(lane_send(lane.write_fd, &envelope, "b", 1, &lane.read_fd, 1), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(lane_peek(lane.read_fd, &head), 1);
		assert_int_equal(head.correlation, 3);
		assert_int_equal(head.sockets, 1);
	}
	assert_int_equal(lane_receive(lane.read_fd, false, &message), 1);
	assert_int_equal(message.passed.n_fds, 1);
	lane_message_done(&message);
	close_lane(&lane);
}

static void keeps_what_waits_when_revoked(void **state)
{
	struct lane lane = open_lane(8);
	struct envelope head;
	struct pollfd poll_fd = {.fd = lane.write_fd, .events = 0};

	(void)state;
	assert_int_equal(send_numbered(&lane, 1), 0);
	assert_int_equal(send_numbered(&lane, 2), 0);
	assert_int_equal(poll(&poll_fd, 1, 0), 0);
	assert_int_equal(lane_revoke(lane.read_fd), 0);
	assert_int_equal(poll(&poll_fd, 1, 0), 1);
	assert_true(poll_fd.revents & POLLHUP);
	assert_int_equal(send_numbered(&lane, 3), -EPIPE);
	assert_int_equal(lane_peek(lane.read_fd, &head), 1);
	assert_next_is(&lane, 1);
	assert_next_is(&lane, 2);
	assert_int_equal(lane_peek(lane.read_fd, &head), 0);
	assert_receive(&lane, 0);
	assert_receive(&lane, 0);
	close_lane(&lane);
}

/* A full lane that was revoked must not look like one that only has to be waited for. */
static void says_epipe_when_full_and_revoked(void **state)
{
	struct lane lane = open_lane(8);

	(void)state;
	while (send_numbered(&lane, 1) == 0)
		;
	assert_int_equal(lane_revoke(lane.read_fd), 0);
	assert_int_equal(send_numbered(&lane, 2), -EPIPE);
	close_lane(&lane);
}

static void ends_with_its_last_sender(void **state)
{
	struct lane lane = open_lane(8);

	(void)state;
	assert_int_equal(send_numbered(&lane, 1), 0);
	descriptor_close(&lane.write_fd);
	assert_next_is(&lane, 1);
	assert_receive(&lane, 0);
	close_lane(&lane);
}

static void outlives_a_reader_when_somebody_holds_it(void **state)
{
	struct lane lane = open_lane(8);
	int held = fcntl(lane.read_fd, F_DUPFD_CLOEXEC, 0);
	struct lane_message message;

	(void)state;
	assert_true(held >= 0);
	assert_int_equal(send_numbered(&lane, 1), 0);
	descriptor_close(&lane.read_fd);
	assert_int_equal(send_numbered(&lane, 2), 0);
	assert_int_equal(lane_receive(held, false, &message), 1);
	lane_message_done(&message);
	assert_int_equal(lane_receive(held, false, &message), 1);
	assert_int_equal(message.envelope.correlation, 2);
	lane_message_done(&message);
	descriptor_close(&held);
	assert_int_equal(send_numbered(&lane, 3), -EPIPE);
	close_lane(&lane);
}

/* A soft limit with room for n descriptors more. */
static struct rlimit leave_room(rlim_t n)
{
	struct rlimit before, limit;
	int lowest = fcntl(0, F_DUPFD_CLOEXEC, 0);

	assert_true(lowest >= 0);
	assert_int_equal(close(lowest), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = (struct rlimit){.rlim_cur = (rlim_t)lowest + n, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return before;
}

static void leaves_what_it_has_no_room_for(void **state)
{
	struct lane lane = open_lane(8);
	struct envelope envelope = {.kind = ENVELOPE_MESSAGE};
	int sockets[] = {lane.read_fd, lane.read_fd};
	struct lane_message message;
	struct rlimit before;

	(void)state;
	assert_int_equal(lane_send(lane.write_fd, &envelope, NULL, 0, sockets, 2), 0);
	before = leave_room(1);
	assert_receive(&lane, -EMFILE);
	assert_receive(&lane, -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	before = leave_room(2);
	assert_int_equal(lane_receive(lane.read_fd, false, &message), 1);
	assert_int_equal(message.passed.n_fds, 2);
	lane_message_done(&message);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	close_lane(&lane);
}

static void single_lane_leaves_what_it_has_no_room_for(void **state)
{
	struct lane lane = open_lane(8);
	struct envelope envelope = {.kind = ENVELOPE_CONNECTION};
	struct lane_message message;
	struct rlimit before;

	(void)state;
	assert_int_equal(send_numbered(&lane, 1), 0);
	assert_int_equal(lane_send(lane.write_fd, &envelope, NULL, 0, &lane.read_fd, 1), 0);
	before = leave_room(0);
	/* What needs no room comes without. */
	assert_int_equal(lane_receive(lane.read_fd, true, &message), 1);
	lane_message_done(&message);
	assert_int_equal(lane_receive(lane.read_fd, true, &message), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	before = leave_room(1);
	assert_int_equal(lane_receive(lane.read_fd, true, &message), 1);
	assert_int_equal(message.passed.n_fds, 1);
	lane_message_done(&message);
	assert_int_equal(lane_receive(lane.read_fd, true, &message), -EAGAIN);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	close_lane(&lane);
}

/* What is invalid is gone, and what stands behind it comes. */
static void drops_only_what_is_invalid(void **state)
{
	struct lane lane = open_lane(64);
	struct envelope head;
	struct envelope lying = {
		.version = ENVELOPE_VERSION, .kind = ENVELOPE_MESSAGE, .length = 9};
	struct iovec iov = {.iov_base = &lying, .iov_len = sizeof(lying)};
	char long_body[2 * LIMIT_INLINE_BODY_BYTES] = {0};

	(void)state;
	assert_int_equal(send(lane.write_fd, "short", 5, 0), 5);
	assert_int_equal(send(lane.write_fd, "", 0, 0), 0);
	assert_int_equal(passing_send(lane.write_fd, &iov, 1, NULL, 0), 0);
	lying.length = 0;
	assert_int_equal(passing_send(lane.write_fd, &iov, 1, &lane.read_fd, 1), 0);
	lying.sockets = 2;
	assert_int_equal(passing_send(lane.write_fd, &iov, 1, &lane.read_fd, 1), 0);
	assert_int_equal(send(lane.write_fd, long_body, sizeof(long_body), 0), sizeof(long_body));
	assert_int_equal(send_numbered(&lane, 7), 0);

	assert_int_equal(lane_peek(lane.read_fd, &head), -EBADMSG);
	for (int i = 0; i < 6; i++)
		assert_receive(&lane, -EBADMSG);
	assert_next_is(&lane, 7);
	close_lane(&lane);
}

static int make_memfd(size_t size, int seals)
{
	int fd = memfd_create("body", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void send_body_fd(const struct lane *lane, int *take_fd, uint32_t length)
{
	struct envelope envelope = {
		.version = ENVELOPE_VERSION,
		.kind = ENVELOPE_MESSAGE,
		.flags = ENVELOPE_BODY_MEMFD,
		.length = length,
	};
	struct iovec iov = {.iov_base = &envelope, .iov_len = sizeof(envelope)};

	assert_int_equal(passing_send(lane->write_fd, &iov, 1, take_fd, 1), 0);
	descriptor_close(take_fd);
}

static void refuses_bodies_that_could_change(void **state)
{
	const int all = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	const int too_few[] = {0, all & ~F_SEAL_SHRINK, all & ~F_SEAL_GROW, all & ~F_SEAL_WRITE};
	struct lane lane = open_lane(16);
	struct lane_message message;
	int fd, ends[2];

	(void)state;
	for (size_t i = 0; i < sizeof(too_few) / sizeof(too_few[0]); i++) {
		fd = make_memfd(100, too_few[i]);
		send_body_fd(&lane, &fd, 100);
		assert_receive(&lane, -EBADMSG);
	}
	fd = make_memfd(99, all);
	send_body_fd(&lane, &fd, 100);
	assert_receive(&lane, -EBADMSG);
	fd = make_memfd(101, all);
	send_body_fd(&lane, &fd, 100);
	assert_receive(&lane, -EBADMSG);

	/* One that a read would wait in for ever. */
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	send_body_fd(&lane, &ends[0], 100);
	assert_receive(&lane, -EBADMSG);
	descriptor_close(&ends[1]);

	fd = make_memfd(100, all);
	send_body_fd(&lane, &fd, 100);
	assert_int_equal(lane_receive(lane.read_fd, false, &message), 1);
	assert_int_equal(message.passed.n_fds, 0);
	lane_message_done(&message);
	close_lane(&lane);
}

/* Even after a holder cleared it for all. */
static void never_waits_whatever_o_nonblock_says(void **state)
{
	struct lane lane = open_lane(8);

	(void)state;
	assert_int_equal(fcntl(lane.read_fd, F_SETFL, 0), 0);
	assert_int_equal(fcntl(lane.write_fd, F_SETFL, 0), 0);
	assert_receive(&lane, -EAGAIN);
	while (send_numbered(&lane, 1) == 0)
		;
	assert_int_equal(send_numbered(&lane, 1), -EAGAIN);
	close_lane(&lane);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(holds_exactly_its_queue),
		leaks_test(refuses_queues_out_of_range),
		leaks_test(counts_room_and_what_waits),
		leaks_test(says_what_is_no_socket),
		leaks_test(goes_one_way_only),
		leaks_test(fills_in_the_envelope),
		leaks_test(carries_bodies_of_any_size),
		leaks_test(refuses_what_is_too_much),
		leaks_test(is_not_filled_by_one_body),
		leaks_test(peeks_without_taking),
		leaks_test(keeps_what_waits_when_revoked),
		leaks_test(says_epipe_when_full_and_revoked),
		leaks_test(ends_with_its_last_sender),
		leaks_test(outlives_a_reader_when_somebody_holds_it),
		leaks_test(leaves_what_it_has_no_room_for),
		leaks_test(single_lane_leaves_what_it_has_no_room_for),
		leaks_test(drops_only_what_is_invalid),
		leaks_test(refuses_bodies_that_could_change),
		leaks_test(never_waits_whatever_o_nonblock_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
