/*
 * Addresses of Unix sockets: a path is its own text, any bytes are an abstract name, and both come
 * back from their text.
 */

#include "tests/fuzz/fuzz.h"

#include <errno.h>

#include <inko/address.h>

static void check_format(const struct inko_unix_address *address)
{
	char canonical[INKO_UNIX_ADDRESS_TEXT_BYTES], again[INKO_UNIX_ADDRESS_TEXT_BYTES];
	struct inko_unix_address same;

	inko_unix_address_format(address, canonical);
	fuzz_check(inko_unix_address_parse(canonical, &same) == 0);
	fuzz_check(inko_unix_address_equal(address, &same));
	inko_unix_address_format(&same, again);
	fuzz_check(strcmp(canonical, again) == 0);
	if (address->kind == INKO_UNIX_ABSTRACT) {
		for (const char *c = canonical; *c; c++)
			fuzz_check(*c >= ' ' && *c <= '~');
	}
}

static void fuzz_parse(const char *text)
{
	char same[INKO_UNIX_ADDRESS_TEXT_BYTES];
	struct inko_unix_address address;
	size_t length = strlen(text);
	int r = inko_unix_address_parse(text, &address);

	if (text[0] == '@')
		fuzz_check(r == 0 || r == -EINVAL || r == -ENAMETOOLONG);
	else
		fuzz_check(r == (length < INKO_UNIX_NAME_BYTES ? 0 : -ENAMETOOLONG));
	if (r < 0)
		return;
	fuzz_check((address.kind == INKO_UNIX_ABSTRACT) == (text[0] == '@'));
	check_format(&address);
	if (text[0] != '@') {
		inko_unix_address_format(&address, same);
		fuzz_check(strcmp(text, same) == 0);
	}
}

static void fuzz_bytes(const uint8_t *data, size_t size)
{
	struct inko_unix_address address;
	int r = inko_unix_address_abstract(data, size, &address);

	fuzz_check(r == (size < INKO_UNIX_NAME_BYTES ? 0 : -ENAMETOOLONG));
	if (r == 0)
		check_format(&address);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);

	fuzz_parse(text);
	free(text);
	fuzz_bytes(data, size);
	return 0;
}
