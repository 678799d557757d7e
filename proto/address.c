/*
 * Addresses to listen on. No name is ever looked up: what a listener is bound to must not depend
 * on a resolver, and the supervisor must not wait for one.
 */

#include "proto/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/name.h"

#define TCP_PREFIX "tcp://"
#define UNIX_PREFIX "unix://"

#define DIGITS "0123456789"
#define SUN_PATH_CHARS (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

#define COMPLAINT_SCHEME                                                                           \
	"write tcp://ADDRESS:PORT, tcp://[IPV6-ADDRESS]:PORT, unix:///PATH or systemd:NAME"
#define COMPLAINT_PORT                                                                             \
	"end a TCP address with ':' and a port from 0 to 65535, as in tcp://127.0.0.1:80"
#define COMPLAINT_HOST                                                                             \
	"write an IPv4 address, an IPv6 address in brackets or localhost before the port; "        \
	"tcp://0.0.0.0:PORT is every IPv4 address of this host and tcp://[::]:PORT every IPv6 one"
#define COMPLAINT_SCOPE                                                                               \
	"write the interface of a link-local IPv6 address after '%', as in tcp://[fe80::1%eth0]:80, " \
	"and of no other address"
#define COMPLAINT_PATH                                                                             \
	"write an absolute path of a socket after unix://, as in unix:///run/web.sock"
#define COMPLAINT_PATH_LONG "use a shorter path: a Unix socket's has at most 107 bytes"

static int complain(const char *complaint, const char **ret_complaint)
{
	*ret_complaint = complaint;
	return -EINVAL;
}

bool address_parse_port(const char *text, uint16_t *ret_port)
{
	size_t length = strspn(text, DIGITS);
	unsigned long port;

	if (length == 0 || length > 5 || text[length] != '\0' || (text[0] == '0' && length > 1))
		return false;
	port = strtoul(text, NULL, 10);
	if (port > UINT16_MAX)
		return false;
	*ret_port = (uint16_t)port;
	return true;
}

static bool copy_span(const char *from, size_t length, char *to, size_t to_bytes)
{
	if (length >= to_bytes)
		return false;
	memcpy(to, from, length);
	to[length] = '\0';
	return true;
}

static uint32_t parse_scope(const char *text)
{
	unsigned long number;
	size_t length = strspn(text, DIGITS);

	if (length == 0 || text[length] != '\0')
		return if_nametoindex(text);
	errno = 0;
	number = strtoul(text, NULL, 10);
	return errno == 0 && number <= UINT32_MAX && text[0] != '0' ? (uint32_t)number : 0;
}

static int parse_v6(
	const char *host, size_t length, struct sockaddr_in6 *address, const char **ret_complaint)
{
	char text[INET6_ADDRSTRLEN + 1 + IF_NAMESIZE];
	char *scope;

	if (!copy_span(host, length, text, sizeof(text)))
		return complain(COMPLAINT_HOST, ret_complaint);
	scope = strchr(text, '%');
	if (scope)
		*scope++ = '\0';
	if (inet_pton(AF_INET6, text, &address->sin6_addr) != 1)
		return complain(COMPLAINT_HOST, ret_complaint);
	if (!!scope != !!IN6_IS_ADDR_LINKLOCAL(&address->sin6_addr))
		return complain(COMPLAINT_SCOPE, ret_complaint);
	if (scope) {
		address->sin6_scope_id = parse_scope(scope);
		if (address->sin6_scope_id == 0)
			return complain(COMPLAINT_SCOPE, ret_complaint);
	}
	address->sin6_family = AF_INET6;
	return 0;
}

static int parse_v4(
	const char *host, size_t length, struct sockaddr_in *address, const char **ret_complaint)
{
	char text[INET_ADDRSTRLEN];

	if (!copy_span(host, length, text, sizeof(text)))
		return complain(COMPLAINT_HOST, ret_complaint);
	if (strcmp(text, "localhost") == 0)
		address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else if (inet_pton(AF_INET, text, &address->sin_addr) != 1)
		return complain(COMPLAINT_HOST, ret_complaint);
	address->sin_family = AF_INET;
	return 0;
}

static int parse_tcp(const char *text, struct address *address, const char **ret_complaint)
{
	const char *colon = strrchr(text, ':');
	uint16_t port;
	size_t length;
	int r;

	if (!colon || !address_parse_port(colon + 1, &port))
		return complain(COMPLAINT_PORT, ret_complaint);
	length = (size_t)(colon - text);
	if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
		r = parse_v6(text + 1, length - 2, &address->v6, ret_complaint);
		address->v6.sin6_port = htons(port);
		address->length = sizeof(address->v6);
	} else {
		r = parse_v4(text, length, &address->v4, ret_complaint);
		address->v4.sin_port = htons(port);
		address->length = sizeof(address->v4);
	}
	return r;
}

