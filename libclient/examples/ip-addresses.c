/*
 * The guide's IP addresses: parsed, made of their parts, and printed.
 */

#include <stdio.h>

#include <inko/inko.h>

static void print(struct inko_ip ip)
{
	char text[INKO_IP_TEXT_BYTES];

	inko_ip_format(&ip, text);
	puts(text);
}

int main(void)
{
	struct inko_ip address;

	if (inko_ip_parse("1.2.3.4", &address) < 0)
		return 1;
	print(address);
	print(inko_ip_v4(127, 0, 0, 1));
	print(inko_ip_v6((const uint16_t[]){0, 0, 0, 0, 0, 0, 0, 1}));
	return 0;
}
