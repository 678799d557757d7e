/*
 * The kernel's addresses. One of a Unix socket is as long as the kernel says, which alone tells an
 * unnamed one from an abstract one, and where the name of that ends (unix(7)).
 */

#include <errno.h>
#include <string.h>

#include "libclient/sockaddr.h"
#include "proto/limits.h"

#define UNIX_NAME_OFFSET offsetof(struct sockaddr_un, sun_path)

static void from_v4(const struct inko_ip *ip, uint16_t port, struct address *ret_address)
{
	ret_address->v4.sin_family = AF_INET;
	ret_address->v4.sin_port = htons(port);
	memcpy(&ret_address->v4.sin_addr, ip->bytes, sizeof(ret_address->v4.sin_addr));
	ret_address->length = sizeof(ret_address->v4);
}

static void from_v6(const struct inko_ip *ip, uint16_t port, struct address *ret_address)
{
	ret_address->v6.sin6_family = AF_INET6;
	ret_address->v6.sin6_port = htons(port);
	memcpy(&ret_address->v6.sin6_addr, ip->bytes, sizeof(ret_address->v6.sin6_addr));
	ret_address->v6.sin6_scope_id = ip->scope;
	ret_address->length = sizeof(ret_address->v6);
}

int sockaddr_from_ip(const struct inko_ip *ip, unsigned int port, struct address *ret_address)
{
	if (port > UINT16_MAX)
		return -EINVAL;
	*ret_address = (struct address){0};
	if (inko_ip_is_v4(ip))
		from_v4(ip, (uint16_t)port, ret_address);
	else if (inko_ip_is_v6(ip))
		from_v6(ip, (uint16_t)port, ret_address);
	else
		return -EAFNOSUPPORT;
	return 0;
}

int sockaddr_from_unix(const struct inko_unix_address *unix_address, struct address *ret_address)
{
	size_t length = unix_address->length;
	char *path = ret_address->un.sun_path;

	if (length >= sizeof(ret_address->un.sun_path))
		return -EINVAL;
	*ret_address = (struct address){.un = {.sun_family = AF_UNIX}};
	switch (unix_address->kind) {
	case INKO_UNIX_UNNAMED:
		ret_address->length = UNIX_NAME_OFFSET;
		return 0;
	case INKO_UNIX_ABSTRACT:
		memcpy(path + 1, unix_address->name, length);
		break;
	case INKO_UNIX_PATH:
		/* One that begins with a NUL would be abstract. */
		if (length == 0 || memchr(unix_address->name, '\0', length))
			return -EINVAL;
		memcpy(path, unix_address->name, length);
		break;
	default:
		return -EINVAL;
	}
	/* The NUL before an abstract name, or after a path. */
	ret_address->length = (socklen_t)(UNIX_NAME_OFFSET + length + 1);
	return 0;
}

int sockaddr_to_ip(const struct address *address, struct inko_address *ret_address)
{
	struct inko_address result = {0};

	switch (address->length ? address->any.sa_family : AF_UNSPEC) {
	case AF_INET:
		result.ip.version = 4;
		memcpy(result.ip.bytes, &address->v4.sin_addr, sizeof(address->v4.sin_addr));
		result.port = ntohs(address->v4.sin_port);
		break;
	case AF_INET6:
		result.ip.version = 6;
		memcpy(result.ip.bytes, &address->v6.sin6_addr, sizeof(address->v6.sin6_addr));
		result.ip.scope = address->v6.sin6_scope_id;
		result.port = ntohs(address->v6.sin6_port);
		break;
	default:
		return -EAFNOSUPPORT;
	}
	*ret_address = result;
	return 0;
}

int sockaddr_to_unix(const struct address *address, struct inko_unix_address *ret_address)
{
	struct inko_unix_address result = {.kind = INKO_UNIX_UNNAMED};
	const char *path = address->un.sun_path;
	size_t length = 0;

	if (address->length > UNIX_NAME_OFFSET)
		length = address->length - UNIX_NAME_OFFSET;
	/* A path that fills all of it has its NUL behind it. */
	if (length > sizeof(address->un.sun_path))
		length = sizeof(address->un.sun_path);
	if (address->length >= sizeof(sa_family_t) && address->any.sa_family != AF_UNIX)
		return -EAFNOSUPPORT;
	if (length > 0 && path[0] == '\0') {
		result.kind = INKO_UNIX_ABSTRACT;
		result.length = length - 1;
		memcpy(result.name, path + 1, result.length);
	} else if (length > 0) {
		result.kind = INKO_UNIX_PATH;
		result.length = strnlen(path, length);
		memcpy(result.name, path, result.length);
	}
	*ret_address = result;
	return 0;
}
