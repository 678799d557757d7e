#pragma once

/*
 * One host name, looked up while the caller waits.
 */

#include <stddef.h>

#include <inko/ip.h>

/* What one name gives out at most: more than anybody tries, and few to compare with each other. */
#define LOOKUP_IPS 128

/* The addresses of host, as inko_resolve says. */
int lookup_host(const char *host, struct inko_ip **ret_ips, size_t *ret_n);
