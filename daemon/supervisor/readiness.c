#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/instance-life.h"
#include "daemon/supervisor/readiness.h"
#include "proto/address.h"
#include "proto/descriptor.h"

/* Between two tries to connect. */
#define RETRY_USEC UINT64_C(100000)

void readiness_init(struct readiness *readiness)
{
	*readiness = (struct readiness){.fd = -1};
}

void readiness_end(struct readiness *readiness)
{
	readiness->timer = sd_event_source_disable_unref(readiness->timer);
	readiness->io = sd_event_source_disable_unref(readiness->io);
	descriptor_close(&readiness->fd);
}

static void say_ready(struct instance *instance)
{
	readiness_end(&instance->readiness);
	instance_on_event(instance, LIFECYCLE_NOTIFIED);
}

static int on_time(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	say_ready(userdata);
	return 0;
}

static void arm(struct instance *instance, uint64_t usec, sd_event_time_handler_t on_timer)
{
	(void)sd_event_add_time_relative(instance->actor->supervisor->event,
		&instance->readiness.timer, CLOCK_MONOTONIC, usec, 1, on_timer, instance);
}

/* Trying to connect, again and again. Nothing is sent. */

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata);

/* TCP connects a socket with itself when the port that it is given is the one that it asks for.
 * Ended by a reset: the port is the program's at once, and not when TIME_WAIT is over. */
static int refuse_itself(int fd)
{
	const struct linger reset = {.l_onoff = 1};
	struct sockaddr_storage own = {0}, peer = {0};
	socklen_t own_size = sizeof(own), peer_size = sizeof(peer);

	if (getsockname(fd, (struct sockaddr *)&own, &own_size) < 0 ||
		getpeername(fd, (struct sockaddr *)&peer, &peer_size) < 0)
		return -errno;
	if (own.ss_family == AF_UNIX || own_size != peer_size || memcmp(&own, &peer, own_size) != 0)
		return 0;
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	return -ECONNREFUSED;
}

static void conclude(struct instance *instance, int error)
{
	if (error == 0)
		error = refuse_itself(instance->readiness.fd);
	if (error == 0) {
		say_ready(instance);
		return;
	}
	readiness_end(&instance->readiness);
	arm(instance, RETRY_USEC, on_retry);
}

static int on_connected(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	int error = 0;
	socklen_t size = sizeof(error);

	(void)source;
	(void)events;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	conclude(userdata, error);
	return 0;
}

static int begin_to_connect(struct instance *instance)
{
	struct readiness *readiness = &instance->readiness;
	struct address address;
	const char *complaint;
	int r = address_parse(instance->actor->spec.ready_check, &address, &complaint);

	if (r < 0)
		return r;
	readiness->fd =
		socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (readiness->fd < 0)
		return -errno;
	return connect(readiness->fd, &address.any, address.length) < 0 ? -errno : 0;
}

static void try_to_connect(struct instance *instance)
{
	struct readiness *readiness = &instance->readiness;
	int r;

	readiness_end(readiness);
	r = begin_to_connect(instance);
	if (r == -EINPROGRESS)
		r = sd_event_add_io(instance->actor->supervisor->event, &readiness->io,
			readiness->fd, EPOLLOUT, on_connected, instance);
	if (r < 0 || !readiness->io)
		conclude(instance, r);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	try_to_connect(userdata);
	return 0;
}

void readiness_begin(struct instance *instance)
{
	const struct spec *spec = &instance->actor->spec;

	readiness_end(&instance->readiness);
	if (spec->ready_after_usec > 0)
		arm(instance, (uint64_t)spec->ready_after_usec, on_time);
	else if (spec->ready_check)
		/* Not yet: who asks is about to note the start. */
		arm(instance, 0, on_retry);
}

/* What can be said of it. */

bool readiness_is_shared(const struct spec *spec)
{
	return spec->ready_check;
}

/* Where a TCP address leads to, IPv4 as IPv6 has it. */
struct place {
	struct in6_addr ip;
	uint32_t scope;
	in_port_t port;
};

