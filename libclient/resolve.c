/*
 * Host names, or what stands where a name is expected.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libclient/resolver.h"
#include "libclient/scheduler.h"

#include <inko/resolve.h>

/* The longest name that DNS knows (RFC 1035, 2.3.4) as a text, and the dot of the root behind it.
 */
#define HOST_CHARS 254

/* The address that host is the text of, or -ENOENT when it is a name. The C library takes texts for
 * addresses that inko_ip_parse does not, such as 0x7f.1 and 127.1: they are no names either. */
static int resolve_text(const char *host, struct inko_ip *ret_ip)
{
	struct in_addr loose;
	size_t length = strlen(host);

	if (length > HOST_CHARS)
		return -ENAMETOOLONG;
	if (inko_ip_parse(host, ret_ip) == 0)
		return 0;
	if (length == 0 || strchr(host, ':') || inet_aton(host, &loose))
		return -EINVAL;
	return -ENOENT;
}

static int resolve_one(const struct inko_ip *ip, struct inko_ip **ret_ips, size_t *ret_n)
{
	struct inko_ip *ips = malloc(sizeof(*ips));

	if (!ips)
		return -ENOMEM;
	*ips = *ip;
	*ret_ips = ips;
	*ret_n = 1;
	return 0;
}

static int resolve_by(struct resolver *resolver, const char *host, uint64_t deadline_usec,
	struct inko_ip **ret_ips, size_t *ret_n)
{
	struct resolver_question *question;
	int r = resolver_ask(resolver, host, deadline_usec, &question);

	return r < 0 ? r : resolver_await(resolver, question, deadline_usec, ret_ips, ret_n);
}

/* In a task: by the resolver of its runtime. */
static int resolve_in_task(
	const char *host, uint64_t deadline_usec, struct inko_ip **ret_ips, size_t *ret_n)
{
	struct inko_runtime *runtime = scheduler_current();
	int r = 0;

	if (!runtime->resolver)
		r = resolver_new(RESOLVER_IDLE_USEC, &runtime->resolver);
	return r < 0 ? r : resolve_by(runtime->resolver, host, deadline_usec, ret_ips, ret_n);
}

/* Outside of tasks: by a resolver for this one name, whose thread ends with it. */
static int resolve_alone(
	const char *host, uint64_t deadline_usec, struct inko_ip **ret_ips, size_t *ret_n)
{
	struct resolver *resolver;
	int r = resolver_new(0, &resolver);

	if (r < 0)
		return r;
	r = resolve_by(resolver, host, deadline_usec, ret_ips, ret_n);
	resolver_free(resolver);
	return r;
}

static int resolve_name(
	const char *host, uint64_t deadline_usec, struct inko_ip **ret_ips, size_t *ret_n)
{
	int r = scheduler_can_park();

	if (r < 0)
		return r;
	return (r > 0 ? resolve_in_task : resolve_alone)(host, deadline_usec, ret_ips, ret_n);
}

int inko_resolve(const char *host, uint64_t deadline_usec, struct inko_ip **ret_ips, size_t *ret_n)
{
	struct inko_ip ip;
	int r;

	r = resolve_text(host, &ip);
	if (r == -ENOENT)
		return resolve_name(host, deadline_usec, ret_ips, ret_n);
	return r < 0 ? r : resolve_one(&ip, ret_ips, ret_n);
}
