/*
 * An IP address with a port, as a value and as text.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <inko/address.h>

#include "proto/address.h"

int inko_address_parse(const char *text, struct inko_address *ret_address)
{
	const char *colon = strrchr(text, ':');
	struct inko_address address = {0};
	char host[INKO_IP_TEXT_BYTES] = "";
	bool is_bracketed;
	size_t length;

	if (!colon || !address_parse_port(colon + 1, &address.port))
		return -EINVAL;
	length = (size_t)(colon - text);
	is_bracketed = length >= 2 && text[0] == '[' && text[length - 1] == ']';
	if (is_bracketed) {
		text++;
		length -= 2;
	}
	if (length >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, length);
	if (inko_ip_parse(host, &address.ip) < 0 || inko_ip_is_v6(&address.ip) != is_bracketed)
		return -EINVAL;
	*ret_address = address;
	return 0;
}

void inko_address_format(const struct inko_address *address, char text[INKO_ADDRESS_TEXT_BYTES])
{
	bool is_bracketed = inko_ip_is_v6(&address->ip);
	char host[INKO_IP_TEXT_BYTES];

	inko_ip_format(&address->ip, host);
	(void)snprintf(text, INKO_ADDRESS_TEXT_BYTES, "%s%s%s:%u", is_bracketed ? "[" : "", host,
		is_bracketed ? "]" : "", address->port);
}

bool inko_address_equal(const struct inko_address *a, const struct inko_address *b)
{
	return a->port == b->port && inko_ip_equal(&a->ip, &b->ip);
}
