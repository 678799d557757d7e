#pragma once

/*
 * Where sockets are bound and connected to: an IP address with a port (SocketAddress of
 * std.net.socket), and the address of a Unix socket (std.net.unix).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <inko/ip.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An IP address and a port in host byte order: a value. */
struct inko_address {
	struct inko_ip ip;
	uint16_t port;
};

/* The longest text of one, with its NUL. */
#define INKO_ADDRESS_TEXT_BYTES (INKO_IP_TEXT_BYTES + 8)

/* Parses "127.0.0.1:80" or "[::1]:80", strictly: both parts, no leading zeros, no name, no zone,
 * nothing before or after. 0, or -EINVAL. */
int inko_address_parse(const char *text, struct inko_address *ret_address);
/* Writes the canonical text, which inko_address_parse takes; the scope is not in it. */
void inko_address_format(const struct inko_address *address, char text[INKO_ADDRESS_TEXT_BYTES]);
/* Are both the IP address (as inko_ip_equal has it) and the port the same? */
bool inko_address_equal(const struct inko_address *a, const struct inko_address *b);

enum inko_unix_kind {
	INKO_UNIX_UNNAMED,  /* not bound, or a socketpair's */
	INKO_UNIX_PATH,	    /* a file */
	INKO_UNIX_ABSTRACT, /* a name of the network namespace, without a file (unix(7)) */
};

/* As many bytes the kernel has for a path or for an abstract name and a byte before it. */
#define INKO_UNIX_NAME_BYTES 108

/* The address of a Unix socket: a value. {0} is the unnamed one. */
struct inko_unix_address {
	enum inko_unix_kind kind;
	size_t length;			 /* of name */
	char name[INKO_UNIX_NAME_BYTES]; /* no NUL behind it; an abstract one may have any byte */
};

/* The longest text of one, with its NUL. */
#define INKO_UNIX_ADDRESS_TEXT_BYTES (1 + 4 * INKO_UNIX_NAME_BYTES + 1)

/* The address of the file at path, as it is written. 0, -EINVAL when it is empty, -ENAMETOOLONG
 * from 108 bytes on. */
int inko_unix_address_path(const char *path, struct inko_unix_address *ret_address);
/* The address of an abstract name of size bytes, the NUL before it not among them. 0, or
 * -ENAMETOOLONG from 108 bytes on. */
int inko_unix_address_abstract(
	const void *bytes, size_t size, struct inko_unix_address *ret_address);
/* Parses text: a path as it is, "@name" for an abstract one, "" for the unnamed one. In an abstract
 * name \xHH is a byte and \\ a backslash. A relative path that begins with @ is written ./@ and so
 * on. 0, -EINVAL on another backslash, -ENAMETOOLONG as above. */
int inko_unix_address_parse(const char *text, struct inko_unix_address *ret_address);
/* Writes the text, which inko_unix_address_parse takes: what is not printable ASCII in an abstract
 * name as \xHH, and ./ before a path that begins with @. */
void inko_unix_address_format(
	const struct inko_unix_address *address, char text[INKO_UNIX_ADDRESS_TEXT_BYTES]);
/* Are they of the same kind and name? The unnamed one equals itself. */
bool inko_unix_address_equal(const struct inko_unix_address *a, const struct inko_unix_address *b);

#ifdef __cplusplus
}
#endif
