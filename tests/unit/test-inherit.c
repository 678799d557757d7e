/*
 * What inkod is given with its start. Each case is a process of its own, whose descriptors from 3
 * on are what it says.
 */

#include "tests/unit/leaks.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/keeper/inherit.h"

/* cmocka's assertions are its parent's. */
#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static void be_given(int n, const char *n_text, const char *names, pid_t pid)
{
	char number[16];

	MUST(close_range(3, ~0U, 0) == 0);
	for (int i = 0; i < n; i++)
		MUST(socket(AF_INET, SOCK_STREAM, 0) == 3 + i);
	(void)snprintf(number, sizeof(number), "%d", (int)pid);
	MUST(setenv("LISTEN_PID", number, 1) == 0 && setenv("LISTEN_FDS", n_text, 1) == 0);
	MUST(names ? setenv("LISTEN_FDNAMES", names, 1) == 0 : unsetenv("LISTEN_FDNAMES") == 0);
}

static size_t take(struct store *store)
{
	struct inherited inherited;
	size_t n;

	inherit_take(&inherited);
	n = inherited.n;
	MUST(!getenv("LISTEN_PID") && !getenv("LISTEN_FDS") && !getenv("LISTEN_FDNAMES"));
	store_init(store, 1000, 1000);
	inherit_put(&inherited, store);
	return n;
}

static void gives_names(void)
{
	struct store store;
	const struct store_entry *entry;

	be_given(2, "2", "varlink:http", getpid());
	MUST(take(&store) == 2);
	entry = store.first;
	MUST(strcmp(entry->key, "socket/varlink") == 0 && entry->n_fds == 1);
	MUST(strcmp(entry->next->key, "socket/http") == 0 && !entry->next->next);
	MUST(entry->fds[0] == 3 && entry->next->fds[0] == 4);
	MUST(fcntl(4, F_GETFD) == FD_CLOEXEC && fcntl(4, F_GETFL) & O_NONBLOCK);
	store_done(&store);
	MUST(fcntl(3, F_GETFD) < 0 && fcntl(4, F_GETFD) < 0);
}

static void closes_what_has_no_name(void)
{
	struct store store;

	be_given(5, "5", "a:a:-b:", getpid());
	MUST(take(&store) == 5);
	MUST(store.n_keys == 1 && strcmp(store.first->key, "socket/a") == 0);
	MUST(fcntl(3, F_GETFD) >= 0);
	for (int fd = 4; fd < 8; fd++)
		MUST(fcntl(fd, F_GETFD) < 0);
}

static void takes_nothing_of_others(void)
{
	static const char *const numbers[] = {"0", "", "-", "x"};
	struct store store;

	be_given(1, "1", "a", getppid());
	MUST(take(&store) == 0 && store.n_keys == 0 && fcntl(3, F_GETFD) == 0);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		be_given(1, numbers[i], NULL, getpid());
		MUST(take(&store) == 0 && store.n_keys == 0);
	}
}

static void has_a_bound(void)
{
	struct store store;

	be_given(1, "99999999", "a", getpid());
	MUST(take(&store) == 256 && store.n_keys == 1);
	be_given(1, "-1", "a", getpid());
	MUST(take(&store) == 256 && store.n_keys == 1);
}

static void run(void (*function)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		function();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

#define IN_A_PROCESS(function)                                                                     \
	static void test_##function(void **state)                                                  \
	{                                                                                          \
		(void)state;                                                                       \
		run(function);                                                                     \
	}

IN_A_PROCESS(gives_names)
IN_A_PROCESS(closes_what_has_no_name)
IN_A_PROCESS(takes_nothing_of_others)
IN_A_PROCESS(has_a_bound)

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(test_gives_names),
		leaks_test(test_closes_what_has_no_name),
		leaks_test(test_takes_nothing_of_others),
		leaks_test(test_has_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
