/*
 * IP addresses with a port: what is taken is what the two parts allow, and comes back from its
 * text.
 */

#include "tests/fuzz/fuzz.h"

#include <arpa/inet.h>
#include <errno.h>

#include <inko/address.h>

static bool is_port(const char *text)
{
	char same[8];

	if (strlen(text) > 5)
		return false;
	(void)snprintf(same, sizeof(same), "%lu", strtoul(text, NULL, 10));
	return strcmp(text, same) == 0 && strtoul(text, NULL, 10) <= 65535;
}

/* The same said in another way, on a copy that is cut into its parts. */
static bool is_address(char *text)
{
	char *colon = strrchr(text, ':'), *end;
	uint8_t bytes[16];

	if (!colon || !is_port(colon + 1))
		return false;
	*colon = '\0';
	if (text[0] != '[')
		return inet_pton(AF_INET, text, bytes) == 1;
	end = strchr(text, ']');
	if (!end || end[1] != '\0')
		return false;
	*end = '\0';
	return inet_pton(AF_INET6, text + 1, bytes) == 1;
}

static void check_format(const struct inko_address *address)
{
	char canonical[INKO_ADDRESS_TEXT_BYTES], again[INKO_ADDRESS_TEXT_BYTES];
	struct inko_address same;

	inko_address_format(address, canonical);
	fuzz_check(inko_address_parse(canonical, &same) == 0);
	fuzz_check(inko_address_equal(address, &same));
	inko_address_format(&same, again);
	fuzz_check(strcmp(canonical, again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	struct inko_address address;
	int r = inko_address_parse(text, &address);

	fuzz_check(r == 0 || r == -EINVAL);
	if (r == 0)
		check_format(&address);
	fuzz_check(is_address(text) == (r == 0));
	free(text);
	return 0;
}
