/*
 * Connecting to several addresses on loopback, whose listeners refuse, answer or hang.
 *
 * A delay of an hour stands for "not before the others have failed", a short one is
 * waited for.
 */

#include "tests/unit/names.h"
#include "tests/unit/tasks.h"

#include <net/if.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "libclient/connect-any.h"
#include "libclient/happy-eyeballs.h"
#include "libclient/wait.h"

#define NEVER_USEC UINT64_C(3600000000)
#define SHORT_USEC 5000
#define PAST_USEC 1

/* A port, and listeners there on 127.0.0.x, x from 1. */
struct hosts {
	struct inko_ip ips[HAPPY_EYEBALLS_ATTEMPTS + 1];
	struct inko_socket *listeners[HAPPY_EYEBALLS_ATTEMPTS + 1];
	struct inko_socket *filler; /* keeps a backlog full */
	uint16_t port;
};

#define N_HOSTS (sizeof(((struct hosts *)NULL)->ips) / sizeof(struct inko_ip))

static struct hosts hosts_make(void)
{
	struct hosts hosts = {0};
	struct inko_socket *listener;
	struct inko_address address;
	struct inko_ip any;

	for (size_t i = 0; i < N_HOSTS; i++)
		hosts.ips[i] = inko_ip_v4(127, 0, 0, (uint8_t)(i + 1));
	/* A port that nobody has anywhere. */
	any = inko_ip_v4(0, 0, 0, 0);
	assert_int_equal(inko_tcp_listen(&any, 0, &listener), 0);
	assert_int_equal(inko_socket_local_address(listener, &address), 0);
	hosts.port = address.port;
	inko_socket_close(listener);
	return hosts;
}

static void hosts_close(struct hosts *hosts)
{
	for (size_t i = 0; i < N_HOSTS; i++)
		inko_socket_close(hosts->listeners[i]);
	inko_socket_close(hosts->filler);
}

static void host_answers(struct hosts *hosts, size_t i)
{
	assert_int_equal(inko_tcp_listen(&hosts->ips[i], hosts->port, &hosts->listeners[i]), 0);
}

/* Its backlog has room for one, which is taken: the kernel drops every other SYN. */
static void host_hangs(struct hosts *hosts, size_t i)
{
	host_answers(hosts, i);
	assert_int_equal(listen(inko_socket_get_fd(hosts->listeners[i]), 0), 0);
	assert_int_equal(inko_tcp_connect(&hosts->ips[i], hosts->port, &hosts->filler), 0);
}

static bool host_was_reached(const struct hosts *hosts, size_t i)
{
	struct pollfd waits = {.fd = inko_socket_get_fd(hosts->listeners[i]), .events = POLLIN};

	return poll(&waits, 1, 0) == 1;
}

static void assert_connected(struct inko_socket *take_socket, const char *text)
{
	struct inko_address peer;

	assert_int_equal(inko_socket_peer_address(take_socket, &peer), 0);
	assert_ip(&peer.ip, text);
	inko_socket_close(take_socket);
}

static void test_first(void **state)
{
	struct hosts hosts = hosts_make();
	struct inko_socket *socket;
	int no_delay = 0;
	socklen_t size = sizeof(no_delay);
	int fd;

	(void)state;
	host_answers(&hosts, 0);
	host_answers(&hosts, 1);
	assert_int_equal(connect_any(hosts.ips, 2, hosts.port, NEVER_USEC, 0, &socket), 0);
	fd = inko_socket_get_fd(socket);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &size), 0);
	assert_int_equal(no_delay, 1);
	assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_connected(socket, "127.0.0.1");
	assert_false(host_was_reached(&hosts, 1));
	hosts_close(&hosts);
}

/* One that fails makes the next begin, whatever the delay. */
static void test_refused(void **state)
{
	struct hosts hosts = hosts_make();
	struct inko_socket *socket;

	(void)state;
	host_answers(&hosts, 2);
	assert_int_equal(connect_any(hosts.ips, 3, hosts.port, NEVER_USEC, 0, &socket), 0);
	assert_connected(socket, "127.0.0.3");
	hosts_close(&hosts);
}

