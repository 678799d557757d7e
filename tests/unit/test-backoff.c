/*
 * Pauses that grow, up to a point.
 */

#include "tests/unit/sockets.h"

#include "libclient/backoff.h"
#include "libclient/wait.h"

static void test_grows_and_ends_growing(void **state)
{
	struct inko_socket *socket = sockets_open(INKO_UNIX, INKO_STREAM);
	struct backoff backoff = {0};
	uint64_t last = 0, largest;

	(void)state;
	do {
		uint64_t begin = wait_now_usec();

		largest = last;
		assert_int_equal(backoff_wait(&backoff, socket), 0);
		last = backoff.pause_usec;
		assert_true(wait_now_usec() >= begin + last);
		assert_true(last >= largest);
	} while (last > largest);
	assert_in_range(largest, 1000, 100000);
	inko_socket_close(socket);
}

static void test_ends_at_the_deadline(void **state)
{
	struct inko_socket *socket = sockets_open(INKO_UNIX, INKO_STREAM);
	uint64_t deadline = wait_now_usec() + 5000;
	struct backoff backoff = {.pause_usec = 1000000000};

	(void)state;
	/* Once more at the deadline itself, and not after it. */
	inko_socket_set_deadline(socket, deadline);
	assert_int_equal(backoff_wait(&backoff, socket), 0);
	assert_true(wait_now_usec() >= deadline);
	assert_int_equal(backoff_wait(&backoff, socket), -ETIMEDOUT);
	inko_socket_close(socket);
}

static void test_never_waits_past_one(void **state)
{
	struct inko_socket *socket = sockets_open(INKO_UNIX, INKO_STREAM);
	struct backoff backoff = {0};

	(void)state;
	inko_socket_set_deadline(socket, 1);
	assert_int_equal(backoff_wait(&backoff, socket), -ETIMEDOUT);
	assert_int_equal(backoff.pause_usec, 0);
	inko_socket_close(socket);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(test_grows_and_ends_growing),
		leaks_test(test_ends_at_the_deadline),
		leaks_test(test_never_waits_past_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
