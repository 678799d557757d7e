/*
 * Sockets: where they come from and go to, what they are, and their deadlines.
 */

#include "tests/unit/sockets.h"

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/time.h>

#include "libclient/wait.h"

/* Made */

static const struct {
	enum inko_socket_family family;
	enum inko_socket_type type;
	int domain, kernel_type;
} makes[] = {
	{INKO_IPV4, INKO_STREAM, AF_INET, SOCK_STREAM},
	{INKO_IPV4, INKO_DATAGRAM, AF_INET, SOCK_DGRAM},
	{INKO_IPV6, INKO_STREAM, AF_INET6, SOCK_STREAM},
	{INKO_IPV6, INKO_DATAGRAM, AF_INET6, SOCK_DGRAM},
	{INKO_UNIX, INKO_STREAM, AF_UNIX, SOCK_STREAM},
	{INKO_UNIX, INKO_DATAGRAM, AF_UNIX, SOCK_DGRAM},
	{INKO_UNIX, INKO_SEQPACKET, AF_UNIX, SOCK_SEQPACKET},
};

static void test_new(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(makes) / sizeof(*makes); i++) {
		struct inko_socket *made;
		int domain, type, fd;
		socklen_t size = sizeof(int);

		if (makes[i].family == INKO_IPV6 && !sockets_have_ipv6())
			continue;
		made = sockets_open(makes[i].family, makes[i].type);
		fd = inko_socket_get_fd(made);
		assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size), 0);
		assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size), 0);
		assert_int_equal(domain, makes[i].domain);
		assert_int_equal(type, makes[i].kernel_type);
		assert_int_equal(inko_socket_get_family(made), makes[i].family);
		assert_int_equal(inko_socket_get_type(made), makes[i].type);
		assert_false(inko_socket_is_listening(made));
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		assert_false(sockets_flags(made) & O_NONBLOCK);
		inko_socket_close(made);
	}
}

static void test_new_of_what_there_is_not(void **state)
{
	struct inko_socket *none = NULL;

	(void)state;
	assert_int_equal(
		inko_socket_new((enum inko_socket_family)0, INKO_STREAM, 0, &none), -EINVAL);
	assert_int_equal(inko_socket_new(INKO_IPV4, (enum inko_socket_type)9, 0, &none), -EINVAL);
	assert_int_equal(inko_socket_new(INKO_IPV4, INKO_SEQPACKET, 0, &none), -ESOCKTNOSUPPORT);
	assert_int_equal(inko_socket_new(INKO_UNIX, INKO_RAW, 0, &none), -ESOCKTNOSUPPORT);
	assert_int_equal(
		inko_socket_new(INKO_IPV4, INKO_STREAM, IPPROTO_UDP, &none), -EPROTONOSUPPORT);
	assert_null(none);
}

static void test_raw(void **state)
{
	struct inko_ip loopback = sockets_loopback(INKO_IPV4);
	/* An echo request of ours, whose checksum nobody looks at before us. */
	const uint8_t echo[8] = {8, 0, 0, 0, (uint8_t)(getpid() >> 8), (uint8_t)getpid(), 0, 1};
	struct inko_address from;
	struct inko_socket *raw;
	uint8_t got[2048];
	ssize_t n;

	(void)state;
	if (inko_socket_new(INKO_IPV4, INKO_RAW, IPPROTO_ICMP, &raw) == -EPERM) {
		print_message("without CAP_NET_RAW there are no raw sockets\n");
		skip();
	}
	assert_int_equal(inko_socket_get_type(raw), INKO_RAW);
	assert_int_equal(inko_socket_send_to(raw, echo, sizeof(echo), &loopback, 0), sizeof(echo));
	/* What it sent itself comes as well, behind the IP header of 20 bytes, and what others sent
	 * before. */
	do
		n = inko_socket_receive_from(raw, got, sizeof(got), &from, NULL);
	while (n > 0 && (n != 20 + sizeof(echo) || memcmp(got + 20, echo, sizeof(echo)) != 0));
	assert_int_equal(n, 20 + sizeof(echo));
	assert_true(inko_ip_equal(&from.ip, &loopback));
	inko_socket_close(raw);
}

/* Adopted, released, cloned, closed */

