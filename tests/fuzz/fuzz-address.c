/*
 * Addresses to listen on: what is taken comes back from its text and has a valid name, and what is
 * refused is complained of.
 */

#include "tests/fuzz/fuzz.h"

#include <errno.h>

#include "proto/address.h"
#include "proto/name.h"

static void check_format(const struct address *address)
{
	char canonical[ADDRESS_TEXT_BYTES], again[ADDRESS_TEXT_BYTES];
	char name[LIMIT_NAME_CHARS + 1];
	const char *complaint = NULL;
	struct address same;

	address_format(address, canonical);
	fuzz_check(address_parse(canonical, &same, &complaint) == 0);
	fuzz_check(same.length == address->length);
	fuzz_check(memcmp(&same.any, &address->any, same.length) == 0);
	address_format(&same, again);
	fuzz_check(strcmp(canonical, again) == 0);
	address_default_name(address, name);
	fuzz_check(name_is_valid(name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	const char *complaint = NULL;
	struct address address;
	int r = address_parse(text, &address, &complaint);

	if (r == 0) {
		fuzz_check(!complaint);
		fuzz_check(address.any.sa_family == AF_UNIX || strncmp(text, "tcp://", 6) == 0);
		check_format(&address);
	} else {
		fuzz_check(r == -EINVAL && complaint && *complaint);
	}
	free(text);
	return 0;
}
