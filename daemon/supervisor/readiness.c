#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "daemon/supervisor/actor.h"
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
	instance_on_notified(instance, LIFECYCLE_NOTIFIED);
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

static void conclude(struct instance *instance, int error)
{
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

static const char *find_complaint(const struct spec *spec, const char **ret_parameter)
{
	const char *complaint;
	struct address address;

	*ret_parameter = "readyAfterUSec";
	if (spec->ready_after_usec > 0 && spec->ready_after_usec >= spec->start_usec)
		return "it would not be ready within startUSec";
	*ret_parameter = "readyCheck";
	if (spec->ready_check && spec->ready_after_usec > 0)
		return "there is readyAfterUSec already; leave one of the two out";
	if (spec->ready_check && address_parse(spec->ready_check, &address, &complaint) < 0)
		return complaint;
	/* inkod listens there itself: who connects waits, whether or not anybody is ready. */
	for (char **listener = spec->listeners; spec->ready_check && listener && *listener;
		listener++) {
		const char *scheme = strstr(*listener, spec->ready_check);

		if (scheme && strcmp(scheme, spec->ready_check) == 0)
			return "inkod listens there for it, so that it says nothing; name an "
			       "address that the program listens on itself";
	}
	return NULL;
}

int readiness_check(
	const struct spec *spec, const char **ret_parameter, char ret_reason[static 512])
{
	const char *complaint = find_complaint(spec, ret_parameter);

	if (complaint)
		(void)snprintf(ret_reason, 512, "%s: %s", *ret_parameter, complaint);
	return complaint ? -EINVAL : 0;
}
