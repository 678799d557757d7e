/*
 * Each field of the envelope, wrong.
 */

#include "tests/unit/leaks.h"

#include <string.h>

#include "proto/envelope.h"

#define SIZE sizeof(struct envelope)

static struct envelope valid(void)
{
	return (struct envelope){.version = ENVELOPE_VERSION, .kind = ENVELOPE_MESSAGE};
}

static void takes_what_is_valid(void **state)
{
	struct envelope envelope = valid();

	(void)state;
	assert_int_equal(envelope_check(&envelope, SIZE, 0), 0);
	envelope.length = 5;
	assert_int_equal(envelope_check(&envelope, SIZE + 5, 0), 0);
	envelope.sockets = LIMIT_SOCKETS;
	assert_int_equal(envelope_check(&envelope, SIZE + 5, LIMIT_SOCKETS), 0);
	for (uint8_t kind = ENVELOPE_MESSAGE; kind <= ENVELOPE_ANSWER; kind++) {
		envelope = valid();
		envelope.kind = kind;
		assert_int_equal(envelope_check(&envelope, SIZE, 0), 0);
	}
}

static void refuses_what_is_short(void **state)
{
	struct envelope envelope = valid();

	(void)state;
	assert_int_equal(envelope_check(&envelope, 0, 0), -EBADMSG);
	assert_int_equal(envelope_check(&envelope, SIZE - 1, 0), -EBADMSG);
}

static void refuses_other_versions(void **state)
{
	struct envelope envelope = valid();

	(void)state;
	envelope.version = ENVELOPE_VERSION + 1;
	assert_int_equal(envelope_check(&envelope, SIZE, 0), -EBADMSG);
	envelope.version = 0;
	assert_int_equal(envelope_check(&envelope, SIZE, 0), -EBADMSG);
}

static void refuses_unknown_kinds(void **state)
{
	struct envelope envelope = valid();

	(void)state;
	envelope.kind = 0;
	assert_int_equal(envelope_check(&envelope, SIZE, 0), -EBADMSG);
	envelope.kind = ENVELOPE_ANSWER + 1;
	assert_int_equal(envelope_check(&envelope, SIZE, 0), -EBADMSG);
}

static void refuses_another_length(void **state)
{
	struct envelope envelope = valid();

	(void)state;
	envelope.length = 5;
	assert_int_equal(envelope_check(&envelope, SIZE + 4, 0), -EBADMSG);
	assert_int_equal(envelope_check(&envelope, SIZE + 6, 0), -EBADMSG);
	envelope.length = UINT32_MAX;
	assert_int_equal(envelope_check(&envelope, SIZE, 0), -EBADMSG);
}

static void refuses_an_inline_body_that_is_too_long(void **state)
{
	struct envelope envelope = valid();

	(void)state;
	envelope.length = LIMIT_INLINE_BODY_BYTES;
	assert_int_equal(envelope_check(&envelope, SIZE + envelope.length, 0), 0);
	envelope.length++;
	assert_int_equal(envelope_check(&envelope, SIZE + envelope.length, 0), -EBADMSG);
}

static void refuses_another_count(void **state)
{
	struct envelope envelope = valid();

	(void)state;
	assert_int_equal(envelope_check(&envelope, SIZE, 1), -EBADMSG);
	envelope.sockets = 2;
	assert_int_equal(envelope_check(&envelope, SIZE, 1), -EBADMSG);
	assert_int_equal(envelope_check(&envelope, SIZE, 3), -EBADMSG);
	assert_int_equal(envelope_check(&envelope, SIZE, 2), 0);
}

static void counts_the_memfd_of_a_body(void **state)
{
	struct envelope envelope = valid();

	(void)state;
	envelope.flags = ENVELOPE_BODY_MEMFD;
	envelope.sockets = 1;
	envelope.length = LIMIT_BODY_BYTES;
	assert_int_equal(envelope_check(&envelope, SIZE, 2), 0);
	assert_int_equal(envelope_check(&envelope, SIZE, 1), -EBADMSG);
	assert_int_equal(envelope_check(&envelope, SIZE + 1, 2), -EBADMSG);
	envelope.length++;
	assert_int_equal(envelope_check(&envelope, SIZE, 2), -EBADMSG);
}

static void counts_the_ends_of_lanes(void **state)
{
	struct envelope envelope = valid();

	(void)state;
	envelope.kind = ENVELOPE_LANE;
	envelope.sockets = 1;
	assert_int_equal(envelope_check(&envelope, SIZE, 1), -EBADMSG);
	envelope.flags = ENVELOPE_LANE_IN | ENVELOPE_LANE_SHARED;
	assert_int_equal(envelope_check(&envelope, SIZE, 1), 0);
	envelope.flags = ENVELOPE_LANE_IN | ENVELOPE_LANE_OUT;
	assert_int_equal(envelope_check(&envelope, SIZE, 1), -EBADMSG);
	envelope.sockets = 2;
	assert_int_equal(envelope_check(&envelope, SIZE, 2), 0);
}

static void refuses_a_name_without_end(void **state)
{
	struct envelope envelope = valid();

	(void)state;
	memset(envelope.listener, 'x', LIMIT_NAME_CHARS);
	assert_int_equal(envelope_check(&envelope, SIZE, 0), 0);
	envelope.listener[LIMIT_NAME_CHARS] = 'x';
	assert_int_equal(envelope_check(&envelope, SIZE, 0), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(takes_what_is_valid),
		leaks_test(refuses_what_is_short),
		leaks_test(refuses_other_versions),
		leaks_test(refuses_unknown_kinds),
		leaks_test(refuses_another_length),
		leaks_test(refuses_an_inline_body_that_is_too_long),
		leaks_test(refuses_another_count),
		leaks_test(counts_the_memfd_of_a_body),
		leaks_test(counts_the_ends_of_lanes),
		leaks_test(refuses_a_name_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
