/*
 * Why daemon/actors/nng-epipe.c exists: nng before 1.6, left alone, loses a listener to a peer
 * that leaves during the handshake. When this fails the mend can go.
 */

#include "tests/unit/leaks.h"
#include "tests/unit/nng-probe.h"

#include <nng/nng.h>

static bool is_mended(void)
{
	int major = 0, minor = 0;

	assert_int_equal(sscanf(nng_version(), "%d.%d", &major, &minor), 2);
	return major > 1 || minor >= 6;
}

static void test_nng_alone_loses_its_listener(void **state)
{
	struct nng_probe probe;

	(void)state;
	if (is_mended()) {
		print_message("nng %s is mended: nothing to show\n", nng_version());
		skip();
	}
	nng_probe_open(&probe);
	assert_true(nng_probe_delivers(&probe));
	nng_probe_disturb(&probe);
	assert_false(nng_probe_delivers(&probe));
	nng_probe_close(&probe);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nng_alone_loses_its_listener),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
