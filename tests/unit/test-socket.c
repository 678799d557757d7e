/*
 * Stream sockets over the real kernel: TCP on loopback and Unix.
 */

#include "tests/unit/leaks.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "libclient/wait.h"
#include "proto/descriptor.h"

#include <inko/socket.h>

#define SOON_USEC 50000

static struct inko_socket *listen_on_loopback(uint16_t *ret_port)
{
	struct inko_ip ip = inko_ip_v4(127, 0, 0, 1), bound;
	struct inko_socket *listener;

	assert_int_equal(inko_tcp_listen(&ip, 0, &listener), 0);
	assert_int_equal(inko_socket_local_address(listener, &bound, ret_port), 0);
	assert_true(inko_ip_equal(&ip, &bound));
	assert_int_not_equal(*ret_port, 0);
	return listener;
}

static struct inko_socket *connect_to_loopback(uint16_t port)
{
	struct inko_ip ip = inko_ip_v4(127, 0, 0, 1);
	struct inko_socket *client;

	assert_int_equal(inko_tcp_connect(&ip, port, &client), 0);
	return client;
}

struct pair {
	struct inko_socket *a, *b;
};

static void pair_open(struct pair *pair)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(inko_socket_adopt(&fds[0], &pair->a), 0);
	assert_int_equal(inko_socket_adopt(&fds[1], &pair->b), 0);
	assert_int_equal(fds[0], -1);
}

static void pair_close(struct pair *pair)
{
	pair->a = inko_socket_close(pair->a);
	pair->b = inko_socket_close(pair->b);
}

static bool is_cloexec(const struct inko_socket *socket)
{
	return fcntl(inko_socket_get_fd(socket), F_GETFD) & FD_CLOEXEC;
}

static void test_tcp(void **state)
{
	struct inko_socket *listener, *client, *server;
	struct inko_ip ip, expected = inko_ip_v4(127, 0, 0, 1);
	uint16_t port, client_port, peer_port;
	int no_delay = 0;
	socklen_t size = sizeof(no_delay);
	char buffer[8];

	(void)state;
	listener = listen_on_loopback(&port);
	client = connect_to_loopback(port);
	assert_int_equal(inko_socket_accept(listener, &server), 0);
	assert_true(is_cloexec(listener) && is_cloexec(client) && is_cloexec(server));
	assert_int_equal(
		getsockopt(inko_socket_get_fd(client), IPPROTO_TCP, TCP_NODELAY, &no_delay, &size),
		0);
	assert_int_equal(no_delay, 1);
	assert_int_equal(fcntl(inko_socket_get_fd(client), F_GETFL) & O_NONBLOCK, 0);

	assert_int_equal(inko_socket_local_address(client, &ip, &client_port), 0);
	assert_int_equal(inko_socket_peer_address(server, &ip, &peer_port), 0);
	assert_true(inko_ip_equal(&ip, &expected));
	assert_int_equal(peer_port, client_port);
	assert_int_equal(inko_socket_peer_address(listener, &ip, &peer_port), -ENOTCONN);

	assert_int_equal(inko_socket_write_string(client, "ping"), 0);
	assert_int_equal(inko_socket_read(server, buffer, sizeof(buffer)), 4);
	assert_memory_equal(buffer, "ping", 4);
	assert_int_equal(inko_socket_shutdown(server), 0);
	assert_int_equal(inko_socket_read(client, buffer, sizeof(buffer)), 0);
	inko_socket_close(server);
	inko_socket_close(client);
	inko_socket_close(listener);
	assert_null(inko_socket_close(NULL));
}

static void test_tcp_v6(void **state)
{
	struct inko_ip ip = inko_ip_v6((uint16_t[]){0, 0, 0, 0, 0, 0, 0, 1}), got;
	struct inko_socket *listener, *client, *server;
	int only = 0;
	socklen_t size = sizeof(only);
	uint16_t port;

	(void)state;
	if (inko_tcp_listen(&ip, 0, &listener) < 0)
		skip(); /* no IPv6 here */
	assert_int_equal(
		getsockopt(inko_socket_get_fd(listener), IPPROTO_IPV6, IPV6_V6ONLY, &only, &size),
		0);
	assert_int_equal(only, 1);
	assert_int_equal(inko_socket_local_address(listener, &got, &port), 0);
	assert_true(inko_ip_equal(&ip, &got));
	assert_int_equal(inko_tcp_connect(&ip, port, &client), 0);
	assert_int_equal(inko_socket_accept(listener, &server), 0);
	inko_socket_close(server);
	inko_socket_close(client);
	inko_socket_close(listener);
}

