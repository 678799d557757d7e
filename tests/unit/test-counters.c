/*
 * The page that a process counts in, from both of its sides: libinko's, which writes it, and the
 * supervisor's, which adds up whatever it finds there.
 */

#include "tests/unit/leaks.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/supervisor/counters.h"
#include "libclient/counters.h"
#include "libclient/wait.h"
#include "proto/descriptor.h"
#include "proto/json-fields.h"
#include "proto/json.h"

/* A page as inkod makes it, mapped as libinko maps it; the descriptor is the supervisor's. */
static struct counters_page *open_both(int *ret_fd)
{
	struct counters_page *page;
	int fd;

	assert_int_equal(counters_new_page(ret_fd), 0);
	fd = dup(*ret_fd);
	page = counters_map(&fd);
	assert_non_null(page);
	assert_int_equal(fd, -1);
	return page;
}

static void close_both(struct counters_page *page, int fd)
{
	counters_unmap(page);
	(void)close(fd);
}

static void receive(struct counters_page *page, enum envelope_kind kind, uint64_t waited_usec)
{
	const struct envelope envelope = {
		.kind = (uint8_t)kind, .time_usec = wait_now_usec() - waited_usec};

	counters_note_received(page, &envelope);
}

static struct counters add_up(int fd)
{
	struct counters sum = {0};

	counters_add_page(&sum, fd);
	return sum;
}

static void the_layout_is_the_documented_one(void **state)
{
	(void)state;
	assert_int_equal(offsetof(struct counters_page, version), 0);
	assert_int_equal(offsetof(struct counters_page, received), 8);
	assert_int_equal(offsetof(struct counters_page, connections), 16);
	assert_int_equal(offsetof(struct counters_page, late), 24);
	assert_int_equal(offsetof(struct counters_page, buckets), 256);
	assert_int_equal(offsetof(struct counters_page, rows), 1024);
	assert_int_equal(sizeof(struct counters_row), 128);
	assert_int_equal(offsetof(struct counters_row, taken), 64);
	assert_int_equal(offsetof(struct counters_row, handed_over), 72);
	assert_int_equal(offsetof(struct counters_row, refused), 80);
}

static void nobody_can_change_the_size_of_a_page(void **state)
{
	struct counters_page *page;
	int fd;

	(void)state;
	page = open_both(&fd);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, sizeof(*page) + 1), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	close_both(page, fd);
}

static void what_is_received_is_counted(void **state)
{
	struct counters_page *page;
	struct counters sum;
	int fd;

	(void)state;
	page = open_both(&fd);
	receive(page, ENVELOPE_MESSAGE, 0);
	receive(page, ENVELOPE_ANSWER, 0);
	for (int i = 0; i < 3; i++)
		receive(page, ENVELOPE_CONNECTION, 10000);
	receive(page, ENVELOPE_CONNECTION, COUNTERS_LATE_USEC + 1000000);
	sum = add_up(fd);
	assert_int_equal(sum.received, 6);
	assert_int_equal(sum.connections, 4);
	assert_int_equal(sum.late, 1);
	assert_int_equal(sum.buckets[counters_bucket(COUNTERS_LATE_USEC + 1000000)], 1);
	close_both(page, fd);
}

/* As after a kill: another process goes on where that one ended. */
static void the_next_process_goes_on(void **state)
{
	struct counters_page *page;
	int fd, next;

	(void)state;
	page = open_both(&fd);
	receive(page, ENVELOPE_MESSAGE, 0);
	inko_tally_add(counters_find_row(page, "front"), INKO_TALLY_TAKEN);
	counters_unmap(page);
	next = dup(fd);
	page = counters_map(&next);
	receive(page, ENVELOPE_MESSAGE, 0);
	inko_tally_add(counters_find_row(page, "front"), INKO_TALLY_TAKEN);
	assert_int_equal(add_up(fd).received, 2);
	assert_int_equal(counters_find_source(page, "front").taken, 2);
	close_both(page, fd);
}

/* A time that has not come yet, and one before everything, are some sender's mistake. */
static void times_that_cannot_be_are_counted_all_the_same(void **state)
{
	const struct envelope future = {.kind = ENVELOPE_CONNECTION, .time_usec = UINT64_MAX};
	const struct envelope past = {.kind = ENVELOPE_CONNECTION, .time_usec = 0};
	struct counters_page *page;
	struct counters sum;
	int fd;

	(void)state;
	page = open_both(&fd);
	counters_note_received(page, &future);
	counters_note_received(page, &past);
	sum = add_up(fd);
	assert_int_equal(sum.connections, 2);
	assert_int_equal(sum.buckets[0], 1);
	close_both(page, fd);
}

