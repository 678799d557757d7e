/*
 * What the keeper holds.
 */

#include "tests/unit/leaks.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "daemon/keeper/store.h"
#include "proto/descriptor.h"

static struct keep_message make(const char *key, const char *bytes, size_t n_fds)
{
	struct keep_message message = {.verb = KEEP_PUT, .bytes = strdup(bytes)};

	assert_non_null(message.bytes);
	message.n_bytes = strlen(bytes);
	(void)stpcpy(message.key, key);
	for (; message.passed.n_fds < n_fds; message.passed.n_fds++) {
		int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

		assert_true(fd >= 0);
		message.passed.fds[message.passed.n_fds] = fd;
	}
	return message;
}

static int put(struct store *store, const char *key, const char *bytes, size_t n_fds)
{
	struct keep_message message = make(key, bytes, n_fds);
	int r = store_put(store, &message);

	if (r == 0) {
		assert_null(message.bytes);
		assert_int_equal(message.passed.n_fds, 0);
	}
	keep_message_done(&message);
	return r;
}

static int update(struct store *store, const char *key, const char *bytes)
{
	struct keep_message message = make(key, bytes, 1);
	int r = store_update(store, &message);

	keep_message_done(&message);
	return r;
}

/* keys: in order, each followed by a space. */
static void assert_keys(const struct store *store, const char *keys)
{
	char found[256] = "";
	size_t n = 0;

	for (const struct store_entry *entry = store->first; entry; entry = entry->next) {
		strcat(strcat(found, entry->key), " ");
		assert_ptr_equal(entry->next ? entry->next->previous : store->last, entry);
		n++;
	}
	assert_string_equal(found, keys);
	assert_int_equal(store->n_keys, n);
}

static void holds_in_order(void **state)
{
	struct store store;

	(void)state;
	store_init(&store, 10, 10);
	assert_keys(&store, "");
	assert_int_equal(put(&store, "b", "1", 0), 0);
	assert_int_equal(put(&store, "a", "2", 4), 0);
	assert_int_equal(put(&store, "c", "3", 1), 0);
	assert_keys(&store, "b a c ");
	assert_int_equal(store.n_fds, 5);
	assert_string_equal(store.last->bytes, "3");
	store_done(&store);
	assert_keys(&store, "");
}

static void replaces_and_closes_what_it_held(void **state)
{
	uintptr_t before = leaks_count_fds();
	struct store store;

	(void)state;
	store_init(&store, 10, 10);
	assert_int_equal(put(&store, "a", "old", 3), 0);
	assert_int_equal(put(&store, "b", "", 0), 0);
	assert_int_equal(leaks_count_fds(), before + 3);
	assert_int_equal(put(&store, "a", "new", 1), 0);
	assert_int_equal(leaks_count_fds(), before + 1);
	assert_keys(&store, "a b ");
	assert_string_equal(store.first->bytes, "new");
	assert_int_equal(store.n_fds, 1);
	store_done(&store);
}

static void updates_bytes_only(void **state)
{
	struct store store;
	int fd;

	(void)state;
	store_init(&store, 10, 10);
	assert_int_equal(update(&store, "a", "none"), -ENOENT);
	assert_int_equal(put(&store, "a", "old", 1), 0);
	fd = store.first->fds[0];
	store.first->number = 5;
	assert_int_equal(update(&store, "a", "longer than before"), 0);
	assert_string_equal(store.first->bytes, "longer than before");
	assert_int_equal(store.first->n_bytes, strlen("longer than before"));
	assert_int_equal(store.first->fds[0], fd);
	assert_int_equal(store.first->n_fds, 1);
	assert_int_equal(store.first->number, 5);
	assert_int_equal(store.n_fds, 1);
	store_done(&store);
}