static bool has_control_character(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	}
	return false;
}

static int parse_unix(const char *path, struct address *address, const char **ret_complaint)
{
	size_t length = strlen(path);

	if (path[0] != '/' || path[length - 1] == '/' || has_control_character(path))
		return complain(COMPLAINT_PATH, ret_complaint);
	if (length > SUN_PATH_CHARS)
		return complain(COMPLAINT_PATH_LONG, ret_complaint);
	address->un.sun_family = AF_UNIX;
	memcpy(address->un.sun_path, path, length + 1);
	address->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
	return 0;
}

int address_parse(const char *text, struct address *ret_address, const char **ret_complaint)
{
	struct address address;
	int r;

	memset(&address, 0, sizeof(address));
	if (strncmp(text, TCP_PREFIX, strlen(TCP_PREFIX)) == 0)
		r = parse_tcp(text + strlen(TCP_PREFIX), &address, ret_complaint);
	else if (strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0)
		r = parse_unix(text + strlen(UNIX_PREFIX), &address, ret_complaint);
	else
		r = complain(COMPLAINT_SCHEME, ret_complaint);
	if (r == 0)
		*ret_address = address;
	return r;
}

static void format_v4(const struct sockaddr_in *address, char text[static ADDRESS_TEXT_BYTES])
{
	char host[INET_ADDRSTRLEN];

	(void)inet_ntop(AF_INET, &address->sin_addr, host, sizeof(host));
	(void)snprintf(
		text, ADDRESS_TEXT_BYTES, TCP_PREFIX "%s:%u", host, ntohs(address->sin_port));
}

static void format_v6(const struct sockaddr_in6 *address, char text[static ADDRESS_TEXT_BYTES])
{
	char host[INET6_ADDRSTRLEN], interface[IF_NAMESIZE] = "", scope[IF_NAMESIZE + 1] = "";

	(void)inet_ntop(AF_INET6, &address->sin6_addr, host, sizeof(host));
	if (address->sin6_scope_id != 0 && if_indextoname(address->sin6_scope_id, interface))
		(void)snprintf(scope, sizeof(scope), "%%%s", interface);
	else if (address->sin6_scope_id != 0)
		(void)snprintf(scope, sizeof(scope), "%%%u", address->sin6_scope_id);
	(void)snprintf(text, ADDRESS_TEXT_BYTES, TCP_PREFIX "[%s%s]:%u", host, scope,
		ntohs(address->sin6_port));
}

/* The kernel gives an address without a NUL where the path fills it, and none at all to a socket
 * that is not bound. */
static void format_unix(const struct address *address, char text[static ADDRESS_TEXT_BYTES])
{
	size_t start = offsetof(struct sockaddr_un, sun_path);
	size_t size = address->length > start ? address->length - start : 0;
	/* unix(7): a name in the abstract namespace. It is written as everywhere else. */
	bool is_abstract = size > 1 && address->un.sun_path[0] == '\0';
	const char *path = address->un.sun_path + is_abstract;

	(void)snprintf(text, ADDRESS_TEXT_BYTES, UNIX_PREFIX "%s%.*s", is_abstract ? "@" : "",
		(int)strnlen(path, size - is_abstract), path);
}

bool address_has_any_port(const struct address *address)
{
	return (address->any.sa_family == AF_INET && address->v4.sin_port == 0) ||
	       (address->any.sa_family == AF_INET6 && address->v6.sin6_port == 0);
}

void address_format(const struct address *address, char text[static ADDRESS_TEXT_BYTES])
{
	switch (address->any.sa_family) {
	case AF_INET:
		format_v4(&address->v4, text);
		break;
	case AF_INET6:
		format_v6(&address->v6, text);
		break;
	case AF_UNIX:
		format_unix(address, text);
		break;
	default:
		(void)snprintf(text, ADDRESS_TEXT_BYTES, "family://%u", address->any.sa_family);
	}
}

/* One character of a name. Behind a letter all that a name may hold is valid. */
static char name_character(char c)
{
	const char name[] = {'x', c, '\0'};

	if (c == '/')
		return '-';
	return name_is_valid(name) ? c : '_';
}

void address_default_name(const struct address *address, char name[static LIMIT_NAME_CHARS + 1])
{
	bool is_unix = address->any.sa_family == AF_UNIX;
	const char *scheme = is_unix ? "unix" : "tcp-";
	char text[ADDRESS_TEXT_BYTES];
	size_t length = strlen(scheme);
	char *port;

	address_format(address, text);
	port = is_unix ? NULL : strrchr(text, ':');
	if (port)
		*port = '/';
	memcpy(name, scheme, length);
	for (const char *from = strstr(text, "//") + 2; *from && length < LIMIT_NAME_CHARS;
		from++) {
		if (is_unix || (*from != '[' && *from != ']'))
			name[length++] = name_character(*from);
	}
	name[length] = '\0';
}
