#pragma once

/*
 * IP addresses (std.net.ip).
 */

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An IPv4 or IPv6 address: a value, to be copied freely. */
struct inko_ip {
	uint8_t version;   /* 4 or 6 */
	uint8_t bytes[16]; /* network byte order; an IPv4 address is the first four */
};

/* The longest text of an address, with its NUL. */
#define INKO_IP_TEXT_BYTES 46

/* The address a.b.c.d (Ipv4Address.new, IpAddress.v4). */
struct inko_ip inko_ip_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d);
/* The address of eight groups in host byte order (Ipv6Address.new, IpAddress.v6). */
struct inko_ip inko_ip_v6(const uint16_t groups[8]);
/* Parses text (ip.parse, String.to_ip_address), strictly: no leading zeros, nothing before or
 * after. 0, or -EINVAL. */
int inko_ip_parse(const char *text, struct inko_ip *ret_ip);
/* Writes the canonical text (RFC 5952; to_string). */
void inko_ip_format(const struct inko_ip *ip, char text[INKO_IP_TEXT_BYTES]);
/* Are they the same address of the same version? (==) */
bool inko_ip_equal(const struct inko_ip *a, const struct inko_ip *b);

#ifdef __cplusplus
}
#endif
