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

/* Text */

int inko_ip_parse(const char *text, struct inko_ip *ret_ip)
{
	struct inko_ip ip = {.version = strchr(text, ':') ? 6 : 4};

	if (inet_pton(ip.version == 6 ? AF_INET6 : AF_INET, text, ip.bytes) != 1)
		return -EINVAL;
	*ret_ip = ip;
	return 0;
}

void inko_ip_format(const struct inko_ip *ip, char text[INKO_IP_TEXT_BYTES])
{
	const uint8_t *b = ip->bytes;

	/* inet_ntop writes ::1:2 as ::0.1.0.2, the deprecated form that RFC 5952 does not ask for.
	 */
	if (inko_ip_is_v4_compatible(ip) && (b[12] || b[13]))
		(void)snprintf(text, INKO_IP_TEXT_BYTES, "::%x:%x", b[12] << 8 | b[13],
			b[14] << 8 | b[15]);
	else
		(void)inet_ntop(ip->version == 6 ? AF_INET6 : AF_INET, b, text, INKO_IP_TEXT_BYTES);
}

/* Comparing */

/* All that tells one address from another, and nothing that does not. */
struct ip_key {
	uint64_t words[4];
};

#define IP_KEY_WORDS (sizeof(struct ip_key) / sizeof(uint64_t))

static uint64_t read_big_endian(const uint8_t *bytes, size_t size)
{
	uint64_t word = 0;

	for (size_t i = 0; i < size; i++)
		word = word << 8 | bytes[i];
	return word;
}

static struct ip_key ip_make_key(const struct inko_ip *ip)
{
	if (ip->version != 6)
		return (struct ip_key){{ip->version, read_big_endian(ip->bytes, 4)}};
	return (struct ip_key){{ip->version, read_big_endian(ip->bytes, 8),
		read_big_endian(ip->bytes + 8, 8), ip->scope}};
}

int inko_ip_compare(const struct inko_ip *a, const struct inko_ip *b)
{
	struct ip_key left = ip_make_key(a), right = ip_make_key(b);

	for (size_t i = 0; i < IP_KEY_WORDS; i++) {
		if (left.words[i] != right.words[i])
			return left.words[i] < right.words[i] ? -1 : 1;
	}
	return 0;
}

bool inko_ip_equal(const struct inko_ip *a, const struct inko_ip *b)
{
	return inko_ip_compare(a, b) == 0;
}

static uint64_t rotate_left(uint64_t word, unsigned int bits)
{
	return word << bits | word >> (64 - bits);
}