static void test_adopts_what_the_kernel_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(makes) / sizeof(*makes); i++) {
		struct inko_socket *adopted;
		int fd = socket(makes[i].domain, makes[i].kernel_type, 0);

		if (fd < 0 && makes[i].family == INKO_IPV6)
			continue;
		assert_int_equal(inko_socket_adopt(&fd, &adopted), 0);
		assert_int_equal(fcntl(inko_socket_get_fd(adopted), F_GETFD), FD_CLOEXEC);
		assert_int_equal(fd, -1);
		assert_int_equal(inko_socket_get_family(adopted), makes[i].family);
		assert_int_equal(inko_socket_get_type(adopted), makes[i].type);
		inko_socket_close(adopted);
	}
}

static void test_adopts_only_sockets(void **state)
{
	struct inko_socket *none = NULL;
	int fds[2], fd;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(inko_socket_adopt(&fds[0], &none), -ENOTSOCK);
	assert_true(fds[0] >= 0); /* still the caller's */
	close(fds[0]);
	close(fds[1]);
	fd = open("/tmp", O_PATH);
	assert_int_equal(inko_socket_adopt(&fd, &none), -ENOTSOCK);
	close(fd);
	assert_int_equal(inko_socket_adopt(&fd, &none), -EBADF);
	fd = socket(AF_NETLINK, SOCK_RAW, 0);
	assert_int_equal(inko_socket_adopt(&fd, &none), -EPROTOTYPE);
	assert_true(fd >= 0);
	close(fd);
	assert_null(none);
}

static void release_gives_the_descriptor(enum inko_socket_family family)
{
	struct pair pair;
	char byte;
	int fd, number;

	sockets_open_pair(family, &pair);
	number = inko_socket_get_fd(pair.a);
	fd = inko_socket_release(pair.a);
	assert_int_equal(fd, number);
	assert_int_equal(send(fd, "x", 1, 0), 1);
	assert_int_equal(inko_socket_read(pair.b, &byte, 1), 1);
	assert_int_equal(inko_socket_adopt(&fd, &pair.a), 0);
	sockets_close_pair(&pair);
}
families_of(release_gives_the_descriptor)

	static void clone_is_the_same_socket(enum inko_socket_family family)
{
	struct inko_socket *clone;
	struct pair pair;
	char buffer[2];

	sockets_open_pair(family, &pair);
	inko_socket_set_deadline(pair.a, 1);
	assert_int_equal(inko_socket_clone(pair.a, &clone), 0);
	assert_int_not_equal(inko_socket_get_fd(clone), inko_socket_get_fd(pair.a));
	assert_true(fcntl(inko_socket_get_fd(clone), F_GETFD) & FD_CLOEXEC);
	assert_int_equal(inko_socket_get_family(clone), family);
	assert_int_equal(inko_socket_get_type(clone), INKO_STREAM);

	assert_int_equal(inko_socket_write_string(pair.b, "12"), 0);
	assert_int_equal(inko_socket_read(clone, buffer, 1), 1);
	assert_int_equal(inko_socket_read(pair.a, buffer + 1, 1), 1);
	assert_memory_equal(buffer, "12", 2);

	/* The connection lives as long as either. */
	pair.a = inko_socket_close(pair.a);
	assert_int_equal(inko_socket_write_string(clone, "x"), 0);
	assert_int_equal(inko_socket_read(pair.b, buffer, 2), 1);
	inko_socket_close(clone);
	assert_int_equal(inko_socket_read(pair.b, buffer, 2), 0);
	sockets_close_pair(&pair);
}
families_of(clone_is_the_same_socket)

	static void clone_accepts_too(enum inko_socket_family family)
{
	struct inko_socket *listener, *clone, *client, *server;
	struct place place;

	listener = sockets_open_listener(family, &place);
	assert_int_equal(inko_socket_clone(listener, &clone), 0);
	inko_socket_close(listener);
	assert_true(inko_socket_is_listening(clone));
	client = sockets_open(family, INKO_STREAM);
	assert_int_equal(sockets_connect(client, &place), 0);
	assert_int_equal(inko_socket_accept(clone, &server), 0);
	inko_socket_close(server);
	inko_socket_close(client);
	inko_socket_close(clone);
}
families_of(clone_accepts_too)

	static void test_clone_without_room(void **state)
{
	struct inko_socket *made = sockets_open(INKO_UNIX, INKO_STREAM), *none = NULL;
	int fd = inko_socket_get_fd(made);

	(void)state;
	close(fd);
	assert_int_equal(inko_socket_clone(made, &none), -EBADF);
	assert_null(none);
	assert_int_equal(socket(AF_UNIX, SOCK_STREAM, 0), fd);
	assert_null(inko_socket_close(made));
	assert_null(inko_socket_close(NULL));
}