static void test_tcp_errors(void **state)
{
	struct inko_ip ip = inko_ip_v4(127, 0, 0, 1), elsewhere = inko_ip_v4(192, 0, 2, 1);
	struct inko_socket *listener, *none = NULL;
	uint16_t port;

	(void)state;
	listener = listen_on_loopback(&port);
	assert_int_equal(inko_tcp_listen(&ip, port, &none), -EADDRINUSE);
	assert_int_equal(inko_tcp_listen(&elsewhere, 0, &none), -EADDRNOTAVAIL);
	inko_socket_close(listener);
	assert_int_equal(inko_tcp_connect(&ip, port, &none), -ECONNREFUSED);
	assert_null(none);
}

static void test_unix(void **state)
{
	char directory[] = "/tmp/inko-test-socket.XXXXXX", path[64], too_long[200] = {0};
	struct inko_socket *listener, *client, *server, *none = NULL;
	struct inko_ip ip;
	uint16_t port = 7;
	char buffer[4];

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/s", directory);
	assert_int_equal(inko_unix_connect(path, &none), -ENOENT);
	assert_int_equal(inko_unix_listen(path, &listener), 0);
	assert_int_equal(inko_unix_listen(path, &none), -EADDRINUSE);
	assert_int_equal(inko_unix_connect(path, &client), 0);
	assert_int_equal(inko_socket_accept(listener, &server), 0);
	assert_int_equal(inko_socket_write(server, "pong", 4), 0);
	assert_int_equal(inko_socket_read_exactly(client, buffer, 4), 4);
	assert_memory_equal(buffer, "pong", 4);

	assert_int_equal(inko_socket_local_address(server, &ip, &port), -EAFNOSUPPORT);
	assert_int_equal(port, 7);
	assert_int_equal(inko_socket_local_address(server, NULL, &port), 0);
	assert_int_equal(port, 0);
	assert_int_equal(inko_socket_peer_address(server, &ip, &port), -EAFNOSUPPORT);

	inko_socket_close(server);
	inko_socket_close(client);
	inko_socket_close(listener);
	assert_int_equal(inko_unix_connect(path, &none), -ECONNREFUSED);
	assert_int_equal(unlink(path), 0); /* closing left it */
	memset(too_long, 'x', 150);
	assert_int_equal(inko_unix_listen(too_long, &none), -ENAMETOOLONG);
	assert_int_equal(inko_unix_connect("", &none), -EINVAL);
	rmdir(directory);
}

static void test_adopts_only_streams(void **state)
{
	struct inko_socket *socket_ = NULL;
	int fds[2], fd;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(inko_socket_adopt(&fds[0], &socket_), -ENOTSOCK);
	assert_true(fds[0] >= 0); /* still the caller's */
	close(fds[0]);
	close(fds[1]);
	fd = open("/tmp", O_PATH);
	assert_int_equal(inko_socket_adopt(&fd, &socket_), -ENOTSOCK);
	close(fd);
	assert_int_equal(inko_socket_adopt(&fd, &socket_), -EBADF);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(inko_socket_adopt(&fd, &socket_), -EPROTOTYPE);
	close(fd);
	fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	assert_int_equal(inko_socket_adopt(&fd, &socket_), -EPROTOTYPE);
	close(fd);
	fd = socket(AF_NETLINK, SOCK_RAW, 0);
	assert_int_equal(inko_socket_adopt(&fd, &socket_), -EPROTOTYPE);
	close(fd);
	assert_null(socket_);
}

static void test_release(void **state)
{
	struct pair pair;
	int fd, number;

	(void)state;
	pair_open(&pair);
	number = inko_socket_get_fd(pair.a);
	fd = inko_socket_release(pair.a);
	assert_int_equal(fd, number);
	assert_int_equal(send(fd, "x", 1, 0), 1);
	assert_int_equal(inko_socket_adopt(&fd, &pair.a), 0);
	pair_close(&pair);
}

