/*
 * What the keeper takes along when it executes itself.
 */

#include "tests/unit/leaks.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "daemon/keeper/carry.h"
#include "proto/descriptor.h"

/* Of the format: the magic, then the version. */
#define VERSION_OFFSET 8

static int open_any(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void put(struct store *store, const char *key, const char *bytes, size_t n_fds)
{
	struct keep_message message = {.verb = KEEP_PUT, .bytes = strdup(bytes)};

	assert_non_null(message.bytes);
	message.n_bytes = strlen(bytes);
	(void)stpcpy(message.key, key);
	while (message.passed.n_fds < n_fds)
		message.passed.fds[message.passed.n_fds++] = open_any();
	assert_int_equal(store_put(store, &message), 0);
}

/* What a process has left when it goes on as another program: the descriptors. */
static void forget(struct store *store)
{
	for (struct store_entry *entry = store->first; entry; entry = entry->next) {
		store->n_fds -= entry->n_fds;
		entry->n_fds = 0;
	}
	store_done(store);
}

static struct carried open_carried(void)
{
	return (struct carried){
		.lock_fd = open_any(),
		.link_fd = open_any(),
		.supervisor_fd = open_any(),
		.supervisor = 77,
		.stop_wanted = 1,
	};
}

static void close_carried(struct carried *carried)
{
	(void)close(carried->lock_fd);
	(void)close(carried->link_fd);
	(void)close(carried->supervisor_fd);
}

static void fill(struct store *store)
{
	store_init(store, 10, 10);
	put(store, "version", "{\"version\":1}", 0);
	put(store, "process/web/0", "{\"pid\":5}", 1);
	put(store, "lane/1", "", 2);
	store->first->next->number = KEEP_STATUS_KNOWN | 9;
	store->first->next->untold = true;
}

static void reads_what_was_written(void **state)
{
	struct carried carried = open_carried(), again = {0};
	struct store store, next;
	int lane_fd, fd;

	(void)state;
	fill(&store);
	lane_fd = store.last->fds[1];
	assert_int_equal(carry_write(&carried, &store, &fd), 0);
	forget(&store);
	store_init(&next, 10, 10);
	assert_int_equal(carry_read(fd, &again, &next), 0);
	assert_memory_equal(&carried, &again, sizeof(carried));
	assert_int_equal(next.n_keys, 3);
	assert_int_equal(next.n_fds, 3);
	assert_string_equal(next.first->key, "version");
	assert_string_equal(next.first->bytes, "{\"version\":1}");
	assert_string_equal(next.first->next->key, "process/web/0");
	assert_int_equal(next.first->next->number, KEEP_STATUS_KNOWN | 9);
	assert_true(next.first->next->untold);
	assert_string_equal(next.last->key, "lane/1");
	assert_int_equal(next.last->n_bytes, 0);
	assert_int_equal(next.last->fds[1], lane_fd);
	assert_int_equal(fcntl(lane_fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(again.link_fd, F_GETFD), FD_CLOEXEC);
	store_done(&next);
	close_carried(&carried);
	(void)close(fd);
}

static void overwrite(int fd, off_t offset, uint32_t value)
{
	assert_int_equal(pwrite(fd, &value, sizeof(value), offset), sizeof(value));
}

/* Then the supervisor is asked for everything, so that all descriptors must be left alone. */
static void refuses_what_it_does_not_know(void **state)
{
	struct carried carried = open_carried(), again = {0};
	uintptr_t before;
	struct store store, next;
	int fd;

	(void)state;
	fill(&store);
	assert_int_equal(carry_write(&carried, &store, &fd), 0);
	before = leaks_count_fds();
	store_init(&next, 10, 10);
	overwrite(fd, VERSION_OFFSET, 1000);
	assert_int_equal(carry_read(fd, &again, &next), -EPROTO);
	overwrite(fd, VERSION_OFFSET, 1);
	overwrite(fd, 0, 0);
	assert_int_equal(carry_read(fd, &again, &next), -EBADMSG);
	assert_int_equal(leaks_count_fds(), before);
	assert_int_equal(next.n_keys, 0);
	store_done(&store);
	close_carried(&carried);
	(void)close(fd);
}

static void refuses_what_was_cut_off(void **state)
{
	struct carried carried = open_carried(), again = {0};
	uintptr_t before;
	struct store store, next;
	off_t size;
	int fd;

	(void)state;
	fill(&store);
	assert_int_equal(carry_write(&carried, &store, &fd), 0);
	before = leaks_count_fds();
	size = lseek(fd, 0, SEEK_END);
	while (--size >= 0) {
		assert_int_equal(ftruncate(fd, size), 0);
		store_init(&next, 10, 10);
		assert_int_equal(carry_read(fd, &again, &next), -EBADMSG);
		assert_int_equal(next.n_keys, 0);
		assert_int_equal(next.n_fds, 0);
	}
	assert_int_equal(leaks_count_fds(), before);
	store_done(&store);
	close_carried(&carried);
	(void)close(fd);
}

static void finds_nothing_where_nothing_was_left(void **state)
{
	unsigned int replaced = 0;

	(void)state;
	(void)unsetenv("INKO_KEEPER_STATE");
	assert_int_equal(carry_find(&replaced), -1);
	assert_int_equal(setenv("INKO_KEEPER_STATE", "1000 1", 1), 0);
	assert_int_equal(carry_find(&replaced), -1);
	assert_null(getenv("INKO_KEEPER_STATE"));
	assert_int_equal(setenv("INKO_KEEPER_STATE", "1 1", 1), 0);
	assert_int_equal(carry_find(&replaced), -1);
	assert_int_equal(replaced, 0);
}

/* Everything goes on as before. */
static void survives_a_program_that_is_not_there(void **state)
{
	struct carried carried = open_carried();
	char *argv[] = {(char *)"inkod", NULL};
	struct store store;
	int fd;

	(void)state;
	fill(&store);
	assert_int_equal(carry_write(&carried, &store, &fd), 0);
	assert_int_equal(carry_execute("/nowhere/inkod", argv, &carried, &store, fd, 1), -ENOENT);
	assert_int_equal(fcntl(store.last->fds[0], F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(carried.lock_fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_null(getenv("INKO_KEEPER_STATE"));
	store_done(&store);
	close_carried(&carried);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(reads_what_was_written),
		leaks_test(refuses_what_it_does_not_know),
		leaks_test(refuses_what_was_cut_off),
		leaks_test(finds_nothing_where_nothing_was_left),
		leaks_test(survives_a_program_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
