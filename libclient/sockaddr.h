#pragma once

/*
 * Between the addresses of the public headers and the kernel's.
 */

#include "proto/address.h"

#include <inko/address.h>

/* -EINVAL when port is above 65535, -EAFNOSUPPORT when ip is of no version. */
int sockaddr_from_ip(const struct inko_ip *ip, unsigned int port, struct address *ret_address);
/* The unnamed one is an address without a name. -EINVAL when it is none. */
int sockaddr_from_unix(const struct inko_unix_address *unix_address, struct address *ret_address);

/* -EAFNOSUPPORT when it is of another family. */
int sockaddr_to_ip(const struct address *address, struct inko_address *ret_address);
int sockaddr_to_unix(const struct address *address, struct inko_unix_address *ret_address);
