/*
 * Accepting from listeners that others hold too, and being told to stop.
 */

#include "tests/unit/sockets.h"

#include <poll.h>
#include <sys/resource.h>

#include <inko/task.h>

static void accept_waits(enum inko_socket_family family)
{
	struct inko_socket *listener, *client, *server;
	struct place place;

	listener = sockets_open_listener(family, &place);
	if (fork() == 0) {
		usleep(SOON_USEC);
		client = sockets_open(family, INKO_STREAM);
		_exit(sockets_connect(client, &place) == 0 ? 0 : 1);
	}
	assert_int_equal(inko_socket_accept(listener, &server), 0);
	assert_true(fcntl(inko_socket_get_fd(server), F_GETFD) & FD_CLOEXEC);
	assert_int_equal(inko_socket_get_family(server), family);
	assert_int_equal(inko_socket_get_type(server), INKO_STREAM);
	assert_false(inko_socket_is_listening(server));
	sockets_reap();
	inko_socket_close(server);
	inko_socket_close(listener);
}
families_of(accept_waits)

	/* A listener that somebody made blocking must not hold an acceptor that lost the race. */
	static void accept_survives_blocking_listener(enum inko_socket_family family)
{
	struct inko_socket *listener, *none = NULL;
	struct place place;
	int flags;

	listener = sockets_open_listener(family, &place);
	flags = sockets_flags(listener);
	assert_true(flags & O_NONBLOCK);
	fcntl(inko_socket_get_fd(listener), F_SETFL, flags & ~O_NONBLOCK);
	inko_socket_set_deadline(listener, inko_deadline_after(SOON_USEC));
	assert_int_equal(inko_socket_accept(listener, &none), -ETIMEDOUT);
	assert_true(sockets_flags(listener) & O_NONBLOCK);
	assert_null(none);
	inko_socket_close(listener);
}
families_of(accept_survives_blocking_listener)

	/* Each acceptor that is woken for a connection which another one has taken waits on. */
	static void several_acceptors_wait_on(enum inko_socket_family family)
{
	enum { ACCEPTORS = 4, CLIENTS = 40 };
	struct inko_socket *listener, *server;
	int counts[2], n_accepted = 0;
	struct place place;
	unsigned char n;

	listener = sockets_open_listener(family, &place);
	assert_int_equal(pipe(counts), 0);
	for (int i = 0; i < ACCEPTORS; i++) {
		if (fork() > 0)
			continue;
		for (n = 0; inko_socket_accept(listener, &server) == 0; n++)
			inko_socket_close(server);
		_exit(write(counts[1], &n, 1) == 1 ? 0 : 1);
	}
	for (int i = 0; i < CLIENTS; i++) {
		struct inko_socket *client = sockets_open(family, INKO_STREAM);

		assert_int_equal(sockets_connect(client, &place), 0);
		assert_int_equal(inko_socket_read(client, &(char){0}, 1), 0);
		inko_socket_close(client);
	}
	/* None has ended before it is told to, and then each says how many it had. */
	assert_int_equal(poll(&(struct pollfd){.fd = counts[0], .events = POLLIN}, 1, 0), 0);
	assert_int_equal(inko_socket_shutdown(listener), 0);
	for (int i = 0; i < ACCEPTORS; i++) {
		assert_int_equal(read(counts[0], &n, 1), 1);
		n_accepted += n;
		sockets_reap();
	}
	assert_int_equal(n_accepted, CLIENTS);
	close(counts[0]);
	close(counts[1]);
	inko_socket_close(listener);
}
families_of(several_acceptors_wait_on)

	/* Two tasks, both woken by one connection for sure: the one that comes second waits for the
	   next. */
	struct contest {
	struct inko_socket *listeners[2];
	struct place place;
	unsigned int n_accepted;
};

static int accept_once(struct inko_mailbox *mailbox, void *argument)
{
	struct contest *contest = argument;
	struct inko_socket *server;
	int r;

	(void)mailbox;
	r = inko_socket_accept(contest->listeners[strcmp(inko_task_name(NULL), "a") != 0], &server);
	contest->n_accepted += r == 0;
	return r;
}

static int connect_twice(struct inko_mailbox *mailbox, void *argument)
{
	struct contest *contest = argument;

	(void)mailbox;
	for (unsigned int n = 1; n <= 2; n++) {
		struct inko_socket *client = sockets_open(contest->place.family, INKO_STREAM);

		assert_int_equal(sockets_connect(client, &contest->place), 0);
		while (contest->n_accepted < n)
			assert_int_equal(inko_task_yield(), 0);
	}
	return 0;
}

