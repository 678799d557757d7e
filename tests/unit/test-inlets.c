/*
 * Read ends of lanes: which is read next, and when the epoll tells of them.
 */

#include "tests/unit/lanes.h"

#include "libclient/inlets.h"

#define MANY 100

static struct inlet *add(struct inlets *inlets, uint64_t number, struct lane_ends *ret_ends)
{
	struct inlet *inlet;
	int read_fd;

	*ret_ends = lane_ends_open(LANES_QUEUE);
	read_fd = fcntl(ret_ends->read_fd, F_DUPFD_CLOEXEC, 0);
	assert_int_equal(inlet_new(&read_fd, false, &inlet), 0);
	assert_int_equal(read_fd, -1);
	inlet->number = number;
	assert_int_equal(inlets_add(inlets, inlet), 0);
	return inlet;
}

static void send_to(const struct lane_ends *ends)
{
	struct envelope envelope = {.kind = ENVELOPE_MESSAGE};

	assert_int_equal(lane_send(ends->write_fd, &envelope, "x", 1, NULL, 0), 0);
}

static bool is_told(const struct inlets *inlets)
{
	struct pollfd readable = {.fd = inlets->epoll_fd, .events = POLLIN};

	return poll(&readable, 1, 0) == 1;
}

/* One that always has something keeps another from its turn for a while, and not for ever. */
static void test_turns(void **state)
{
	struct lane_ends ends[2];
	struct inlets inlets;
	struct inlet *two[2];
	unsigned int n[2] = {0}, n_changes = 0;
	struct inlet *last = NULL;

	(void)state;
	assert_int_equal(inlets_init(&inlets), 0);
	assert_null(inlets_take_turn(&inlets));
	for (size_t i = 0; i < 2; i++) {
		two[i] = add(&inlets, i + 1, &ends[i]);
		send_to(&ends[i]);
	}
	for (int i = 0; i < MANY; i++) {
		struct inlet *inlet = inlets_take_turn(&inlets);

		assert_true(inlet == two[0] || inlet == two[1]);
		n[inlet == two[1]]++;
		n_changes += inlet != last;
		last = inlet;
	}
	assert_in_range(n[0], MANY / 3, 2 * MANY / 3);
	/* And in runs, or each message would cost a look at all of them. */
	assert_in_range(n_changes, 2, MANY / 4);
	/* Who says that this one has nothing more is believed. */
	inlets_end_turn(&inlets);
	assert_ptr_not_equal(inlets_take_turn(&inlets), last);
	for (size_t i = 0; i < 2; i++)
		lane_ends_close(&ends[i]);
	inlets_done(&inlets);
}

static void test_pause(void **state)
{
	struct lane_ends before, meanwhile;
	struct inlets inlets;

	(void)state;
	assert_int_equal(inlets_init(&inlets), 0);
	add(&inlets, 1, &before);
	send_to(&before);
	assert_true(is_told(&inlets));
	assert_non_null(inlets_take_turn(&inlets));
	inlets_pause(&inlets);
	add(&inlets, 2, &meanwhile);
	send_to(&meanwhile);
	assert_false(is_told(&inlets));
	assert_null(inlets_take_turn(&inlets));
	inlets_resume(&inlets);
	assert_true(is_told(&inlets));
	inlets_take_turn(&inlets);
	assert_int_equal(inlets.n_ready, 2);
	lane_ends_close(&before);
	lane_ends_close(&meanwhile);
	inlets_done(&inlets);
}

/* Somebody else, inkod, holds the same description: what comes there is not ours any more. */
static void test_drop(void **state)
{
	struct lane_ends stays, goes;
	struct inlets inlets;
	struct inlet *inlet;

	(void)state;
	assert_int_equal(inlets_init(&inlets), 0);
	inlet = add(&inlets, 1, &goes);
	add(&inlets, 2, &stays);
	assert_true(inlets_know(&inlets, 1));
	inlets_drop(&inlets, inlet);
	assert_false(inlets_know(&inlets, 1));
	assert_true(inlets_know(&inlets, 2));
	send_to(&goes);
	assert_false(is_told(&inlets));
	send_to(&stays);
	assert_true(is_told(&inlets));
	lane_ends_close(&stays);
	lane_ends_close(&goes);
	inlets_done(&inlets);
}

/* One that is not in the set, as inkod's is not, is watched for what it is asked for. */
static void test_watch(void **state)
{
	struct lane_ends ends = lane_ends_open(LANES_QUEUE);
	struct inlets inlets;
	struct inlet *inlet;
	int read_fd = fcntl(ends.read_fd, F_DUPFD_CLOEXEC, 0);

	(void)state;
	assert_int_equal(inlets_init(&inlets), 0);
	assert_int_equal(inlet_new(&read_fd, false, &inlet), 0);
	assert_int_equal(inlets_watch(&inlets, inlet, POLLIN), 0);
	assert_false(is_told(&inlets));
	assert_int_equal(inlets_watch(&inlets, inlet, POLLOUT), 0);
	assert_true(is_told(&inlets));
	assert_ptr_equal(inlets_take_turn(&inlets), inlet);
	assert_int_equal(inlets_watch(&inlets, inlet, 0), 0);
	lane_ends_close(&ends);
	assert_false(is_told(&inlets)); /* not of its end either */
	inlets_done(&inlets);
	assert_null(inlet_free(inlet));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(test_turns),
		leaks_test(test_pause),
		leaks_test(test_drop),
		leaks_test(test_watch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
