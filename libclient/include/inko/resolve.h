#pragma once

/*
 * Host names.
 */

#include <stddef.h>
#include <stdint.h>

#include <inko/ip.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The addresses of host, which is a name, or the text of an address: at least one, the best to try
 * first in front, none twice, for the caller to free(3). They are looked up as getaddrinfo(3) does
 * it, in a thread, so that other tasks run meanwhile; the text of an address needs none.
 *
 * Waits until deadline_usec, a point of CLOCK_MONOTONIC in microseconds (0: never ends), then it is
 * -ETIMEDOUT. -ENOENT: there is no such name; -ENODATA: it has no address; -EAGAIN: it cannot be
 * told now, try later; -EIO: it cannot be told; -EINVAL: that is no name, nor an address as
 * inko_ip_parse takes it; -ENAMETOOLONG. */
int inko_resolve(const char *host, uint64_t deadline_usec, struct inko_ip **ret_ips, size_t *ret_n);

#ifdef __cplusplus
}
#endif