static void sip_round(uint64_t v[static 4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate_left(v[1], 13) ^ v[0];
	v[3] = rotate_left(v[3], 16) ^ v[2];
	v[0] = rotate_left(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate_left(v[1], 17) ^ v[2];
	v[3] = rotate_left(v[3], 21) ^ v[0];
	v[2] = rotate_left(v[2], 32);
}

static void sip_absorb(uint64_t v[static 4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
}

/* SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF") of the key's words, each of
 * them little-endian; the seed is the first half of its key and the second half 0. */
uint64_t inko_ip_hash(const struct inko_ip *ip, uint64_t seed)
{
	struct ip_key key = ip_make_key(ip);
	uint64_t v[4] = {seed ^ 0x736f6d6570736575, 0x646f72616e646f6d, seed ^ 0x6c7967656e657261,
		0x7465646279746573};

	for (size_t i = 0; i < IP_KEY_WORDS; i++)
		sip_absorb(v, key.words[i]);
	sip_absorb(v, (uint64_t)sizeof(key) << 56);
	v[2] ^= 0xff;
	for (unsigned int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* What an address is for */

enum ip_class {
	LOOPBACK,
	MULTICAST,
	UNSPECIFIED,
	DOCUMENTATION,
	PRIVATE,
	LINK_LOCAL,
	BROADCAST,
	V4_MAPPED,
	V4_COMPATIBLE,
};

static const struct ip_range {
	enum ip_class class;
	uint8_t version;
	uint8_t length; /* of the prefix, in bits */
	uint8_t prefix[16];
} ranges[] = {
	{LOOPBACK, 4, 8, {127}},
	{LOOPBACK, 6, 128, {[15] = 1}},
	{MULTICAST, 4, 4, {224}},
	{MULTICAST, 6, 8, {0xff}},
	{UNSPECIFIED, 4, 32, {0}},
	{UNSPECIFIED, 6, 128, {0}},
	{DOCUMENTATION, 4, 24, {192, 0, 2}},
	{DOCUMENTATION, 4, 24, {198, 51, 100}},
	{DOCUMENTATION, 4, 24, {203, 0, 113}},
	{DOCUMENTATION, 6, 32, {0x20, 0x01, 0x0d, 0xb8}},
	{DOCUMENTATION, 6, 20, {0x3f, 0xff}},
	{PRIVATE, 4, 8, {10}},
	{PRIVATE, 4, 12, {172, 16}},
	{PRIVATE, 4, 16, {192, 168}},
	{PRIVATE, 6, 7, {0xfc}},
	{LINK_LOCAL, 4, 16, {169, 254}},
	{LINK_LOCAL, 6, 10, {0xfe, 0x80}},
	{BROADCAST, 4, 32, {255, 255, 255, 255}},
	{V4_MAPPED, 6, 96, {[10] = 0xff, 0xff}},
	{V4_COMPATIBLE, 6, 96, {0}},
};

static bool range_contains(const struct ip_range *range, const struct inko_ip *ip)
{
	size_t whole = range->length / 8;
	unsigned int rest = range->length % 8;

	return ip->version == range->version && memcmp(ip->bytes, range->prefix, whole) == 0 &&
	       (rest == 0 || (ip->bytes[whole] ^ range->prefix[whole]) >> (8 - rest) == 0);
}

static bool ip_is(const struct inko_ip *ip, enum ip_class class)
{
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if (ranges[i].class == class && range_contains(&ranges[i], ip))
			return true;
	}
	return false;
}

bool inko_ip_is_v4(const struct inko_ip *ip)
{
	return ip->version == 4;
}

bool inko_ip_is_v6(const struct inko_ip *ip)
{
	return ip->version == 6;
}

bool inko_ip_is_loopback(const struct inko_ip *ip)
{
	return ip_is(ip, LOOPBACK);
}

bool inko_ip_is_multicast(const struct inko_ip *ip)
{
	return ip_is(ip, MULTICAST);
}

bool inko_ip_is_unspecified(const struct inko_ip *ip)
{
	return ip_is(ip, UNSPECIFIED);
}

bool inko_ip_is_documentation(const struct inko_ip *ip)
{
	return ip_is(ip, DOCUMENTATION);
}

bool inko_ip_is_private(const struct inko_ip *ip)
{
	return ip_is(ip, PRIVATE);
}

bool inko_ip_is_link_local(const struct inko_ip *ip)
{
	return ip_is(ip, LINK_LOCAL);
}

bool inko_ip_is_broadcast(const struct inko_ip *ip)
{
	return ip_is(ip, BROADCAST);
}

bool inko_ip_is_v4_mapped(const struct inko_ip *ip)
{
	return ip_is(ip, V4_MAPPED);
}

bool inko_ip_is_v4_compatible(const struct inko_ip *ip)
{
	return ip_is(ip, V4_COMPATIBLE);
}

/* IPv4 in IPv6 */

/* The address of the class's range that ends with the four bytes of ip. */
static int ip_embed(const struct inko_ip *ip, enum ip_class class, struct inko_ip *ret_ip)
{
	struct inko_ip embedded = {.version = 6};

	if (ip->version != 4)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if (ranges[i].class == class)
			memcpy(embedded.bytes, ranges[i].prefix, sizeof(embedded.bytes));
	}
	memcpy(embedded.bytes + 12, ip->bytes, 4);
	*ret_ip = embedded;
	return 0;
}

int inko_ip_to_v4_mapped(const struct inko_ip *ip, struct inko_ip *ret_ip)
{
	return ip_embed(ip, V4_MAPPED, ret_ip);
}

int inko_ip_to_v4_compatible(const struct inko_ip *ip, struct inko_ip *ret_ip)
{
	return ip_embed(ip, V4_COMPATIBLE, ret_ip);
}
