/*
 * By what names a process sends.
 */

#include "tests/unit/lanes.h"

#include "libclient/outboxes.h"

static void add_lane(
	struct outboxes *outboxes, const char *peer, uint64_t number, struct lane_ends *ret_ends)
{
	int write_fd;

	*ret_ends = lane_ends_open(LANES_QUEUE);
	write_fd = fcntl(ret_ends->write_fd, F_DUPFD_CLOEXEC, 0);
	assert_int_equal(outboxes_add_lane(outboxes, peer, number, &write_fd), 0);
	assert_int_equal(write_fd, -1);
}

/* The lanes of instances are their actor's, whether they came before it was opened or after; that
 * of all together has a name of its own. */
static void test_lanes_by_name(void **state)
{
	struct outboxes outboxes = {0};
	struct lane_ends ends[4];
	struct outbox *web, *shared, *other, *again;
	unsigned int room;

	(void)state;
	add_lane(&outboxes, "web/0", 1, &ends[0]);
	assert_int_equal(outboxes_open(&outboxes, "web", &web), 0);
	room = outbox_room(web);
	assert_true(room > 0);
	add_lane(&outboxes, "web/1", 2, &ends[1]);
	assert_int_equal(outbox_room(web), 2 * room);
	add_lane(&outboxes, "web/*", 3, &ends[2]);
	add_lane(&outboxes, "webs/0", 4, &ends[3]);
	assert_int_equal(outbox_room(web), 2 * room);
	assert_int_equal(outboxes_open(&outboxes, "web/*", &shared), 0);
	assert_int_equal(outboxes_open(&outboxes, "webs", &other), 0);
	assert_true(shared != web && other != web && other != shared);
	assert_int_equal(outbox_room(shared), room);
	assert_int_equal(outboxes_open(&outboxes, "web", &again), 0);
	assert_ptr_equal(again, web);
	outboxes_done(&outboxes);
	for (size_t i = 0; i < 4; i++)
		lane_ends_close(&ends[i]);
}

static unsigned int count_outboxes(const struct outboxes *outboxes)
{
	unsigned int n = 0;

	for (struct outbox *outbox = outboxes->first; outbox; outbox = *outbox_next(outbox))
		n++;
	return n;
}

/* An actor that may send to another, and does not, sees many lives of its instances. */
static void test_ended_lanes_are_not_kept(void **state)
{
	struct outboxes outboxes = {0};
	struct lane_ends ends;
	uintptr_t before = 0;

	(void)state;
	for (uint64_t number = 1; number <= 100; number++) {
		add_lane(&outboxes, number % 2 ? "web/0" : "shop/0", number, &ends);
		assert_int_equal(lane_revoke(ends.read_fd), 0);
		lane_ends_close(&ends);
		before = number == 2 ? leaks_count_fds() : before;
	}
	assert_int_equal(leaks_count_fds(), before);
	assert_int_equal(count_outboxes(&outboxes), 1);
	outboxes_done(&outboxes);
}

/* Who opens one mailbox after the other and closes them has none of them in the end, but what is
 * open twice stays. */
static void test_closed_ones_go(void **state)
{
	struct outboxes outboxes = {0};
	struct lane_ends ends;
	struct outbox *web, *again;
	unsigned int room;

	(void)state;
	add_lane(&outboxes, "web/0", 1, &ends);
	assert_int_equal(outboxes_open(&outboxes, "web", &web), 0);
	assert_int_equal(outboxes_open(&outboxes, "web", &again), 0);
	room = outbox_room(web);
	outboxes_close(&outboxes, again);
	assert_int_equal(outbox_room(web), room);
	outboxes_close(&outboxes, web);
	/* Its lane is there for who opens it again. */
	assert_int_equal(outboxes_open(&outboxes, "web", &web), 0);
	assert_int_equal(outbox_room(web), room);
	assert_int_equal(lane_revoke(ends.read_fd), 0);
	outboxes_close(&outboxes, web);
	assert_null(outboxes.first);
	lane_ends_close(&ends);
	outboxes_done(&outboxes);
}

static void test_names_that_nobody_can_have(void **state)
{
	static const char *const names[] = {"", "/*", "web/", "web/0", "web/*/*", "a b"};
	struct outboxes outboxes = {0};
	struct outbox *none = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_int_equal(outboxes_open(&outboxes, names[i], &none), -EINVAL);
	assert_null(none);
	assert_null(outboxes.first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(test_lanes_by_name),
		leaks_test(test_ended_lanes_are_not_kept),
		leaks_test(test_closed_ones_go),
		leaks_test(test_names_that_nobody_can_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
