/*
 * As the gateway is built, peers that leave during nng's handshake harm nobody but themselves.
 */

#include "tests/unit/leaks.h"
#include "tests/unit/nng-probe.h"

#include <errno.h>

static void test_probes_do_no_harm(void **state)
{
	struct nng_probe probe;

	(void)state;
	nng_probe_open(&probe);
	for (int i = 0; i < 3; i++) {
		nng_probe_disturb(&probe);
		assert_true(nng_probe_delivers(&probe));
	}
	nng_probe_close(&probe);
}

/* Listeners that leave during the handshake: who dials goes on until he finds one that stays. */
static void test_dialer_goes_on(void **state)
{
	struct inko_mailbox *sender;
	struct nng_probe probe;

	(void)state;
	nng_probe_prepare(&probe);
	assert_int_equal(inko_mailbox_dial(probe.url, &sender), 0);
	for (int i = 0; i < NNG_PROBE_LEAVES; i++)
		assert_true(nng_probe_leave(&probe));
	assert_int_equal(inko_mailbox_listen(probe.url, &probe.listener), 0);
	assert_true(nng_probe_delivers_of(&probe, sender));
	inko_mailbox_close(sender);
	nng_probe_close(&probe);
}

/* libinko's own sends, which are not nng's, see EPIPE as ever. */
static void test_others_see_epipe(void **state)
{
	char byte = 0;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(sendmsg(ends[0], &message, MSG_DONTWAIT | MSG_NOSIGNAL), 1);
	assert_int_equal(shutdown(ends[1], SHUT_RD), 0);
	assert_int_equal(sendmsg(ends[0], &message, MSG_DONTWAIT | MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	/* What nng keeps open from its first call on is no leak, and its threads close what they
	 * like when they like: who counts descriptors goes first. */
	const struct CMUnitTest tests[] = {
		leaks_test(test_others_see_epipe),
		cmocka_unit_test(test_probes_do_no_harm),
		cmocka_unit_test(test_dialer_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
