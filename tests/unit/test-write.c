/*
 * Writing: short writes, slow readers and those that are gone.
 */

#include "tests/unit/sockets.h"

#include <signal.h>

static void writes_what_there_is_room_for(enum inko_socket_family family)
{
	enum { SIZE = 16 << 20 };
	char *bytes = calloc(1, SIZE);
	struct pair pair;
	ssize_t n;

	assert_non_null(bytes);
	sockets_open_pair(family, &pair);
	n = inko_socket_write(pair.a, bytes, SIZE);
	assert_in_range(n, 1, SIZE - 1);
	sockets_close_pair(&pair);
	free(bytes);
}
families_of(writes_what_there_is_room_for)

	/* More than any buffer holds, past a reader that is slow, whatever O_NONBLOCK says. */
	static void writes_all(enum inko_socket_family family)
{
	enum { SIZE = 4 << 20 };
	char *bytes = calloc(1, SIZE);

	assert_non_null(bytes);
	for (int nonblocking = 0; nonblocking < 2; nonblocking++) {
		struct pair pair;

		sockets_open_pair(family, &pair);
		fcntl(inko_socket_get_fd(pair.a), F_SETFL, nonblocking ? O_NONBLOCK : 0);
		if (fork() == 0) {
			usleep(SOON_USEC / 2);
			_exit(inko_socket_read_bytes(pair.b, bytes, SIZE) == SIZE ? 0 : 1);
		}
		assert_int_equal(inko_socket_write_bytes(pair.a, bytes, SIZE), 0);
		sockets_reap();
		sockets_close_pair(&pair);
	}
	free(bytes);
}
families_of(writes_all)

	static void writes_nothing(enum inko_socket_family family)
{
	struct pair pair;

	sockets_open_pair(family, &pair);
	assert_int_equal(inko_socket_write(pair.a, NULL, 0), 0);
	assert_int_equal(inko_socket_write_bytes(pair.a, NULL, 0), 0);
	assert_int_equal(inko_socket_write_string(pair.a, ""), 0);
	inko_socket_set_deadline(pair.b, 1);
	assert_int_equal(inko_socket_read(pair.b, &(char){0}, 1), -ETIMEDOUT);
	sockets_close_pair(&pair);
}
families_of(writes_nothing)

	/* SIGPIPE would end the program. */
	static void never_raises_sigpipe(enum inko_socket_family family)
{
	char directory[] = "/tmp/inko-test-write.XXXXXX";
	int file = mkstemp(directory);
	struct pair pair;

	assert_true(file >= 0);
	assert_int_equal(unlink(directory), 0);
	assert_int_equal(write(file, "x", 1), 1);
	assert_true(signal(SIGPIPE, SIG_DFL) == SIG_DFL);
	sockets_open_pair(family, &pair);
	assert_int_equal(inko_socket_shutdown_write(pair.a), 0);
	assert_int_equal(inko_socket_write(pair.a, "x", 1), -EPIPE);
	assert_int_equal(inko_socket_write_bytes(pair.a, "x", 1), -EPIPE);
	assert_int_equal(inko_socket_write_string(pair.a, "x"), -EPIPE);
	assert_int_equal(inko_socket_send_file(pair.a, file, NULL, 1, NULL), -EPIPE);
	sockets_close_pair(&pair);
	close(file);
}
families_of(never_raises_sigpipe)

	static void reader_is_gone(enum inko_socket_family family)
{
	struct pair pair;
	int r = 0;

	sockets_open_pair(family, &pair);
	pair.b = inko_socket_close(pair.b);
	/* Over TCP the first is what brings the answer that nobody is there. */
	for (int i = 0; i < 100 && r == 0; i++) {
		r = inko_socket_write_string(pair.a, "x");
		usleep(1000);
	}
	assert_true(r == -EPIPE || r == -ECONNRESET);
	sockets_close_pair(&pair);
}
families_of(reader_is_gone)

	static void datagrams_that_are_too_large(enum inko_socket_family family)
{
	enum { SIZE = 16 << 20 };
	char *bytes = calloc(1, SIZE);
	struct pair pair;

	assert_non_null(bytes);
	sockets_open_datagram_pair(family, &pair);
	assert_int_equal(inko_socket_write(pair.a, bytes, SIZE), -EMSGSIZE);
	assert_int_equal(inko_socket_write_bytes(pair.a, bytes, SIZE), -EMSGSIZE);
	sockets_close_pair(&pair);
	free(bytes);
}
families_of(datagrams_that_are_too_large)

	static void datagrams_to_nobody(enum inko_socket_family family)
{
	struct pair pair;
	int r = 0;

	sockets_open_datagram_pair(family, &pair);
	pair.b = inko_socket_close(pair.b);
	for (int i = 0; i < 2 && r == 0; i++)
		r = inko_socket_write_string(pair.a, "x");
	assert_int_equal(r, -ECONNREFUSED);
	sockets_close_pair(&pair);
}
families_of(datagrams_to_nobody)

	int main(void)
{
	const struct CMUnitTest tests[] = {
		families_test(writes_what_there_is_room_for),
		families_test(writes_all),
		families_test(writes_nothing),
		families_test(never_raises_sigpipe),
		families_test(reader_is_gone),
		families_test(datagrams_that_are_too_large),
		families_test(datagrams_to_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