static void a_bucket_has_what_is_at_most_its_bound(void **state)
{
	(void)state;
	assert_int_equal(counters_bucket(0), 0);
	assert_int_equal(counters_bucket(1), 0);
	for (unsigned int i = 1; i < COUNTERS_BUCKETS; i++) {
		assert_int_equal(counters_bucket(UINT64_C(1) << i), i);
		assert_int_equal(counters_bucket((UINT64_C(1) << (i - 1)) + 1), i);
	}
	assert_int_equal(counters_bucket((UINT64_C(1) << 31) + 1), COUNTERS_BUCKETS - 1);
	assert_int_equal(counters_bucket(UINT64_MAX), COUNTERS_BUCKETS - 1);
}

static void percentiles_are_bounds_of_buckets(void **state)
{
	struct counters sum = {0};

	(void)state;
	assert_int_equal(counters_percentile(&sum, 50), -1);
	sum.buckets[3] = 1;
	assert_int_equal(counters_percentile(&sum, 50), 8);
	assert_int_equal(counters_percentile(&sum, 99), 8);
	/* 98 of 100 within 8, the others within 1024. */
	sum.buckets[3] = 98;
	sum.buckets[10] = 2;
	assert_int_equal(counters_percentile(&sum, 50), 8);
	assert_int_equal(counters_percentile(&sum, 98), 8);
	assert_int_equal(counters_percentile(&sum, 99), 1024);
	sum.buckets[10] = 0;
	sum.buckets[31] = 98;
	assert_int_equal(counters_percentile(&sum, 50), 8);
	assert_int_equal(counters_percentile(&sum, 51), INT64_C(1) << 31);
}

static void sums_saturate(void **state)
{
	struct counters sum = {.moved = UINT64_MAX, .late = 1}, other = {.moved = 5};

	(void)state;
	other.buckets[0] = UINT64_MAX;
	other.buckets[31] = UINT64_MAX;
	counters_add(&sum, &other);
	counters_add(&sum, &other);
	assert_int_equal(sum.moved, JSON_INTEGER_MAX);
	assert_int_equal(sum.late, 1);
	assert_int_equal(sum.buckets[0], JSON_INTEGER_MAX);
	assert_int_equal(counters_percentile(&sum, 50), 1);
	assert_int_equal(counters_percentile(&sum, 99), INT64_C(1) << 31);
}

/* A process may write what it likes: the numbers are wrong then, and stay numbers. */
static void garbage_is_only_wrong(void **state)
{
	struct counters_page *page;
	const struct counters_page *read_page;
	struct counters sum;
	cJSON *object;
	char *text;
	int fd;

	(void)state;
	page = open_both(&fd);
	memset(page, 0xff, sizeof(*page));
	sum = add_up(fd);
	assert_int_equal(sum.received, JSON_INTEGER_MAX);
	object = cJSON_CreateObject();
	counters_describe(&sum, object);
	text = cJSON_PrintUnformatted(object);
	assert_non_null(strstr(text, "\"received\":9007199254740992,"));
	free(text);
	cJSON_Delete(object);
	read_page = counters_open_page(fd);
	assert_int_equal(counters_find_source(read_page, "front").taken, 0);
	assert_int_equal(counters_get_others(read_page).taken, JSON_INTEGER_MAX);
	counters_close_page(read_page);
	close_both(page, fd);
}

