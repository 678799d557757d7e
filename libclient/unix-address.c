/*
 * The address of a Unix socket, as a value and as text. An abstract name is any bytes, so its text
 * escapes what a terminal or a log would not show.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include <inko/address.h>

_Static_assert(INKO_UNIX_NAME_BYTES == sizeof(((struct sockaddr_un *)NULL)->sun_path),
	"a name is as long as the kernel's");

#define ABSTRACT_MARK '@'

static int unix_address_make(enum inko_unix_kind kind, const void *name, size_t length,
	struct inko_unix_address *ret_address)
{
	struct inko_unix_address address = {.kind = kind, .length = length};

	/* A path has a NUL behind it, and an abstract name one before it. */
	if (length >= sizeof(address.name))
		return -ENAMETOOLONG;
	if (length > 0)
		memcpy(address.name, name, length);
	*ret_address = address;
	return 0;
}

int inko_unix_address_path(const char *path, struct inko_unix_address *ret_address)
{
	if (!*path)
		return -EINVAL;
	return unix_address_make(INKO_UNIX_PATH, path, strlen(path), ret_address);
}

int inko_unix_address_abstract(
	const void *bytes, size_t size, struct inko_unix_address *ret_address)
{
	return unix_address_make(INKO_UNIX_ABSTRACT, bytes, size, ret_address);
}

/* Text */

static int parse_hex_digit(char c)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	const char *found = c ? strchr(digits, c) : NULL;
	int value = found ? (int)(found - digits) : -EINVAL;

	return value < 16 ? value : value - 6;
}

/* Reads a byte of an abstract name, and returns how many characters it stands in. */
static int parse_byte(const char *text, char *ret_byte)
{
	int high, low;

	if (text[0] != '\\') {
		*ret_byte = text[0];
		return 1;
	}
	if (text[1] == '\\') {
		*ret_byte = '\\';
		return 2;
	}
	if (text[1] != 'x')
		return -EINVAL;
	high = parse_hex_digit(text[2]);
	low = high < 0 ? high : parse_hex_digit(text[3]);
	if (low < 0)
		return -EINVAL;
	*ret_byte = (char)(high << 4 | low);
	return 4;
}

static int parse_abstract(const char *text, struct inko_unix_address *ret_address)
{
	char name[INKO_UNIX_NAME_BYTES];
	size_t length = 0;

	while (*text) {
		char byte;
		int n = parse_byte(text, &byte);

		if (n < 0)
			return n;
		if (length == sizeof(name))
			return -ENAMETOOLONG;
		name[length++] = byte;
		text += n;
	}
	return inko_unix_address_abstract(name, length, ret_address);
}

int inko_unix_address_parse(const char *text, struct inko_unix_address *ret_address)
{
	if (!*text)
		return unix_address_make(INKO_UNIX_UNNAMED, NULL, 0, ret_address);
	if (*text == ABSTRACT_MARK)
		return parse_abstract(text + 1, ret_address);
	return inko_unix_address_path(text, ret_address);
}

static size_t unix_address_length(const struct inko_unix_address *address)
{
	if (address->kind == INKO_UNIX_UNNAMED)
		return 0;
	return address->length < sizeof(address->name) ? address->length : sizeof(address->name);
}

static void format_path(const struct inko_unix_address *address, char *text)
{
	size_t length = unix_address_length(address);
	bool is_marked = length > 0 && address->name[0] == ABSTRACT_MARK;

	(void)snprintf(text, INKO_UNIX_ADDRESS_TEXT_BYTES, "%s%.*s", is_marked ? "./" : "",
		(int)length, address->name);
}

static void format_abstract(const struct inko_unix_address *address, char *text)
{
	size_t length = unix_address_length(address);

	*text++ = ABSTRACT_MARK;
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)address->name[i];

		if (byte == '\\')
			text += sprintf(text, "\\\\");
		else if (byte >= ' ' && byte <= '~')
			*text++ = (char)byte;
		else
			text += sprintf(text, "\\x%02x", byte);
	}
	*text = '\0';
}

void inko_unix_address_format(
	const struct inko_unix_address *address, char text[INKO_UNIX_ADDRESS_TEXT_BYTES])
{
	if (address->kind == INKO_UNIX_ABSTRACT)
		format_abstract(address, text);
	else
		format_path(address, text);
}

bool inko_unix_address_equal(const struct inko_unix_address *a, const struct inko_unix_address *b)
{
	size_t length = unix_address_length(a);

	return a->kind == b->kind && length == unix_address_length(b) &&
	       memcmp(a->name, b->name, length) == 0;
}
