#pragma once

/*
 * Sockets with something in their error queue (ip(7), IP_RECVERR), which the program could take
 * and does not.
 */

#include "tests/unit/sockets.h"

#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <poll.h>

/* How long the kernel may take for a timestamp: as long as it likes, but not for ever. */
#define ERROR_QUEUE_WAIT_MSEC 60000

/* Has the kernel keep what it is told of datagrams that did not arrive. */
static inline void error_queue_ask(struct inko_socket *socket)
{
	const bool is_ipv6 = inko_socket_get_family(socket) == INKO_IPV6;
	const int on = 1;

	assert_int_equal(setsockopt(inko_socket_get_fd(socket), is_ipv6 ? IPPROTO_IPV6 : IPPROTO_IP,
				 is_ipv6 ? IPV6_RECVERR : IP_RECVERR, &on, sizeof(on)),
		0);
}

/* Does poll say that there is an error, and nothing else? */
static inline bool error_queue_is_told(struct inko_socket *socket)
{
	struct pollfd any = {.fd = inko_socket_get_fd(socket)};

	return poll(&any, 1, 0) == 1 && any.revents == POLLERR;
}

/* Writes a byte, and has the kernel say when it was sent. */
static inline void error_queue_fill(struct inko_socket *socket)
{
	const unsigned int stamps = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE |
				    SOF_TIMESTAMPING_OPT_TSONLY;
	struct pollfd any = {.fd = inko_socket_get_fd(socket)};

	assert_int_equal(setsockopt(inko_socket_get_fd(socket), SOL_SOCKET, SO_TIMESTAMPING,
				 &stamps, sizeof(stamps)),
		0);
	assert_int_equal(inko_socket_write(socket, "x", 1), 1);
	assert_int_equal(poll(&any, 1, ERROR_QUEUE_WAIT_MSEC), 1);
	assert_int_equal(any.revents, POLLERR);
}