static void test_reads_exactly(void **state)
{
	struct pair pair;
	char buffer[16];

	(void)state;
	pair_open(&pair);
	assert_int_equal(inko_socket_read(pair.a, buffer, 0), -EINVAL);
	assert_int_equal(inko_socket_read_exactly(pair.a, buffer, 0), 0);
	if (fork() == 0) {
		for (int i = 0; i < 4; i++) {
			usleep(5000);
			(void)inko_socket_write(pair.b, "abc", 3);
		}
		_exit(0);
	}
	assert_int_equal(inko_socket_read_exactly(pair.a, buffer, 10), 10);
	assert_memory_equal(buffer, "abcabcabca", 10);
	wait(NULL);
	assert_int_equal(inko_socket_shutdown_write(pair.b), 0);
	assert_int_equal(inko_socket_read_exactly(pair.a, buffer, 10), 2);
	assert_int_equal(inko_socket_read(pair.a, buffer, 10), 0);
	/* Half closed: the other direction goes on. */
	assert_int_equal(inko_socket_write_string(pair.a, "still"), 0);
	assert_int_equal(inko_socket_read(pair.b, buffer, sizeof(buffer)), 5);
	pair_close(&pair);
}

/* More than any buffer holds, past a reader that is slow, whatever O_NONBLOCK says. */
static void test_writes_all(void **state)
{
	enum { SIZE = 4 << 20 };
	char *bytes = calloc(1, SIZE);

	(void)state;
	assert_non_null(bytes);
	for (int nonblocking = 0; nonblocking < 2; nonblocking++) {
		struct pair pair;
		int status;

		pair_open(&pair);
		fcntl(inko_socket_get_fd(pair.a), F_SETFL, nonblocking ? O_NONBLOCK : 0);
		if (fork() == 0) {
			usleep(10000);
			_exit(inko_socket_read_exactly(pair.b, bytes, SIZE) == SIZE ? 0 : 1);
		}
		assert_int_equal(inko_socket_write(pair.a, bytes, SIZE), 0);
		wait(&status);
		assert_int_equal(status, 0);
		pair_close(&pair);
	}
	free(bytes);
}

static void test_never_raises_sigpipe(void **state)
{
	struct pair pair;

	(void)state;
	pair_open(&pair);
	pair.b = inko_socket_close(pair.b);
	assert_int_equal(inko_socket_write_string(pair.a, "x"), -EPIPE);
	pair_close(&pair);
}

static void test_deadline(void **state)
{
	enum { SIZE = 1 << 20 };
	struct inko_socket *listener, *none = NULL;
	char *bytes = calloc(1, SIZE);
	struct pair pair;
	uint64_t begin;
	uint16_t port;

	(void)state;
	pair_open(&pair);
	begin = wait_now_usec();
	inko_socket_set_deadline(pair.a, begin + SOON_USEC);
	assert_int_equal(inko_socket_read(pair.a, bytes, 1), -ETIMEDOUT);
	assert_true(wait_now_usec() >= begin + SOON_USEC);
	/* It does not start again, but what needs no waiting is done after it all the same. */
	assert_int_equal(inko_socket_read(pair.a, bytes, 1), -ETIMEDOUT);
	assert_true(wait_now_usec() < begin + 20 * SOON_USEC);
	assert_int_equal(inko_socket_write_string(pair.b, "x"), 0);
	assert_int_equal(inko_socket_read(pair.a, bytes, 1), 1);
	assert_int_equal(inko_socket_write(pair.a, bytes, SIZE), -ETIMEDOUT);
	pair_close(&pair);

	listener = listen_on_loopback(&port);
	inko_socket_set_deadline(listener, 1);
	assert_int_equal(inko_socket_accept(listener, &none), -ETIMEDOUT);
	inko_socket_set_deadline(listener, 0);
	assert_null(none);
	inko_socket_close(listener);
	free(bytes);
}

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
	pair_open(&pair);
	sigaction(SIGALRM, &action, &before);
	if (fork() == 0) {
		usleep(SOON_USEC);
		(void)inko_socket_write_string(pair.b, "x");
		_exit(0);
	}
	setitimer(ITIMER_REAL, &often, NULL);
	assert_int_equal(inko_socket_read(pair.a, &byte, 1), 1);
	inko_socket_set_deadline(pair.a, wait_now_usec() + SOON_USEC);
	assert_int_equal(inko_socket_read(pair.a, &byte, 1), -ETIMEDOUT);
	setitimer(ITIMER_REAL, &off, NULL);
	/* One that is still pending goes. */
	signal(SIGALRM, SIG_IGN);
	sigaction(SIGALRM, &before, NULL);
	wait(NULL);
	pair_close(&pair);
}