static void drops_any_of_them(void **state)
{
	uintptr_t before = leaks_count_fds();
	struct store store;

	(void)state;
	store_init(&store, 10, 10);
	for (const char *key = "a\0b\0c\0d\0e\0"; *key; key += 2)
		assert_int_equal(put(&store, key, key, 1), 0);
	store_drop(&store, "c");
	store_drop(&store, "c");
	store_drop(&store, "nothing");
	assert_keys(&store, "a b d e ");
	store_drop(&store, "a");
	store_drop(&store, "e");
	assert_keys(&store, "b d ");
	assert_int_equal(leaks_count_fds(), before + 2);
	store_drop(&store, "b");
	store_drop(&store, "d");
	assert_keys(&store, "");
	assert_null(store.last);
	assert_int_equal(store.n_fds, 0);
	store_done(&store);
}

static void refuses_over_its_bounds(void **state)
{
	struct store store;

	(void)state;
	store_init(&store, 2, 5);
	assert_int_equal(put(&store, "a", "1", 4), 0);
	assert_int_equal(put(&store, "b", "2", 2), -ENOSPC);
	assert_int_equal(put(&store, "b", "2", 1), 0);
	assert_int_equal(put(&store, "c", "3", 0), -ENOSPC);
	assert_int_equal(put(&store, "b", "4", 2), -ENOSPC);
	assert_string_equal(store.last->bytes, "2");
	assert_int_equal(store.last->n_fds, 1);
	assert_int_equal(put(&store, "a", "5", 3), 0);
	assert_int_equal(put(&store, "b", "6", 2), 0);
	assert_keys(&store, "a b ");
	assert_int_equal(store.n_fds, 5);
	store_done(&store);
}

static void finds_many(void **state)
{
	const int n = 5000;
	struct store store;
	char key[16];

	(void)state;
	store_init(&store, STORE_KEYS_MAX, 0);
	for (int i = 0; i < n; i++) {
		(void)snprintf(key, sizeof(key), "key/%d", i * 7919 % n);
		assert_int_equal(put(&store, key, key, 0), 0);
	}
	for (int i = 0; i < n; i += 2) {
		(void)snprintf(key, sizeof(key), "key/%d", i);
		store_drop(&store, key);
	}
	for (int i = 0; i < n; i++) {
		(void)snprintf(key, sizeof(key), "key/%d", i);
		assert_int_equal(update(&store, key, "x"), i % 2 ? 0 : -ENOENT);
	}
	assert_int_equal(store.n_keys, n / 2);
	store_done(&store);
}

static pid_t start_child(int *ret_pidfd)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(3);
	*ret_pidfd = pidfd_open(pid, 0);
	assert_true(*ret_pidfd >= 0);
	return pid;
}

static void put_pidfd(struct store *store, const char *key, int pidfd)
{
	struct keep_message message = make(key, "", 0);

	message.passed.fds[0] = fcntl(pidfd, F_DUPFD_CLOEXEC, 0);
	assert_true(message.passed.fds[0] >= 0);
	message.passed.n_fds = 1;
	assert_int_equal(store_put(store, &message), 0);
	keep_message_done(&message);
}

static void finds_entries_by_process(void **state)
{
	struct store store;
	const struct store_entry *entry;
	siginfo_t info;
	int pidfd;
	pid_t pid;

	(void)state;
	store_init(&store, 10, 10);
	pid = start_child(&pidfd);
	assert_int_equal(put(&store, "other", "", 1), 0);
	put_pidfd(&store, "one", pidfd);
	assert_int_equal(put(&store, "none", "", 0), 0);
	put_pidfd(&store, "two", pidfd);
	entry = store_find_pid(&store, NULL, pid);
	assert_string_equal(entry->key, "one");
	entry = store_find_pid(&store, entry, pid);
	assert_string_equal(entry->key, "two");
	assert_null(store_find_pid(&store, entry, pid));
	assert_null(store_find_pid(&store, NULL, getpid()));

	/* A pidfd of a process that is gone names none. */
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED), 0);
	put_pidfd(&store, "late", pidfd);
	assert_int_equal(store.last->pid, 0);
	descriptor_close(&pidfd);
	store_done(&store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(holds_in_order),
		leaks_test(replaces_and_closes_what_it_held),
		leaks_test(updates_bytes_only),
		leaks_test(drops_any_of_them),
		leaks_test(refuses_over_its_bounds),
		leaks_test(finds_many),
		leaks_test(finds_entries_by_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
