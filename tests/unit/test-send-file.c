/*
 * Sending files: all of what they hold and nothing more.
 */

#include "tests/unit/sockets.h"

#include <sys/mman.h>

/* A file of size bytes. */
static int make_file(size_t size, char **ret_bytes)
{
	char *bytes = malloc(size + 1);
	int fd = memfd_create("inko-test", MFD_CLOEXEC);

	assert_non_null(bytes);
	assert_true(fd >= 0);
	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)(i * 13 + i / 256);
	assert_int_equal(write(fd, bytes, size), size);
	*ret_bytes = bytes;
	return fd;
}

static void sends_all_of_it(enum inko_socket_family family)
{
	enum { SIZE = 3 << 20 };
	char *bytes, *got = malloc(SIZE);
	int file = make_file(SIZE, &bytes);
	struct pair pair;
	size_t sent = 0;

	assert_non_null(got);
	sockets_open_pair(family, &pair);
	if (fork() == 0) {
		ssize_t n = inko_socket_read_bytes(pair.b, got, SIZE);

		_exit(n == SIZE && memcmp(got, bytes, SIZE) == 0 ? 0 : 1);
	}
	assert_int_equal(inko_socket_send_file(pair.a, file, NULL, SIZE_MAX, &sent), 0);
	assert_int_equal(sent, SIZE);
	sockets_reap();
	/* Where the file stands is as it was. */
	assert_int_equal(lseek(file, 0, SEEK_CUR), SIZE);
	sockets_close_pair(&pair);
	close(file);
	free(got);
	free(bytes);
}
families_of(sends_all_of_it)

	static void sends_a_part(enum inko_socket_family family)
{
	static const struct {
		uint64_t offset;
		size_t size, sent;
	} parts[] = {
		{0, 0, 0},
		{0, 1, 1},
		{10, 5, 5},
		{0, 65536, 65536},
		{0, 65537, 65537},
		{99990, 10, 10},
		{99990, 11, 10},
		{99990, SIZE_MAX, 10},
		{100000, 1, 0},
		{1u << 30, 1, 0},
		{INT64_MAX - 1, 1, 0},
	};
	char *bytes, *got = malloc(100000);
	int file = make_file(100000, &bytes);

	assert_non_null(got);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		uint64_t offset = parts[i].offset;
		struct pair pair;
		size_t sent = 7;

		sockets_open_pair(family, &pair);
		assert_int_equal(
			inko_socket_send_file(pair.a, file, &offset, parts[i].size, &sent), 0);
		assert_int_equal(sent, parts[i].sent);
		assert_int_equal(offset, parts[i].offset + parts[i].sent);
		assert_int_equal(inko_socket_shutdown_write(pair.a), 0);
		assert_int_equal(inko_socket_read_bytes(pair.b, got, 100000), parts[i].sent);
		if (parts[i].sent > 0)
			assert_memory_equal(got, bytes + parts[i].offset, parts[i].sent);
		sockets_close_pair(&pair);
	}
	close(file);
	free(got);
	free(bytes);
}
families_of(sends_a_part)

	/* What was sent before a deadline is known, and the rest follows. */
	static void goes_on_after_a_deadline(enum inko_socket_family family)
{
	enum { SIZE = 16 << 20 };
	char *bytes, *got = malloc(SIZE);
	int file = make_file(SIZE, &bytes);
	uint64_t offset = 0;
	struct pair pair;
	size_t sent = 7;

	assert_non_null(got);
	sockets_open_pair(family, &pair);
	inko_socket_set_deadline(pair.a, inko_deadline_after(SOON_USEC));
	assert_int_equal(inko_socket_send_file(pair.a, file, &offset, SIZE, &sent), -ETIMEDOUT);
	assert_int_equal(sent, 7);
	assert_in_range(offset, 1, SIZE - 1);
	if (fork() == 0) {
		ssize_t n = inko_socket_read_bytes(pair.b, got, SIZE);

		_exit(n == SIZE && memcmp(got, bytes, SIZE) == 0 ? 0 : 1);
	}
	inko_socket_reset_deadline(pair.a);
	assert_int_equal(inko_socket_send_file(pair.a, file, &offset, SIZE, NULL), 0);
	assert_int_equal(offset, SIZE);
	sockets_reap();
	sockets_close_pair(&pair);
	close(file);
	free(got);
	free(bytes);
}
families_of(goes_on_after_a_deadline)

	/* However much is asked for, one datagram leaves, with what the file holds. */
	static void one_datagram(enum inko_socket_family family)
{
	static const size_t sizes[] = {5, 6, 100, 65536, 1u << 20, SIZE_MAX};
	struct pair pair;
	char *bytes, got[16];
	int file = make_file(5, &bytes);

	sockets_open_datagram_pair(family, &pair);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		size_t sent = 0;

		assert_int_equal(inko_socket_send_file(pair.a, file, NULL, sizes[i], &sent), 0);
		assert_int_equal(sent, 5);
		assert_int_equal(inko_socket_read(pair.b, got, sizeof(got)), 5);
		assert_memory_equal(got, bytes, 5);
		inko_socket_set_deadline(pair.b, inko_deadline_after(1000));
		assert_int_equal(inko_socket_read(pair.b, got, sizeof(got)), -ETIMEDOUT);
		inko_socket_reset_deadline(pair.b);
	}
	sockets_close_pair(&pair);
	close(file);
	free(bytes);
}
families_of(one_datagram)

	static void no_datagram_for_nothing(enum inko_socket_family family)
{
	struct pair pair;
	size_t sent = 7;
	char *bytes, byte;
	int file = make_file(0, &bytes);

	sockets_open_datagram_pair(family, &pair);
	assert_int_equal(inko_socket_send_file(pair.a, file, NULL, 10, &sent), 0);
	assert_int_equal(sent, 0);
	inko_socket_set_deadline(pair.b, inko_deadline_after(1000));
	assert_int_equal(inko_socket_read(pair.b, &byte, 1), -ETIMEDOUT);
	sockets_close_pair(&pair);
	close(file);
	free(bytes);
}
families_of(no_datagram_for_nothing)

	static void too_large_for_a_datagram(enum inko_socket_family family)
{
	struct pair pair;
	uint64_t offset = 0;
	char *bytes;
	int file = make_file(16 << 20, &bytes);

	sockets_open_datagram_pair(family, &pair);
	assert_int_equal(inko_socket_send_file(pair.a, file, &offset, SIZE_MAX, NULL), -EMSGSIZE);
	assert_int_equal(offset, 0);
	sockets_close_pair(&pair);
	close(file);
	free(bytes);
}
families_of(too_large_for_a_datagram)

	static void refuses_what_is_no_file(enum inko_socket_family family)
{
	int fds[2], directory = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC), write_only;
	uint64_t offset = (uint64_t)INT64_MAX + 1;
	struct pair pair;

	assert_int_equal(pipe(fds), 0);
	write_only = open("/dev/null", O_WRONLY | O_CLOEXEC);
	sockets_open_pair(family, &pair);
	assert_int_equal(inko_socket_send_file(pair.a, fds[0], NULL, 1, NULL), -ESPIPE);
	assert_int_equal(inko_socket_send_file(pair.a, directory, NULL, 1, NULL), -EISDIR);
	assert_int_equal(inko_socket_send_file(pair.a, write_only, NULL, 1, NULL), -EBADF);
	assert_int_equal(inko_socket_send_file(pair.a, -1, NULL, 1, NULL), -EBADF);
	assert_int_equal(inko_socket_send_file(pair.a, directory, &offset, 1, NULL), -EINVAL);
	sockets_close_pair(&pair);
	close(write_only);
	close(directory);
	close(fds[0]);
	close(fds[1]);
}
families_of(refuses_what_is_no_file)

	static void unconnected(enum inko_socket_family family)
{
	struct inko_socket *made = sockets_open(family, INKO_STREAM);
	char *bytes;
	int file = make_file(1, &bytes);

	assert_int_equal(inko_socket_send_file(made, file, NULL, 1, NULL),
		family == INKO_UNIX ? -ENOTCONN : -EPIPE);
	inko_socket_close(made);
	close(file);
	free(bytes);
}
families_of(unconnected)

	int main(void)
{
	const struct CMUnitTest tests[] = {
		families_test(sends_all_of_it),
		families_test(sends_a_part),
		families_test(goes_on_after_a_deadline),
		families_test(one_datagram),
		families_test(no_datagram_for_nothing),
		families_test(too_large_for_a_datagram),
		families_test(refuses_what_is_no_file),
		families_test(unconnected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
