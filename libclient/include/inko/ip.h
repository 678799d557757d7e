#pragma once

/*
 * IP addresses (std.net.ip).
 *
 * What an address is for is asked of the address as it stands: ::ffff:127.0.0.1 is a mapped one
 * and no loopback one.
 */

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An IPv4 or IPv6 address: a value, to be copied freely. What it does not say is 0: make one with
 * an initializer or the calls below. */
struct inko_ip {
	uint8_t version;   /* 4 or 6 */
	uint8_t bytes[16]; /* network byte order; an IPv4 address is the first four */
	/* The number of the interface that a link-local IPv6 address belongs to
	 * (if_nametoindex(3)), else 0. It is never in the text. */
	uint32_t scope;
};

/* The longest text of an address, with its NUL. */
#define INKO_IP_TEXT_BYTES 46

/* The address a.b.c.d (Ipv4Address.new, IpAddress.v4). */
struct inko_ip inko_ip_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d);
/* The address of eight groups in host byte order (Ipv6Address.new, IpAddress.v6). */
struct inko_ip inko_ip_v6(const uint16_t groups[8]);
/* Parses text (ip.parse, String.to_ip_address), strictly: no octal, no leading zeros in an IPv4
 * address, no zone, nothing before or after. 0, or -EINVAL. */
int inko_ip_parse(const char *text, struct inko_ip *ret_ip);
/* Writes the canonical text (RFC 5952; to_string). */
void inko_ip_format(const struct inko_ip *ip, char text[INKO_IP_TEXT_BYTES]);

/* Are they the same address of the same version and scope? (==) */
bool inko_ip_equal(const struct inko_ip *a, const struct inko_ip *b);
/* -1, 0 or 1: a before b, equal, or after it. IPv4 comes before IPv6, then the bytes count, then
 * the scope. */
int inko_ip_compare(const struct inko_ip *a, const struct inko_ip *b);
/* A hash for tables (hash): equal addresses have equal ones. With a seed that nobody can guess
 * (getrandom(2)) nobody can choose addresses that collide: it is SipHash. */
uint64_t inko_ip_hash(const struct inko_ip *ip, uint64_t seed);

/* An IPv4 address (v4?). */
bool inko_ip_is_v4(const struct inko_ip *ip);
/* An IPv6 address (v6?). */
bool inko_ip_is_v6(const struct inko_ip *ip);
/* 127.0.0.0/8 (RFC 1122), ::1 (RFC 4291) (loopback?). */
bool inko_ip_is_loopback(const struct inko_ip *ip);
/* 224.0.0.0/4 (RFC 5771), ff00::/8 (RFC 4291) (multicast?). */
bool inko_ip_is_multicast(const struct inko_ip *ip);
/* 0.0.0.0 (RFC 1122), :: (RFC 4291): as a local address every one of this host (unspecified?). */
bool inko_ip_is_unspecified(const struct inko_ip *ip);
/* 192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24 (RFC 5737), 2001:db8::/32 (RFC 3849),
 * 3fff::/20 (RFC 9637) (documentation?). */
bool inko_ip_is_documentation(const struct inko_ip *ip);
/* 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 (RFC 1918), fc00::/7 (RFC 4193) (private?). */
bool inko_ip_is_private(const struct inko_ip *ip);
/* 169.254.0.0/16 (RFC 3927), fe80::/10 (RFC 4291) (link_local?). */
bool inko_ip_is_link_local(const struct inko_ip *ip);
/* 255.255.255.255 (RFC 919) (broadcast?). */
bool inko_ip_is_broadcast(const struct inko_ip *ip);
/* ::ffff:0:0/96: an IPv4 peer of an IPv6 socket (RFC 4291; ipv4_mapped?). */
bool inko_ip_is_v4_mapped(const struct inko_ip *ip);
/* ::/96, with :: and ::1: deprecated (RFC 4291; ipv4_compatible?). */
bool inko_ip_is_v4_compatible(const struct inko_ip *ip);

/* The mapped address ::ffff:a.b.c.d of an IPv4 one (to_ipv6_mapped). ret_ip may be ip. 0, or
 * -EINVAL when ip is no IPv4 address. */
int inko_ip_to_v4_mapped(const struct inko_ip *ip, struct inko_ip *ret_ip);
/* The compatible address ::a.b.c.d of an IPv4 one (to_ipv6_compatible), in the same way. */
int inko_ip_to_v4_compatible(const struct inko_ip *ip, struct inko_ip *ret_ip);

#ifdef __cplusplus
}
#endif
