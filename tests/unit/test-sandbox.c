/*
 * What a process in the acceptor's sandbox can do by the calls that it has left.
 */

#include "tests/unit/leaks.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/actors/sandbox.h"

/* What a test needs, made before. */
struct outside {
	int listener; /* shut down: a socket again that could be connected */
	struct sockaddr_in address;
	int datagrams;
	struct sockaddr_un other;
	int lane[2];
};

/* Runs attempt in the sandbox: 0, or the errno that it failed with. */
static int try_inside(const struct outside *outside, long (*attempt)(const struct outside *outside))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		if (sandbox_enter() < 0)
			_exit(255);
		_exit(attempt(outside) < 0 ? errno : 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_not_equal(WEXITSTATUS(status), 255);
	return WEXITSTATUS(status);
}

/* Before anything is open, which who skips leaves behind. There is none with a sanitizer, and for a
 * machine that nobody has written down; any other failure is one. */
static void need_sandbox(void)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0)
		_exit(-sandbox_enter());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == EOPNOTSUPP)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static char byte = 'x';
static struct iovec letter = {.iov_base = &byte, .iov_len = 1};

static long send_fast(const struct outside *outside)
{
	return sendto(outside->listener, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL,
		(const struct sockaddr *)&outside->address, sizeof(outside->address));
}

static long send_message_fast(const struct outside *outside)
{
	struct sockaddr_in address = outside->address;
	const struct msghdr message = {.msg_name = &address,
		.msg_namelen = sizeof(address),
		.msg_iov = &letter,
		.msg_iovlen = 1};

	return sendmsg(outside->listener, &message, MSG_FASTOPEN | MSG_NOSIGNAL);
}

static long send_fast_to_nobody(const struct outside *outside)
{
	return sendto(outside->listener, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, NULL, 0);
}

/* By the upper half of the address alone it is one. */
static long send_high(const struct outside *outside)
{
	return syscall(SYS_sendto, outside->lane[0], "x", 1, MSG_NOSIGNAL, 1L << 32, 16);
}

static long send_datagram(const struct outside *outside)
{
	return sendto(outside->datagrams, "x", 1, MSG_NOSIGNAL,
		(const struct sockaddr *)&outside->other, sizeof(outside->other));
}

static long connect_again(const struct outside *outside)
{
	return connect(outside->listener, (const struct sockaddr *)&outside->address,
		sizeof(outside->address));
}

static long send_many(const struct outside *outside)
{
	struct mmsghdr message = {.msg_hdr = {.msg_iov = &letter, .msg_iovlen = 1}};

	return sendmmsg(outside->lane[0], &message, 1, 0);
}

static long make_socket(const struct outside *outside)
{
	(void)outside;
	return socket(AF_INET, SOCK_STREAM, 0);
}

static long make_datagram_pair(const struct outside *outside)
{
	int fds[2];

	(void)outside;
	return socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds);
}

static long make_ring(const struct outside *outside)
{
	char parameters[256] = {0};

	(void)outside;
	return syscall(SYS_io_uring_setup, 8, parameters);
}

static long open_file(const struct outside *outside)
{
	(void)outside;
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* That of a terminal is a way to type there. */
static long control(const struct outside *outside)
{
	int n;

	return ioctl(outside->lane[0], FIONREAD, &n);
}

static void init(struct outside *outside)
{
	const int kind = SOCK_STREAM | SOCK_CLOEXEC;
	socklen_t size = sizeof(outside->address);
	struct sockaddr *address = (struct sockaddr *)&outside->address;

	*outside = (struct outside){.address = {.sin_family = AF_INET}};
	outside->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	outside->listener = socket(AF_INET, kind, 0);
	assert_int_equal(bind(outside->listener, address, size), 0);
	assert_int_equal(getsockname(outside->listener, address, &size), 0);
	assert_int_equal(listen(outside->listener, 1), 0);
	assert_int_equal(shutdown(outside->listener, SHUT_RDWR), 0);
	outside->datagrams = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	outside->other.sun_family = AF_UNIX;
	(void)strcpy(outside->other.sun_path, "/nowhere");
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, outside->lane), 0);
}

static void done(const struct outside *outside)
{
	assert_int_equal(close(outside->listener), 0);
	assert_int_equal(close(outside->datagrams), 0);
	assert_int_equal(close(outside->lane[0]), 0);
	assert_int_equal(close(outside->lane[1]), 0);
}

static void test_reaches_nobody(void **state)
{
	static const struct {
		const char *name;
		long (*attempt)(const struct outside *outside);
	} ways[] = {
		{"sendto with MSG_FASTOPEN", send_fast},
		{"sendmsg with MSG_FASTOPEN", send_message_fast},
		{"the same without an address", send_fast_to_nobody},
		{"an address above 4 GiB", send_high},
		{"a datagram", send_datagram},
		{"connect", connect_again},
		{"sendmmsg", send_many},
		{"socket", make_socket},
		{"a pair that sends datagrams", make_datagram_pair},
		{"io_uring_setup", make_ring},
		{"openat", open_file},
		{"ioctl", control},
	};
	struct outside outside;

	(void)state;
	need_sandbox();
	init(&outside);
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		int error = try_inside(&outside, ways[i].attempt);

		if (error != EPERM)
			fail_msg("%s: %s", ways[i].name, strerror(error));
	}
	done(&outside);
}

/* What it lives by. */

static long hand_over(const struct outside *outside)
{
	const struct msghdr message = {.msg_iov = &letter, .msg_iovlen = 1};
	int pair[2], n;

	if (sendmsg(outside->lane[0], &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ||
		send(outside->lane[0], "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ||
		ioctl(outside->lane[0], SIOCOUTQ, &n) < 0)
		return -1;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

static void test_hands_over(void **state)
{
	struct outside outside;

	(void)state;
	need_sandbox();
	init(&outside);
	assert_int_equal(try_inside(&outside, hand_over), 0);
	done(&outside);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(test_reaches_nobody),
		leaks_test(test_hands_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