/* One that hangs is passed after the delay, and closed when another one stands. */
static void test_hangs(void **state)
{
	struct hosts hosts = hosts_make();
	struct inko_socket *socket;
	uintptr_t n_fds;

	(void)state;
	host_hangs(&hosts, 0);
	host_answers(&hosts, 2);
	n_fds = leaks_count_fds();
	assert_int_equal(connect_any(hosts.ips, 3, hosts.port, SHORT_USEC, 0, &socket), 0);
	assert_int_equal(leaks_count_fds(), n_fds + 1);
	assert_connected(socket, "127.0.0.3");
	hosts_close(&hosts);
}

/* Before the delay the next has not begun. */
static void test_hangs_until_deadline(void **state)
{
	struct hosts hosts = hosts_make();
	struct inko_socket *socket;
	uintptr_t n_fds;

	(void)state;
	host_hangs(&hosts, 0);
	host_answers(&hosts, 1);
	n_fds = leaks_count_fds();
	assert_int_equal(
		connect_any(hosts.ips, 2, hosts.port, NEVER_USEC, wait_now_usec() + 20000, &socket),
		-ETIMEDOUT);
	assert_false(host_was_reached(&hosts, 1));
	assert_int_equal(leaks_count_fds(), n_fds);
	hosts_close(&hosts);
}

/* The deadline counts when others failed before it, too. */
static void test_deadline(void **state)
{
	struct hosts hosts = hosts_make();
	struct inko_socket *socket;

	(void)state;
	host_hangs(&hosts, 1);
	assert_int_equal(
		connect_any(hosts.ips, 2, hosts.port, SHORT_USEC, wait_now_usec() + 20000, &socket),
		-ETIMEDOUT);
	assert_int_equal(
		inko_tcp_connect_any(&hosts.ips[1], 1, hosts.port, PAST_USEC, &socket), -ETIMEDOUT);
	hosts_close(&hosts);
}

/* IPv6 and IPv4 take turns, that of the first address begins. */
static void test_families(void **state)
{
	struct hosts hosts = hosts_make();
	struct inko_ip v6 = inko_ip_v6((uint16_t[8]){[7] = 1});
	struct inko_socket *socket, *listener;

	(void)state;
	if (inko_tcp_listen(&v6, hosts.port, &listener) < 0)
		skip(); /* no IPv6 here */
	host_answers(&hosts, 1);
	hosts.ips[2] = v6;
	assert_int_equal(connect_any(hosts.ips, 3, hosts.port, NEVER_USEC, 0, &socket), 0);
	assert_connected(socket, "::1");
	assert_false(host_was_reached(&hosts, 1));
	inko_socket_close(listener);
	hosts_close(&hosts);
}

/* An address of a link is nothing without the link: the kernel gets both. */
static void test_scope(void **state)
{
	struct inko_ip ip = inko_ip_v6((uint16_t[8]){0xfe80, [7] = 0x4711});
	struct inko_socket *socket;
	int r;

	(void)state;
	if (inko_tcp_connect_any(&ip, 1, 1, 0, &socket) != -EINVAL)
		skip(); /* no IPv6 here */
	ip.scope = if_nametoindex("lo");
	r = inko_tcp_connect_any(&ip, 1, 1, 0, &socket);
	assert_true(r < 0 && r != -EINVAL);
}

static void test_errors(void **state)
{
	struct hosts hosts = hosts_make();
	struct inko_ip unreachable[3] = {
		inko_ip_v4(224, 0, 0, 1), hosts.ips[0], inko_ip_v4(224, 0, 0, 2)};
	struct inko_socket *socket;

	(void)state;
	assert_int_equal(
		inko_tcp_connect_any(unreachable, 1, hosts.port, 0, &socket), -ENETUNREACH);
	assert_int_equal(
		inko_tcp_connect_any(unreachable, 3, hosts.port, 0, &socket), -ECONNREFUSED);
	assert_int_equal(inko_tcp_connect_any(NULL, 0, hosts.port, 0, &socket), -EINVAL);
	host_answers(&hosts, 0);
	assert_int_equal(
		inko_tcp_connect_any(hosts.ips, 1, 65536u + hosts.port, 0, &socket), -EINVAL);
	assert_false(host_was_reached(&hosts, 0));
	hosts_close(&hosts);
}