/* A listener that somebody made blocking must not hold an acceptor that lost the race. */
static void test_accept_survives_blocking_listener(void **state)
{
	struct inko_socket *listener, *server;
	uint16_t port;
	int flags;

	(void)state;
	listener = listen_on_loopback(&port);
	flags = fcntl(inko_socket_get_fd(listener), F_GETFL);
	assert_true(flags & O_NONBLOCK);
	fcntl(inko_socket_get_fd(listener), F_SETFL, flags & ~O_NONBLOCK);
	inko_socket_set_deadline(listener, wait_now_usec() + SOON_USEC);
	assert_int_equal(inko_socket_accept(listener, &server), -ETIMEDOUT);
	assert_true(fcntl(inko_socket_get_fd(listener), F_GETFL) & O_NONBLOCK);
	inko_socket_close(listener);
}

static void test_accept_skips_reset_connections(void **state)
{
	struct inko_socket *listener, *gone, *client, *server;
	struct linger reset = {.l_onoff = 1};
	uint16_t port;

	(void)state;
	listener = listen_on_loopback(&port);
	gone = connect_to_loopback(port);
	setsockopt(inko_socket_get_fd(gone), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	inko_socket_close(gone);
	client = connect_to_loopback(port);
	assert_int_equal(inko_socket_accept(listener, &server), 0);
	inko_socket_close(server);
	inko_socket_close(client);
	inko_socket_close(listener);
}

static void test_accept_of_no_listener(void **state)
{
	struct inko_socket *listener, *client, *none = NULL;
	struct pair pair;
	uint16_t port;

	(void)state;
	pair_open(&pair);
	assert_int_equal(inko_socket_accept(pair.a, &none), -EINVAL);
	pair_close(&pair);
	listener = listen_on_loopback(&port);
	client = connect_to_loopback(port);
	assert_int_equal(inko_socket_accept(client, &none), -EINVAL);
	assert_null(none);
	inko_socket_close(client);
	inko_socket_close(listener);
}

static void shut_down_soon(const struct inko_socket *listener)
{
	if (fork() == 0) {
		usleep(SOON_USEC);
		shutdown(inko_socket_get_fd(listener), SHUT_RDWR);
		_exit(0);
	}
}

static void test_accept_of_listener_that_is_shut_down(void **state)
{
	struct inko_socket *listener, *adopted, *none = NULL;
	char directory[] = "/tmp/inko-test-socket.XXXXXX", path[64];
	uint16_t port;
	int fd;

	(void)state;
	listener = listen_on_loopback(&port);
	fd = dup(inko_socket_get_fd(listener));
	assert_int_equal(inko_socket_adopt(&fd, &adopted), 0);
	shut_down_soon(listener);
	assert_int_equal(inko_socket_accept(listener, &none), -ESHUTDOWN);
	assert_int_equal(inko_socket_accept(listener, &none), -ESHUTDOWN);
	assert_int_equal(inko_socket_accept(adopted, &none), -ESHUTDOWN);
	inko_socket_close(adopted);
	inko_socket_close(listener);
	wait(NULL);

	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/s", directory);
	assert_int_equal(inko_unix_listen(path, &listener), 0);
	shut_down_soon(listener);
	assert_int_equal(inko_socket_accept(listener, &none), -ESHUTDOWN);
	assert_null(none);
	inko_socket_close(listener);
	wait(NULL);
	unlink(path);
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(test_tcp),
		leaks_test(test_tcp_v6),
		leaks_test(test_tcp_errors),
		leaks_test(test_unix),
		leaks_test(test_adopts_only_streams),
		leaks_test(test_release),
		leaks_test(test_reads_exactly),
		leaks_test(test_writes_all),
		leaks_test(test_never_raises_sigpipe),
		leaks_test(test_deadline),
		leaks_test(test_signals_do_not_interrupt),
		leaks_test(test_accept_survives_blocking_listener),
		leaks_test(test_accept_skips_reset_connections),
		leaks_test(test_accept_of_no_listener),
		leaks_test(test_accept_of_listener_that_is_shut_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
