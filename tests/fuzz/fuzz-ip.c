/*
 * IP addresses: what inet_pton(3) takes is taken and nothing else, and each address has a text of
 * its own.
 */

#include "tests/fuzz/fuzz.h"

#include <arpa/inet.h>
#include <errno.h>

#include <inko/ip.h>

static struct inko_ip check_format(const struct inko_ip *ip, char text[INKO_IP_TEXT_BYTES])
{
	struct inko_ip same;

	inko_ip_format(ip, text);
	fuzz_check(inko_ip_parse(text, &same) == 0);
	fuzz_check(inko_ip_equal(ip, &same) && inko_ip_compare(ip, &same) == 0);
	fuzz_check(inko_ip_hash(ip, 1) == inko_ip_hash(&same, 1));
	return same;
}

/* inet_ntop(3) is right but for ::a.b.c.d, which it writes so. */
static void check_canonical(const struct inko_ip *ip, const char *text)
{
	int family = inko_ip_is_v6(ip) ? AF_INET6 : AF_INET;
	char other[INKO_IP_TEXT_BYTES];

	fuzz_check(inet_ntop(family, ip->bytes, other, sizeof(other)));
	if (inko_ip_is_v4_compatible(ip) && strchr(other, '.'))
		fuzz_check(!strchr(text, '.'));
	else
		fuzz_check(strcmp(text, other) == 0);
}

static void fuzz_parse(const char *text)
{
	uint8_t bytes[16] = {0};
	int version = inet_pton(AF_INET6, text, bytes) == 1  ? 6
		      : inet_pton(AF_INET, text, bytes) == 1 ? 4
							     : 0;
	char canonical[INKO_IP_TEXT_BYTES], again[INKO_IP_TEXT_BYTES];
	struct inko_ip ip = {0}, same;
	int r = inko_ip_parse(text, &ip);

	fuzz_check(r == (version ? 0 : -EINVAL));
	fuzz_check(ip.version == version);
	if (r < 0)
		return;
	fuzz_check(memcmp(ip.bytes, bytes, version == 6 ? 16 : 4) == 0);
	fuzz_check(inko_ip_is_v4(&ip) != inko_ip_is_v6(&ip));
	same = check_format(&ip, canonical);
	check_canonical(&ip, canonical);
	(void)check_format(&same, again);
	fuzz_check(strcmp(canonical, again) == 0);
}

static void fuzz_bytes(const uint8_t *data, size_t size)
{
	struct inko_ip v4 = {.version = 4}, v6 = {.version = 6}, mapped;
	char text[INKO_IP_TEXT_BYTES];

	memcpy(v6.bytes, data, size < 16 ? size : 16);
	memcpy(v4.bytes, v6.bytes, 4);
	(void)check_format(&v6, text);
	check_canonical(&v6, text);
	(void)check_format(&v4, text);
	check_canonical(&v4, text);
	fuzz_check(inko_ip_to_v4_mapped(&v4, &mapped) == 0 && inko_ip_is_v4_mapped(&mapped));
	(void)check_format(&mapped, text);
	fuzz_check(inko_ip_compare(&v4, &v6) == -1 && inko_ip_compare(&v6, &v4) == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);

	fuzz_parse(text);
	free(text);
	if (size > 0)
		fuzz_bytes(data, size);
	return 0;
}
