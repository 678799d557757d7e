/*
 * IP addresses as values. The texts are those of inet_pton(3) and inet_ntop(3), which are strict
 * already, but for one spelling.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <inko/ip.h>

_Static_assert(INKO_IP_TEXT_BYTES == INET6_ADDRSTRLEN, "the longest text is the C library's");

struct inko_ip inko_ip_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return (struct inko_ip){.version = 4, .bytes = {a, b, c, d}};
}

struct inko_ip inko_ip_v6(const uint16_t groups[8])
{
	struct inko_ip ip = {.version = 6};

	for (size_t i = 0; i < 8; i++) {
		ip.bytes[2 * i] = (uint8_t)(groups[i] >> 8);
		ip.bytes[2 * i + 1] = (uint8_t)(groups[i] & 0xff);
	}
	return ip;
}

int inko_ip_parse(const char *text, struct inko_ip *ret_ip)
{
	struct inko_ip ip = {.version = strchr(text, ':') ? 6 : 4};

	if (inet_pton(ip.version == 6 ? AF_INET6 : AF_INET, text, ip.bytes) != 1)
		return -EINVAL;
	*ret_ip = ip;
	return 0;
}

/* inet_ntop writes ::1:2 as ::0.1.0.2, the deprecated form that RFC 5952 does not ask for. */
static bool ip_is_v4_compatible(const struct inko_ip *ip)
{
	static const uint8_t zeros[12];

	return ip->version == 6 && memcmp(ip->bytes, zeros, sizeof(zeros)) == 0 &&
	       (ip->bytes[12] || ip->bytes[13]);
}

void inko_ip_format(const struct inko_ip *ip, char text[INKO_IP_TEXT_BYTES])
{
	const uint8_t *b = ip->bytes;

	if (ip_is_v4_compatible(ip))
		(void)snprintf(text, INKO_IP_TEXT_BYTES, "::%x:%x", b[12] << 8 | b[13],
			b[14] << 8 | b[15]);
	else
		(void)inet_ntop(ip->version == 6 ? AF_INET6 : AF_INET, b, text, INKO_IP_TEXT_BYTES);
}

bool inko_ip_equal(const struct inko_ip *a, const struct inko_ip *b)
{
	return a->version == b->version &&
	       memcmp(a->bytes, b->bytes, a->version == 6 ? 16 : 4) == 0;
}
