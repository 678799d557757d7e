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

/* A path and a port have one spelling each. */
static void check_spelling(const struct address *address, const char *text)
{
	char canonical[ADDRESS_TEXT_BYTES];

	address_format(address, canonical);
	if (address->any.sa_family == AF_UNIX) {
		fuzz_check(strcmp(text, canonical) == 0);
		fuzz_check(address->length <= sizeof(address->un));
	} else {
		fuzz_check(strncmp(text, "tcp://", strlen("tcp://")) == 0);
		fuzz_check(strcmp(strrchr(text, ':'), strrchr(canonical, ':')) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	const char *complaint = NULL;
	struct address address;
	int r = address_parse(text, &address, &complaint);

	if (r == 0) {
		fuzz_check(!complaint);
		check_format(&address);
		check_spelling(&address, text);
	} else {
		fuzz_check(r == -EINVAL && complaint && *complaint);
	}
	free(text);
	return 0;
}