static void test_no_descriptors(void **state)
{
	struct hosts hosts = hosts_make();
	struct inko_socket *socket;
	struct rlimit limit, none;

	(void)state;
	host_answers(&hosts, 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(inko_tcp_connect_any(hosts.ips, 1, hosts.port, 0, &socket), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	hosts_close(&hosts);
}

static void test_bound(void **state)
{
	struct hosts hosts = hosts_make();
	struct inko_socket *socket;

	(void)state;
	host_answers(&hosts, HAPPY_EYEBALLS_ATTEMPTS);
	assert_int_equal(
		inko_tcp_connect_any(hosts.ips, N_HOSTS, hosts.port, 0, &socket), -ECONNREFUSED);
	assert_false(host_was_reached(&hosts, HAPPY_EYEBALLS_ATTEMPTS));
	host_answers(&hosts, HAPPY_EYEBALLS_ATTEMPTS - 1);
	assert_int_equal(inko_tcp_connect_any(hosts.ips, N_HOSTS, hosts.port, 0, &socket), 0);
	assert_connected(socket, "127.0.0.16");
	hosts_close(&hosts);
}

static void test_host(void **state)
{
	struct hosts hosts = hosts_make();
	struct inko_socket *socket;

	(void)state;
	host_answers(&hosts, 1);
	assert_int_equal(inko_tcp_connect_host("loopback.test", hosts.port, 0, &socket), 0);
	assert_connected(socket, "127.0.0.2");
	assert_int_equal(inko_tcp_connect_host("127.0.0.2", hosts.port, 0, &socket), 0);
	assert_connected(socket, "127.0.0.2");
	assert_int_equal(names_count_asked(), 1);
	hosts_close(&hosts);
}

static void test_host_errors(void **state)
{
	struct hosts hosts = hosts_make();
	struct inko_socket *socket;

	(void)state;
	/* Told before a name is looked up. */
	assert_int_equal(inko_tcp_connect_host("one.test", 65536, 0, &socket), -EINVAL);
	assert_int_equal(inko_tcp_connect_host("", hosts.port, 0, &socket), -EINVAL);
	assert_int_equal(names_count_asked(), 0);
	assert_int_equal(inko_tcp_connect_host("missing.test", hosts.port, 0, &socket), -ENOENT);
	assert_int_equal(
		inko_tcp_connect_host("loopback.test", hosts.port, 0, &socket), -ECONNREFUSED);
	assert_int_equal(
		inko_tcp_connect_host("held.test", hosts.port, PAST_USEC, &socket), -ETIMEDOUT);
	hosts_close(&hosts);
}

/* In tasks */

struct client {
	struct hosts *hosts;
	size_t n_ips;
	uint64_t delay_usec;
	int result;
};

/* The socket is left for the task's end to close. */
static int connect_task(struct inko_mailbox *mailbox, void *argument)
{
	struct client *client = argument;
	struct inko_socket *socket;

	(void)mailbox;
	client->result = connect_any(client->hosts->ips, client->n_ips, client->hosts->port,
		client->delay_usec, 0, &socket);
	return client->result;
}

/* One that hangs holds up no other task, and its attempts end with it. */
static void test_tasks(void **state)
{
	struct hosts hosts = hosts_make();
	struct client hangs = {.hosts = &hosts, .n_ips = 1, .delay_usec = NEVER_USEC};
	struct client passes = {.hosts = &hosts, .n_ips = 3, .delay_usec = SHORT_USEC};
	struct inko_runtime *runtime = runtime_make();
	struct inko_task *task;
	int result;
	uintptr_t n_fds;

	(void)state;
	host_hangs(&hosts, 0);
	host_answers(&hosts, 2);
	n_fds = leaks_count_fds();
	task = start(runtime, "hangs", connect_task, &hangs);
	start_detached(runtime, "passes", connect_task, &passes);
	while (inko_runtime_dispatch(runtime) > 1)
		(void)usleep(1000);
	assert_int_equal(passes.result, 0);
	assert_true(host_was_reached(&hosts, 2));
	inko_task_cancel(task);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(inko_task_join(task, &result), 0);
	assert_int_equal(result, -ECANCELED);
	inko_runtime_free(runtime);
	/* The runtime's own are gone too. */
	assert_true(leaks_count_fds() < n_fds);
	hosts_close(&hosts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		names_test(test_first),
		names_test(test_refused),
		names_test(test_hangs),
		names_test(test_hangs_until_deadline),
		names_test(test_deadline),
		names_test(test_families),
		names_test(test_scope),
		names_test(test_errors),
		names_test(test_no_descriptors),
		names_test(test_bound),
		names_test(test_host),
		names_test(test_host_errors),
		names_test(test_tasks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