/* Kinds */

static struct inko_socket *make_kind(enum inko_socket_kind kind)
{
	struct inko_ip loopback = sockets_loopback(INKO_IPV4);
	struct inko_socket *made;
	struct place place;

	switch (kind) {
	case INKO_TCP_SERVER:
		return sockets_open_listener(INKO_IPV4, &place);
	case INKO_TCP_CLIENT:
		return sockets_open(INKO_IPV4, INKO_STREAM);
	case INKO_UDP:
		assert_int_equal(inko_udp_bind(&loopback, 0, &made), 0);
		return made;
	case INKO_UNIX_SERVER:
		return sockets_open_listener(INKO_UNIX, &place);
	case INKO_UNIX_CLIENT:
		return sockets_open(INKO_UNIX, INKO_STREAM);
	case INKO_UNIX_DATAGRAM:
		return sockets_open(INKO_UNIX, INKO_DATAGRAM);
	}
	return NULL;
}

static void test_kinds(void **state)
{
	(void)state;
	for (int is = INKO_TCP_SERVER; is <= INKO_UNIX_DATAGRAM; is++) {
		struct inko_socket *made = make_kind((enum inko_socket_kind)is);

		for (int wanted = INKO_TCP_SERVER; wanted <= INKO_UNIX_DATAGRAM; wanted++)
			assert_int_equal(inko_socket_require(made, (enum inko_socket_kind)wanted),
				is == wanted ? 0 : -EPROTOTYPE);
		assert_int_equal(inko_socket_require(made, (enum inko_socket_kind)0), -EINVAL);
		assert_int_equal(inko_socket_require(made, (enum inko_socket_kind)99), -EINVAL);
		inko_socket_close(made);
	}
}

static void test_seqpacket_is_of_no_kind(void **state)
{
	struct inko_socket *made = sockets_open(INKO_UNIX, INKO_SEQPACKET);

	(void)state;
	for (int kind = INKO_TCP_SERVER; kind <= INKO_UNIX_DATAGRAM; kind++)
		assert_int_equal(
			inko_socket_require(made, (enum inko_socket_kind)kind), -EPROTOTYPE);
	inko_socket_close(made);
}

static void test_ipv6_is_tcp_too(void **state)
{
	struct inko_socket *made;
	struct place place;

	(void)state;
	if (!sockets_have_ipv6())
		skip();
	made = sockets_open_listener(INKO_IPV6, &place);
	assert_int_equal(inko_socket_require(made, INKO_TCP_SERVER), 0);
	inko_socket_close(made);
}

/* Deadlines */

static void test_deadline_after(void **state)
{
	uint64_t before = wait_now_usec(), deadline = inko_deadline_after(1000000);

	(void)state;
	assert_in_range(deadline, before + 1000000, wait_now_usec() + 1000000);
	/* Never, and not a point in the past. */
	assert_true(inko_deadline_after(UINT64_MAX) == UINT64_MAX);
}