static void what_is_no_page_is_not_counted_in(void **state)
{
	int fd = -1, unsealed, small, pipes[2];

	(void)state;
	assert_null(counters_map(&fd));
	unsealed = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(unsealed, sizeof(struct counters_page)), 0);
	small = dup(unsealed);
	assert_null(counters_map(&unsealed));
	assert_int_equal(ftruncate(small, sizeof(struct counters_page) - 1), 0);
	assert_int_equal(fcntl(small, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	assert_null(counters_map(&small));
	assert_int_equal(pipe(pipes), 0);
	assert_null(counters_map(&pipes[0]));
	(void)close(pipes[1]);
	/* Without a page every call is nothing. */
	receive(NULL, ENVELOPE_CONNECTION, 0);
	assert_null(counters_find_row(NULL, "front"));
	inko_tally_add(NULL, INKO_TALLY_TAKEN);
	assert_null(inko_tally_forget(NULL));
	assert_int_equal(counters_find_source(NULL, "front").taken, 0);
	assert_int_equal(add_up(-1).received, 0);
}

static void a_page_of_another_version_is_left_alone(void **state)
{
	uint32_t version = COUNTERS_VERSION + 1;
	int fd;

	(void)state;
	assert_int_equal(counters_new_page(&fd), 0);
	assert_int_equal(pwrite(fd, &version, sizeof(version), 0), sizeof(version));
	assert_null(counters_map(&fd));
}

static void tallies_have_names(void **state)
{
	struct counters_page *page;
	struct inko_tally *front, *back;
	struct counters_source source;
	int fd;

	(void)state;
	page = open_both(&fd);
	front = counters_find_row(page, "front");
	back = counters_find_row(page, "back");
	assert_ptr_not_equal(front, back);
	assert_ptr_equal(counters_find_row(page, "front"), front);
	assert_null(counters_find_row(page, ""));
	inko_tally_add(front, INKO_TALLY_TAKEN);
	inko_tally_add(front, INKO_TALLY_TAKEN);
	inko_tally_add(front, INKO_TALLY_HANDED_OVER);
	inko_tally_add(front, INKO_TALLY_REFUSED);
	source = counters_find_source(page, "front");
	assert_int_equal(source.taken, 2);
	assert_int_equal(source.handed_over, 1);
	assert_int_equal(source.refused, 1);
	assert_int_equal(counters_find_source(page, "back").taken, 0);
	/* Who opens one of this name again begins anew. */
	inko_tally_forget(front);
	assert_int_equal(counters_find_source(page, "front").taken, 0);
	assert_ptr_equal(counters_find_row(page, "front"), front);
	assert_int_equal(counters_find_source(page, "front").taken, 0);
	close_both(page, fd);
}

static void those_too_many_share_a_row(void **state)
{
	struct counters_page *page;
	struct inko_tally *others, *first = NULL;
	char name[16];
	int fd;

	(void)state;
	page = open_both(&fd);
	for (int i = 0; i < COUNTERS_OTHER; i++) {
		(void)snprintf(name, sizeof(name), "l%d", i);
		first = i ? first : counters_find_row(page, name);
		inko_tally_add(counters_find_row(page, name), INKO_TALLY_TAKEN);
	}
	others = counters_find_row(page, "one more");
	assert_ptr_equal(counters_find_row(page, "and another"), others);
	inko_tally_add(others, INKO_TALLY_TAKEN);
	/* It belongs to the other one too. */
	inko_tally_forget(others);
	assert_int_equal(counters_get_others(page).taken, 1);
	assert_int_equal(counters_find_source(page, "l502").taken, 1);
	inko_tally_forget(first);
	assert_ptr_equal(counters_find_row(page, "one more"), first);
	close_both(page, fd);
}

static void what_is_held_comes_back(void **state)
{
	struct counters sum = {.received = 1, .connections = 2, .late = 3, .moved = 4}, back = {0};
	cJSON *object;
	char *text;

	(void)state;
	sum.restarts = JSON_INTEGER_MAX;
	for (size_t i = 0; i < COUNTERS_BUCKETS; i++)
		sum.buckets[i] = 1000000000000000 + i;
	object = counters_encode(&sum);
	text = cJSON_PrintUnformatted(object);
	cJSON_Delete(object);
	assert_int_equal(json_parse(text, strlen(text), &object), 0);
	free(text);
	counters_decode(object, &back);
	cJSON_Delete(object);
	assert_memory_equal(&sum, &back, sizeof(sum));
	counters_decode(NULL, &back);
	assert_int_equal(back.received, 0);
	assert_int_equal(back.buckets[7], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(the_layout_is_the_documented_one),
		leaks_test(nobody_can_change_the_size_of_a_page),
		leaks_test(what_is_received_is_counted),
		leaks_test(the_next_process_goes_on),
		leaks_test(times_that_cannot_be_are_counted_all_the_same),
		leaks_test(a_bucket_has_what_is_at_most_its_bound),
		leaks_test(percentiles_are_bounds_of_buckets),
		leaks_test(sums_saturate),
		leaks_test(garbage_is_only_wrong),
		leaks_test(what_is_no_page_is_not_counted_in),
		leaks_test(a_page_of_another_version_is_left_alone),
		leaks_test(tallies_have_names),
		leaks_test(those_too_many_share_a_row),
		leaks_test(what_is_held_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
