/*
 * Reading: short reads, ends and errors.
 */

#include "tests/unit/sockets.h"

static void reads_what_is_there(enum inko_socket_family family)
{
	struct pair pair;
	char buffer[16];

	sockets_open_pair(family, &pair);
	assert_int_equal(inko_socket_write_string(pair.b, "ping"), 0);
	assert_int_equal(inko_socket_read(pair.a, buffer, 1), 1);
	assert_int_equal(inko_socket_read(pair.a, buffer + 1, sizeof(buffer) - 1), 3);
	assert_memory_equal(buffer, "ping", 4);
	sockets_close_pair(&pair);
}
families_of(reads_what_is_there)

	static void nothing_is_no_size(enum inko_socket_family family)
{
	struct pair pair;
	char *text;

	sockets_open_pair(family, &pair);
	assert_int_equal(inko_socket_read(pair.a, NULL, 0), -EINVAL);
	assert_int_equal(inko_socket_read_bytes(pair.a, NULL, 0), 0);
	assert_int_equal(inko_socket_read_string(pair.a, 0, &text), 0);
	assert_string_equal(text, "");
	free(text);
	sockets_close_pair(&pair);
}
families_of(nothing_is_no_size)

	static void reads_bytes_from_short_reads(enum inko_socket_family family)
{
	struct pair pair;
	char buffer[16];

	sockets_open_pair(family, &pair);
	if (fork() == 0) {
		int r = 0;

		for (int i = 0; i < 4 && r == 0; i++) {
			usleep(SOON_USEC / 4);
			r = inko_socket_write_string(pair.b, "abc");
		}
		_exit(r == 0 ? 0 : 1);
	}
	assert_int_equal(inko_socket_read_bytes(pair.a, buffer, 10), 10);
	assert_memory_equal(buffer, "abcabcabca", 10);
	sockets_reap();
	/* Fewer before the end, and then none. */
	assert_int_equal(inko_socket_shutdown_write(pair.b), 0);
	assert_int_equal(inko_socket_read_bytes(pair.a, buffer, 10), 2);
	assert_int_equal(inko_socket_read_bytes(pair.a, buffer, 10), 0);
	assert_int_equal(inko_socket_read(pair.a, buffer, 10), 0);
	sockets_close_pair(&pair);
}
families_of(reads_bytes_from_short_reads)

	static void reads_strings(enum inko_socket_family family)
{
	struct pair pair;
	char *text = NULL;

	sockets_open_pair(family, &pair);
	assert_int_equal(inko_socket_write_bytes(pair.b, "pingpo\0", 7), 0);
	assert_int_equal(inko_socket_read_string(pair.a, 4, &text), 4);
	assert_string_equal(text, "ping");
	free(text);
	assert_int_equal(inko_socket_shutdown_write(pair.b), 0);
	assert_int_equal(inko_socket_read_string(pair.a, 100, &text), 3);
	assert_memory_equal(text, "po\0\0", 4);
	free(text);
	assert_int_equal(inko_socket_read_string(pair.a, 1, &text), 0);
	assert_string_equal(text, "");
	free(text);
	sockets_close_pair(&pair);
}
families_of(reads_strings)

	static void test_strings_of_no_memory(void **state)
{
	struct pair pair;
	char *text = NULL;

	(void)state;
	sockets_open_pair(INKO_UNIX, &pair);
	assert_int_equal(inko_socket_read_string(pair.a, SIZE_MAX, &text), -ENOMEM);
	inko_socket_set_deadline(pair.a, 1);
	assert_int_equal(inko_socket_read_string(pair.a, 1, &text), -ETIMEDOUT);
	assert_null(text);
	sockets_close_pair(&pair);
}