static void deadline_of_read(enum inko_socket_family family)
{
	struct pair pair;
	uint64_t begin;
	char byte;

	sockets_open_pair(family, &pair);
	begin = wait_now_usec();
	inko_socket_set_deadline(pair.a, begin + SOON_USEC);
	assert_int_equal(inko_socket_read(pair.a, &byte, 1), -ETIMEDOUT);
	assert_true(wait_now_usec() >= begin + SOON_USEC);
	/* It does not start again: with none to come it would wait for as long again. */
	inko_socket_set_deadline(pair.a, begin + SOON_USEC);
	begin = wait_now_usec();
	for (int i = 0; i < 1000; i++)
		assert_int_equal(inko_socket_read(pair.a, &byte, 1), -ETIMEDOUT);
	assert_true(wait_now_usec() < begin + 1000ull * SOON_USEC);
	/* What needs no waiting is done after it all the same. */
	assert_int_equal(inko_socket_write_string(pair.b, "x"), 0);
	assert_int_equal(inko_socket_read(pair.a, &byte, 1), 1);
	sockets_close_pair(&pair);
}
families_of(deadline_of_read)

	static void deadline_of_write(enum inko_socket_family family)
{
	enum { SIZE = 16 << 20 };
	char *bytes = calloc(1, SIZE);
	struct pair pair;
	ssize_t n;

	assert_non_null(bytes);
	sockets_open_pair(family, &pair);
	inko_socket_set_deadline(pair.a, inko_deadline_after(SOON_USEC));
	assert_int_equal(inko_socket_write_bytes(pair.a, bytes, SIZE), -ETIMEDOUT);
	/* The kernel may have found some room yet. */
	do
		n = inko_socket_write(pair.a, bytes, SIZE);
	while (n > 0);
	assert_int_equal(n, -ETIMEDOUT);
	sockets_close_pair(&pair);
	free(bytes);
}
families_of(deadline_of_write)

	static void deadline_of_accept(enum inko_socket_family family)
{
	struct inko_socket *listener, *client, *server = NULL;
	struct place place;

	listener = sockets_open_listener(family, &place);
	inko_socket_set_deadline(listener, inko_deadline_after(SOON_USEC));
	assert_int_equal(inko_socket_accept(listener, &server), -ETIMEDOUT);
	inko_socket_set_deadline(listener, 1);
	assert_int_equal(inko_socket_accept(listener, &server), -ETIMEDOUT);
	assert_null(server);
	client = sockets_open(family, INKO_STREAM);
	assert_int_equal(sockets_connect(client, &place), 0);
	assert_int_equal(inko_socket_accept(listener, &server), 0);
	/* It is the listener's, not what it accepts'. */
	if (fork() == 0) {
		usleep(SOON_USEC);
		_exit(inko_socket_write_string(client, "x") == 0 ? 0 : 1);
	}
	assert_int_equal(inko_socket_read(server, &(char){0}, 1), 1);
	sockets_reap();
	inko_socket_close(server);
	inko_socket_close(client);
	inko_socket_close(listener);
}
families_of(deadline_of_accept)

	static void deadline_of_receive_from(enum inko_socket_family family)
{
	struct inko_socket *bound;
	struct place place, from;
	char byte;

	bound = sockets_open_bound(family, INKO_DATAGRAM, &place);
	inko_socket_set_deadline(bound, inko_deadline_after(SOON_USEC));
	assert_int_equal(sockets_receive_from(bound, &byte, 1, &from, NULL), -ETIMEDOUT);
	assert_int_equal(sockets_send_to(bound, "x", 1, &place), 1);
	assert_int_equal(sockets_receive_from(bound, &byte, 1, &from, NULL), 1);
	inko_socket_close(bound);
}
families_of(deadline_of_receive_from)

	static void reset_deadline(enum inko_socket_family family)
{
	struct pair pair;
	char byte;

	sockets_open_pair(family, &pair);
	inko_socket_set_deadline(pair.a, 1);
	assert_int_equal(inko_socket_read(pair.a, &byte, 1), -ETIMEDOUT);
	inko_socket_reset_deadline(pair.a);
	if (fork() == 0) {
		usleep(SOON_USEC);
		_exit(inko_socket_write_string(pair.b, "x") == 0 ? 0 : 1);
	}
	assert_int_equal(inko_socket_read(pair.a, &byte, 1), 1);
	sockets_reap();
	sockets_close_pair(&pair);
}
families_of(reset_deadline)

	static void on_alarm(int number)
{
	(void)number;
}

static void test_signals_do_not_interrupt(void **state)
{
	struct sigaction action = {.sa_handler = on_alarm}, before;
	struct itimerval often = {{0, 2000}, {0, 2000}}, off = {0};
	struct pair pair;
	char byte;

	(void)state;
	sockets_open_pair(INKO_UNIX, &pair);
	sigaction(SIGALRM, &action, &before);
	if (fork() == 0) {
		usleep(SOON_USEC);
		_exit(inko_socket_write_string(pair.b, "x") == 0 ? 0 : 1);
	}
	setitimer(ITIMER_REAL, &often, NULL);
	assert_int_equal(inko_socket_read(pair.a, &byte, 1), 1);
	inko_socket_set_deadline(pair.a, inko_deadline_after(SOON_USEC));
	assert_int_equal(inko_socket_read(pair.a, &byte, 1), -ETIMEDOUT);
	setitimer(ITIMER_REAL, &off, NULL);
	/* One that is still pending goes. */
	signal(SIGALRM, SIG_IGN);
	sigaction(SIGALRM, &before, NULL);
	sockets_reap();
	sockets_close_pair(&pair);
}

