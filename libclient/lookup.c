/*
 * getaddrinfo(3), and its answers as values.
 *
 * It sorts them by what this host can reach (RFC 6724), so there is no AI_ADDRCONFIG, which would
 * hide loopback's where there is nothing else.
 */

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "libclient/lookup.h"
#include "libclient/sockaddr.h"
#include "proto/descriptor.h"

struct lookup_error {
	int eai;
	int error;
};

static const struct lookup_error lookup_errors[] = {
	{EAI_NONAME, -ENOENT},
	{EAI_NODATA, -ENODATA},
	{EAI_ADDRFAMILY, -ENODATA},
	{EAI_AGAIN, -EAGAIN},
	{EAI_FAIL, -EIO},
	{EAI_MEMORY, -ENOMEM},
	{EAI_OVERFLOW, -ENAMETOOLONG},
	{EAI_IDN_ENCODE, -EINVAL},
};

static int lookup_error(int eai, int system_error)
{
	if (eai == EAI_SYSTEM && system_error)
		return -system_error;
	for (size_t i = 0; i < sizeof(lookup_errors) / sizeof(lookup_errors[0]); i++)
		if (lookup_errors[i].eai == eai)
			return lookup_errors[i].error;
	return -EIO;
}

static bool ip_from_answer(const struct addrinfo *answer, struct inko_ip *ret_ip)
{
	struct inko_address found;
	struct address address = {.length = answer->ai_addrlen};

	if (address.length > sizeof(address.v6))
		return false;
	memcpy(&address.any, answer->ai_addr, address.length);
	if (sockaddr_to_ip(&address, &found) < 0)
		return false;
	*ret_ip = found.ip;
	return true;
}

static bool ips_have(const struct inko_ip *ips, size_t n_ips, const struct inko_ip *ip)
{
	for (size_t i = 0; i < n_ips; i++)
		if (inko_ip_equal(&ips[i], ip))
			return true;
	return false;
}

/* A name that stands in /etc/hosts more than once has the same address more than once. */
static size_t ips_collect(const struct addrinfo *answers, struct inko_ip ips[LOOKUP_IPS])
{
	size_t n = 0;

	for (const struct addrinfo *one = answers; one && n < LOOKUP_IPS; one = one->ai_next)
		if (ip_from_answer(one, &ips[n]) && !ips_have(ips, n, &ips[n]))
			n++;
	return n;
}

int lookup_host(const char *host, struct inko_ip **ret_ips, size_t *ret_n)
{
	/* One socket type, or each address comes once for each. */
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	_cleanup_free_ struct inko_ip *ips = calloc(LOOKUP_IPS, sizeof(*ips));
	struct addrinfo *answers = NULL;
	size_t n;
	int r;

	if (!ips)
		return -ENOMEM;
	r = getaddrinfo(host, NULL, &hints, &answers);
	if (r != 0)
		return lookup_error(r, errno);
	n = ips_collect(answers, ips);
	freeaddrinfo(answers);
	if (n == 0)
		return -ENODATA;
	*ret_ips = ips;
	*ret_n = n;
	ips = NULL;
	return 0;
}
