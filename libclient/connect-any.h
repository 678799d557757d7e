#pragma once

/*
 * A TCP connection to whichever of several addresses answers first.
 */

#include <stddef.h>
#include <stdint.h>

#include <inko/tcp.h>

/* inko_tcp_connect_any with another Connection Attempt Delay. */
int connect_any(const struct inko_ip *ips, size_t n_ips, unsigned int port, uint64_t delay_usec,
	uint64_t deadline_usec, struct inko_socket **ret_socket);