static void loser_of_a_race_waits_on(enum inko_socket_family family)
{
	struct inko_runtime *runtime;
	struct inko_task *tasks[2];
	struct contest contest = {0};

	contest.listeners[0] = sockets_open_listener(family, &contest.place);
	assert_int_equal(inko_socket_clone(contest.listeners[0], &contest.listeners[1]), 0);
	assert_int_equal(inko_runtime_new(&runtime), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(inko_task_spawn(runtime, i == 0 ? "a" : "b", accept_once, &contest,
					 &tasks[i]),
			0);
	assert_int_equal(inko_task_spawn(runtime, "connect", connect_twice, &contest, NULL), 0);
	for (int i = 0; i < 100000 && inko_runtime_count_tasks(runtime) > 0; i++)
		assert_true(inko_runtime_dispatch(runtime) >= 0);
	assert_int_equal(contest.n_accepted, 2);
	for (int i = 0; i < 2; i++)
		assert_int_equal(inko_task_join(tasks[i], NULL), 0);
	assert_null(inko_runtime_free(runtime));
	inko_socket_close(contest.listeners[0]);
	inko_socket_close(contest.listeners[1]);
}
families_of(loser_of_a_race_waits_on)

	static void test_accept_skips_reset_connections(void **state)
{
	struct inko_socket *listener, *gone, *client, *server;
	struct place place;

	(void)state;
	listener = sockets_open_listener(INKO_IPV4, &place);
	gone = sockets_open(INKO_IPV4, INKO_STREAM);
	assert_int_equal(sockets_connect(gone, &place), 0);
	assert_int_equal(inko_socket_set_linger(gone, true, 0), 0);
	inko_socket_close(gone);
	client = sockets_open(INKO_IPV4, INKO_STREAM);
	assert_int_equal(sockets_connect(client, &place), 0);
	assert_int_equal(inko_socket_accept(listener, &server), 0);
	inko_socket_close(server);
	inko_socket_close(client);
	inko_socket_close(listener);
}

/* What does not listen stays as it is. */
static void accept_of_no_listener(enum inko_socket_family family)
{
	struct inko_socket *datagram = sockets_open(family, INKO_DATAGRAM), *none = NULL;
	struct inko_socket *unbound = sockets_open(family, INKO_STREAM);
	struct pair pair;

	sockets_open_pair(family, &pair);
	assert_int_equal(inko_socket_accept(pair.a, &none), -EINVAL);
	assert_int_equal(inko_socket_accept(pair.b, &none), -EINVAL);
	assert_int_equal(inko_socket_accept(unbound, &none), -EINVAL);
	assert_int_equal(inko_socket_accept(datagram, &none), -EOPNOTSUPP);
	assert_false(sockets_flags(pair.a) & O_NONBLOCK);
	assert_false(sockets_flags(unbound) & O_NONBLOCK);
	assert_false(sockets_flags(datagram) & O_NONBLOCK);
	assert_null(none);
	sockets_close_pair(&pair);
	inko_socket_close(unbound);
	inko_socket_close(datagram);
}
families_of(accept_of_no_listener)

	/* One that another holder had listen after it came here. */
	static void accept_of_a_listener_by_others(enum inko_socket_family family)
{
	struct inko_socket *bound, *client = sockets_open(family, INKO_STREAM), *server;
	struct place place;

	bound = sockets_open_bound(family, INKO_STREAM, &place);
	assert_int_equal(listen(inko_socket_get_fd(bound), 4), 0);
	assert_int_equal(sockets_connect(client, &place), 0);
	assert_int_equal(inko_socket_accept(bound, &server), 0);
	inko_socket_close(server);
	inko_socket_close(client);
	inko_socket_close(bound);
}
families_of(accept_of_a_listener_by_others)

	static void accept_of_listener_that_is_shut_down(enum inko_socket_family family)
{
	struct inko_socket *listener, *adopted, *none = NULL;
	struct place place;
	int fd;

	listener = sockets_open_listener(family, &place);
	fd = dup(inko_socket_get_fd(listener));
	assert_int_equal(inko_socket_adopt(&fd, &adopted), 0);
	if (fork() == 0) {
		usleep(SOON_USEC);
		_exit(inko_socket_shutdown(listener) == 0 ? 0 : 1);
	}
	assert_int_equal(inko_socket_accept(listener, &none), -ESHUTDOWN);
	assert_int_equal(inko_socket_accept(listener, &none), -ESHUTDOWN);
	assert_int_equal(inko_socket_accept(adopted, &none), -ESHUTDOWN);
	assert_null(none);
	sockets_reap();
	inko_socket_close(adopted);
	inko_socket_close(listener);
}
families_of(accept_of_listener_that_is_shut_down)

	static void accept_without_room(enum inko_socket_family family)
{
	struct inko_socket *listener, *client = sockets_open(family, INKO_STREAM), *server = NULL;
	const char *preloaded = getenv("LD_PRELOAD");
	struct rlimit before, none;
	struct place place;

	if (preloaded && strstr(preloaded, "vgpreload")) {
		print_message("valgrind accepts first, and counts descriptors then\n");
		inko_socket_close(client);
		skip();
	}
	listener = sockets_open_listener(family, &place);
	assert_int_equal(sockets_connect(client, &place), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(inko_socket_accept(listener, &server), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_null(server);
	/* It waits on. */
	assert_int_equal(inko_socket_accept(listener, &server), 0);
	inko_socket_close(server);
	inko_socket_close(client);
	inko_socket_close(listener);
}
families_of(accept_without_room)

	int main(void)
{
	const struct CMUnitTest tests[] = {
		families_test(accept_waits),
		families_test(accept_survives_blocking_listener),
		families_test(several_acceptors_wait_on),
		families_test(loser_of_a_race_waits_on),
		leaks_test(test_accept_skips_reset_connections),
		families_test(accept_of_no_listener),
		families_test(accept_of_a_listener_by_others),
		families_test(accept_of_listener_that_is_shut_down),
		families_test(accept_without_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