static void reads_all(enum inko_socket_family family)
{
	enum { SIZE = 300000 };
	char *bytes = malloc(SIZE), *got = NULL;
	struct pair pair;
	size_t size = 1;

	assert_non_null(bytes);
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (char)(i * 7);
	sockets_open_pair(family, &pair);
	if (fork() == 0) {
		int r = inko_socket_write_bytes(pair.b, bytes, SIZE);

		_exit(r == 0 && inko_socket_shutdown_write(pair.b) == 0 ? 0 : 1);
	}
	assert_int_equal(inko_socket_read_all(pair.a, SIZE, (void **)&got, &size), 0);
	sockets_reap();
	assert_int_equal(size, SIZE);
	assert_memory_equal(got, bytes, SIZE);
	assert_int_equal(got[SIZE], '\0');
	free(got);
	assert_int_equal(inko_socket_read_all(pair.a, 0, (void **)&got, &size), 0);
	assert_int_equal(size, 0);
	assert_string_equal(got, "");
	free(got);
	free(bytes);
	sockets_close_pair(&pair);
}
families_of(reads_all)

	/* Around the limit, and around the sizes that the buffer has. */
	static void read_all_has_a_limit(enum inko_socket_family family)
{
	static const size_t limits[] = {0, 1, 4094, 4095, 4096, 8190, 8191, 8192, 20000};
	static const char bytes[20001];

	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		for (size_t more = 0; more < 2; more++) {
			void *got = NULL;
			struct pair pair;
			size_t size = 7;
			int r;

			sockets_open_pair(family, &pair);
			assert_int_equal(
				inko_socket_write_bytes(pair.b, bytes, limits[i] + more), 0);
			assert_int_equal(inko_socket_shutdown_write(pair.b), 0);
			r = inko_socket_read_all(pair.a, limits[i], &got, &size);
			assert_int_equal(r, more ? -EFBIG : 0);
			assert_int_equal(size, more ? 7 : limits[i]);
			free(got);
			sockets_close_pair(&pair);
		}
	}
}
families_of(read_all_has_a_limit)

	static void read_all_to_a_deadline(enum inko_socket_family family)
{
	void *got = NULL;
	struct pair pair;
	size_t size;

	sockets_open_pair(family, &pair);
	assert_int_equal(inko_socket_write_string(pair.b, "some"), 0);
	inko_socket_set_deadline(pair.a, inko_deadline_after(SOON_USEC));
	assert_int_equal(inko_socket_read_all(pair.a, 100, &got, &size), -ETIMEDOUT);
	assert_null(got);
	sockets_close_pair(&pair);
}
families_of(read_all_to_a_deadline)

	static void datagrams_have_no_end(enum inko_socket_family family)
{
	void *got = NULL;
	struct pair pair;
	size_t size;

	sockets_open_datagram_pair(family, &pair);
	assert_int_equal(inko_socket_read_all(pair.a, 100, &got, &size), -EOPNOTSUPP);
	assert_null(got);
	sockets_close_pair(&pair);
}
families_of(datagrams_have_no_end)

	/* One that asks for more than one has does not eat the next. */
	static void datagrams_are_read_one_by_one(enum inko_socket_family family)
{
	char buffer[8], *text;
	struct pair pair;

	sockets_open_datagram_pair(family, &pair);
	assert_int_equal(inko_socket_write_string(pair.b, "one"), 0);
	assert_int_equal(inko_socket_write_string(pair.b, "two"), 0);
	assert_int_equal(inko_socket_write_string(pair.b, ""), 0);
	assert_int_equal(inko_socket_write_string(pair.b, "four"), 0);
	assert_int_equal(inko_socket_read_bytes(pair.a, buffer, 8), 3);
	assert_memory_equal(buffer, "one", 3);
	assert_int_equal(inko_socket_read_string(pair.a, 8, &text), 3);
	assert_string_equal(text, "two");
	free(text);
	assert_int_equal(inko_socket_read(pair.a, buffer, 8), 0);
	assert_int_equal(inko_socket_read(pair.a, buffer, 2), 2);
	assert_memory_equal(buffer, "fo", 2);
	/* The rest of it is lost. */
	inko_socket_set_deadline(pair.a, 1);
	assert_int_equal(inko_socket_read(pair.a, buffer, 8), -ETIMEDOUT);
	sockets_close_pair(&pair);
}
families_of(datagrams_are_read_one_by_one)

	static void test_reset_is_no_end(void **state)
{
	struct pair pair;
	char byte;

	(void)state;
	sockets_open_pair(INKO_IPV4, &pair);
	assert_int_equal(inko_socket_set_linger(pair.b, true, 0), 0);
	pair.b = inko_socket_close(pair.b);
	assert_int_equal(inko_socket_read(pair.a, &byte, 1), -ECONNRESET);
	sockets_close_pair(&pair);
}

static void listeners_are_not_read(enum inko_socket_family family)
{
	struct inko_socket *listener;
	struct place place;
	char byte;

	listener = sockets_open_listener(family, &place);
	assert_int_equal(
		inko_socket_read(listener, &byte, 1), family == INKO_UNIX ? -EINVAL : -ENOTCONN);
	assert_int_equal(
		inko_socket_write(listener, &byte, 1), family == INKO_UNIX ? -ENOTCONN : -EPIPE);
	inko_socket_close(listener);
}
families_of(listeners_are_not_read)

	int main(void)
{
	const struct CMUnitTest tests[] = {
		families_test(reads_what_is_there),
		families_test(nothing_is_no_size),
		families_test(reads_bytes_from_short_reads),
		families_test(reads_strings),
		leaks_test(test_strings_of_no_memory),
		families_test(reads_all),
		families_test(read_all_has_a_limit),
		families_test(read_all_to_a_deadline),
		families_test(datagrams_have_no_end),
		families_test(datagrams_are_read_one_by_one),
		leaks_test(test_reset_is_no_end),
		families_test(listeners_are_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