static struct place find_place(const struct address *address)
{
	struct place place = {.ip = address->v6.sin6_addr,
		.scope = address->v6.sin6_scope_id,
		.port = address->v6.sin6_port};

	if (address->any.sa_family == AF_INET6)
		return place;
	place = (struct place){.port = address->v4.sin_port};
	place.ip.s6_addr[10] = place.ip.s6_addr[11] = 0xff;
	memcpy(&place.ip.s6_addr[12], &address->v4.sin_addr, sizeof(address->v4.sin_addr));
	return place;
}

static bool is_every(const struct in6_addr *ip)
{
	static const struct in6_addr v4 = {.s6_addr[10] = 0xff, .s6_addr[11] = 0xff};

	return IN6_IS_ADDR_UNSPECIFIED(ip) || IN6_ARE_ADDR_EQUAL(ip, &v4);
}

/* Who connects to every address of a host comes to its loopback. */
static void go_to_loopback(struct in6_addr *ip)
{
	static const struct in6_addr v4 = {
		.s6_addr = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}};

	if (is_every(ip))
		*ip = IN6_IS_ADDR_V4MAPPED(ip) ? v4 : in6addr_loopback;
}

/* Would who listens on one be connected to the other? */
static bool answers(const struct address *listener, const struct address *check)
{
	struct place from, to;

	if (listener->any.sa_family == AF_UNIX || check->any.sa_family == AF_UNIX)
		return listener->any.sa_family == check->any.sa_family &&
		       strcmp(listener->un.sun_path, check->un.sun_path) == 0;
	from = find_place(listener);
	to = find_place(check);
	go_to_loopback(&to.ip);
	if (from.port != to.port || IN6_IS_ADDR_V4MAPPED(&from.ip) != IN6_IS_ADDR_V4MAPPED(&to.ip))
		return false;
	return is_every(&from.ip) ||
	       (IN6_ARE_ADDR_EQUAL(&from.ip, &to.ip) && from.scope == to.scope);
}

/* Of those in spec.listeners, by ADDRESS or NAME=ADDRESS. Where one of systemd's is, is not known.
 */
static bool is_own_listener(const char *text, const struct address *check)
{
	const char *equals = strchr(text, '='), *scheme = strchr(text, ':');
	struct address listener;
	const char *complaint;

	if (equals && (!scheme || equals < scheme))
		text = equals + 1;
	return address_parse(text, &listener, &complaint) == 0 && answers(&listener, check);
}

static const char *find_check_complaint(const struct spec *spec)
{
	const char *complaint;
	struct address check;

	if (spec->ready_after_usec > 0)
		return "it does not go with readyAfterUSec (--ready-after); leave one of the two out";
	if (address_parse(spec->ready_check, &check, &complaint) < 0)
		return complaint;
	if (check.any.sa_family != AF_UNIX && strcmp(spec->network, "none") == 0)
		return "inkod cannot connect to a program without a network; name a unix:// "
		       "address, or use readyAfterUSec";
	if (spec->instances > 1)
		return "two programs cannot listen at one address, and the second would be taken "
		       "for ready as the first answers there; have one instance, or leave it out "
		       "and let the program say READY=1";
	/* inkod listens there itself: who connects waits, whether or not anybody is ready. */
	for (char **listener = spec->listeners; listener && *listener; listener++)
		if (is_own_listener(*listener, &check))
			return "inkod listens there for it, so that it says nothing; name an "
			       "address that the program listens on itself";
	return NULL;
}

static const char *find_complaint(const struct spec *spec, const char **ret_parameter)
{
	*ret_parameter = "readyAfterUSec";
	if (spec->ready_after_usec > 0 && spec->ready_after_usec >= spec->start_usec)
		return "it would not be ready within startUSec";
	*ret_parameter = "readyCheck";
	return spec->ready_check ? find_check_complaint(spec) : NULL;
}

int readiness_check(
	const struct spec *spec, const char **ret_parameter, char ret_reason[static 512])
{
	const char *complaint = find_complaint(spec, ret_parameter);

	if (complaint)
		(void)snprintf(ret_reason, 512, "%s: %s", *ret_parameter, complaint);
	return complaint ? -EINVAL : 0;
}