/* Shutdown */

static void shutdown_ends_both_directions(enum inko_socket_family family)
{
	struct pair pair;
	char byte;

	sockets_open_pair(family, &pair);
	assert_int_equal(inko_socket_shutdown(pair.a), 0);
	assert_int_equal(inko_socket_read(pair.a, &byte, 1), 0);
	assert_int_equal(inko_socket_write_string(pair.a, "x"), -EPIPE);
	assert_int_equal(inko_socket_read(pair.b, &byte, 1), 0);
	sockets_close_pair(&pair);
}
families_of(shutdown_ends_both_directions)

	static void shutdown_write_leaves_reading(enum inko_socket_family family)
{
	struct pair pair;
	char buffer[8];

	sockets_open_pair(family, &pair);
	assert_int_equal(inko_socket_write_string(pair.a, "last"), 0);
	assert_int_equal(inko_socket_shutdown_write(pair.a), 0);
	assert_int_equal(inko_socket_write_string(pair.a, "x"), -EPIPE);
	assert_int_equal(inko_socket_read_bytes(pair.b, buffer, 8), 4);
	assert_int_equal(inko_socket_read(pair.b, buffer, 8), 0);
	assert_int_equal(inko_socket_write_string(pair.b, "still"), 0);
	assert_int_equal(inko_socket_read(pair.a, buffer, 8), 5);
	sockets_close_pair(&pair);
}
families_of(shutdown_write_leaves_reading)

	static void shutdown_read_leaves_writing(enum inko_socket_family family)
{
	struct pair pair;
	char buffer[8];

	sockets_open_pair(family, &pair);
	assert_int_equal(inko_socket_write_string(pair.b, "come"), 0);
	assert_int_equal(
		poll(&(struct pollfd){.fd = inko_socket_get_fd(pair.a), .events = POLLIN}, 1, -1),
		1);
	assert_int_equal(inko_socket_shutdown_read(pair.a), 0);
	assert_int_equal(inko_socket_read(pair.a, buffer, 8), 4);
	assert_int_equal(inko_socket_read(pair.a, buffer, 8), 0);
	assert_int_equal(inko_socket_write_string(pair.a, "x"), 0);
	assert_int_equal(inko_socket_read(pair.b, buffer, 8), 1);
	sockets_close_pair(&pair);
}
families_of(shutdown_read_leaves_writing)

	static void test_shutdown_of_unconnected(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(makes) / sizeof(*makes); i++) {
		/* To the kernel a Unix socket without a peer can be shut down. */
		int expected = makes[i].family == INKO_UNIX ? 0 : -ENOTCONN;
		struct inko_socket *made;

		if (makes[i].family == INKO_IPV6)
			continue;
		made = sockets_open(makes[i].family, makes[i].type);
		assert_int_equal(inko_socket_shutdown(made), expected);
		assert_int_equal(inko_socket_shutdown_read(made), expected);
		assert_int_equal(inko_socket_shutdown_write(made), expected);
		inko_socket_close(made);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(test_new),
		leaks_test(test_new_of_what_there_is_not),
		leaks_test(test_raw),
		leaks_test(test_adopts_what_the_kernel_says),
		leaks_test(test_adopts_only_sockets),
		families_test(release_gives_the_descriptor),
		families_test(clone_is_the_same_socket),
		families_test(clone_accepts_too),
		leaks_test(test_clone_without_room),
		leaks_test(test_kinds),
		leaks_test(test_seqpacket_is_of_no_kind),
		leaks_test(test_ipv6_is_tcp_too),
		leaks_test(test_deadline_after),
		families_test(deadline_of_read),
		families_test(deadline_of_write),
		families_test(deadline_of_accept),
		families_test(deadline_of_receive_from),
		families_test(reset_deadline),
		leaks_test(test_signals_do_not_interrupt),
		families_test(shutdown_ends_both_directions),
		families_test(shutdown_write_leaves_reading),
		families_test(shutdown_read_leaves_writing),
		leaks_test(test_shutdown_of_unconnected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
