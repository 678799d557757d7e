#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/former-socket.h"
#include "daemon/supervisor/listener-request.h"
#include "daemon/supervisor/listener.h"
#include "daemon/supervisor/listening-socket.h"
#include "daemon/supervisor/supervisor.h"
#include "daemon/supervisor/systemd-socket.h"
#include "proto/descriptor.h"
#include "proto/json.h"
#include "proto/name.h"

#define SYSTEMD_SCHEME "systemd:"

const char *listener_request_systemd_name(const char *address)
{
	size_t length = strlen(SYSTEMD_SCHEME);

	return strncmp(address, SYSTEMD_SCHEME, length) == 0 ? address + length : NULL;
}

#define HOLD_USEC INT64_C(60000000)
/* Of a hold time that was not said. */
#define NOT_GIVEN (-1)

const struct json_field listener_request_fields[] = {
	JSON_FIELD(listener_request, "address", JSON_STRING, address, true),
	JSON_FIELD(listener_request, "to", JSON_STRING, to, false),
	JSON_FIELD(listener_request, "give", JSON_STRING, give, false),
	JSON_FIELD(listener_request, "name", JSON_STRING, name, false),
	JSON_FIELD(listener_request, "balance", JSON_STRING, balance, false),
	JSON_FIELD_INTEGER(listener_request, "holdUSec", hold_usec, false, 0, INT64_C(86400000000)),
	JSON_FIELDS_END,
};

void listener_request_init(struct listener_request *request)
{
	*request = (struct listener_request){.hold_usec = NOT_GIVEN};
}

void listener_request_done(struct listener_request *request)
{
	json_release(listener_request_fields, request);
}

static int check_route(const struct listener_request *request, struct listener_refusal *refusal)
{
	const char *parameter = NULL, *reason = NULL;

	if (!request->to == !request->give) {
		parameter = "to";
		reason = "name the actor that gets the connections (to), or the one that gets the "
			 "listener itself (give): one of the two";
	} else if (request->balance && strcmp(request->balance, "roundRobin") != 0 &&
		   strcmp(request->balance, "pull") != 0) {
		parameter = "balance";
		reason = "balance is roundRobin or pull";
	} else if (request->hold_usec != NOT_GIVEN && request->give) {
		parameter = "holdUSec";
		reason = "nobody waits at a listener that is given away; leave the hold time out";
	} else if (request->balance && request->give) {
		parameter = "balance";
		reason = "instances that are given the listener accept for themselves; leave "
			 "balance out";
	}
	return parameter ? listener_request_refuse(
				   -EINVAL, refusal, "InvalidValue", parameter, "%s", reason)
			 : 0;
}

int listener_request_check(struct listener_request *request, struct listener_refusal *ret_refusal)
{
	int r = check_route(request, ret_refusal);

	if (r < 0)
		return r;
	if (!request->balance)
		request->balance = strdup("roundRobin");
	if (request->hold_usec == NOT_GIVEN)
		request->hold_usec = HOLD_USEC;
	return request->balance ? 0 : -ENOMEM;
}

void listener_request_default_name(const struct listener_request *request,
	const struct address *address, char name[static LIMIT_NAME_CHARS + 1])
{
	const char *socket = listener_request_systemd_name(request->address);

	if (socket)
		(void)snprintf(name, LIMIT_NAME_CHARS + 1, "systemd-%s", socket);
	else
		address_default_name(address, name);
}

int listener_request_name_address(const char *text, char name[static LIMIT_NAME_CHARS + 1])
{
	struct listener_request request = {.address = (char *)text};
	struct address address = {0};
	const char *complaint;

	if (!listener_request_systemd_name(text) && address_parse(text, &address, &complaint) < 0)
		return -EINVAL;
	listener_request_default_name(&request, &address, name);
	return 0;
}

int listener_request_refuse(int result, struct listener_refusal *refusal, const char *error,
	const char *subject, const char *reason, ...)
{
	va_list arguments;

	refusal->error = error;
	(void)snprintf(refusal->subject, sizeof(refusal->subject), "%s", subject ? subject : "");
	/* What was cut may have been cut within a character. */
	json_clean(refusal->subject);
	va_start(arguments, reason);
	(void)vsnprintf(refusal->reason, sizeof(refusal->reason), reason, arguments);
	va_end(arguments);
	return result;
}

static int refuse_address(int result, const char *address, struct listener_refusal *refusal)
{
	if (result == -EADDRINUSE)
		return listener_request_refuse(result, refusal, "AddressInUse", address,
			"%.200s is in use; choose another, or stop who listens there", address);
	if (result == -ENOTSOCK)
		return listener_request_refuse(result, refusal, "AddressNotUsable", address,
			"%.200s is there and is no socket; choose another, or remove it", address);
	if (result == -EACCES)
		return listener_request_refuse(result, refusal, "AddressNotUsable", address,
			"%.200s: permission denied; ports below 1024 and other people's "
			"directories need root",
			address);
	return listener_request_refuse(result, refusal, "AddressNotUsable", address,
		"%.200s cannot be listened on: %s", address, strerror(-result));
}

static int check_name(
	struct supervisor *supervisor, const char *name, struct listener_refusal *refusal)
{
	if (!name_is_valid(name))
		return listener_request_refuse(-EINVAL, refusal, "InvalidValue", "name",
			"'%.100s' %s", name, name_complaint(name));
	if (listener_find(supervisor, name))
		return listener_request_refuse(-EEXIST, refusal, "NameInUse", name,
			"there is a listener %s already; close it, or choose another name", name);
	return 0;
}

static int check_number(struct supervisor *supervisor, struct listener_refusal *refusal)
{
	const struct listener *listener;
	size_t n = 0;

	TAILQ_FOREACH(listener, &supervisor->listeners, entries)
		n++;
	return n < LIMIT_LISTENERS
		       ? 0
		       : listener_request_refuse(-EUSERS, refusal, "Failed", NULL,
				 "there are %d listeners already, and may be no more; close one first",
				 LIMIT_LISTENERS);
}

/* What systemd opened. */

static int refuse_socket(int result, struct supervisor *supervisor, const char *address,
	struct listener_refusal *refusal)
{
	char names[256];

	systemd_socket_format_names(supervisor, names, sizeof(names));
	if (result != -ENOENT)
		return listener_request_refuse(result, refusal, "AddressNotUsable", address,
			"%.100s cannot be listened on: %s", address,
			result == -EPROTOTYPE ? "it is no stream socket that listens; its unit "
						"wants ListenStream= and Accept=no"
					      : strerror(-result));
	if (!names[0])
		return listener_request_refuse(result, refusal, "AddressNotUsable", address,
			"inkod was not started with sockets; make a socket unit with "
			"Service=inkod.service, start it and restart inkod.service");
	return listener_request_refuse(result, refusal, "AddressNotUsable", address,
		"inkod was started with no socket %.100s but with %s; set FileDescriptorName= in "
		"its socket unit, start that and restart inkod.service",
		listener_request_systemd_name(address), names);
}

static int open_systemd_socket(struct supervisor *supervisor, const char *address,
	struct address *ret_address, int *ret_fd, struct listener_refusal *refusal)
{
	const char *name = listener_request_systemd_name(address);
	_cleanup_close_ int fd = -1;
	struct listener *listener;
	int r;

	TAILQ_FOREACH(listener, &supervisor->listeners, entries)
		if (strcmp(listener->address, address) == 0)
			return listener_request_refuse(-EADDRINUSE, refusal, "AddressInUse",
				address, "%.100s is the listener %s already; close that first",
				address, listener->name);
	r = strcmp(name, SYSTEMD_SOCKET_CONTROL) == 0 ? -ENOENT
						      : systemd_socket_open(supervisor, name, &fd);
	if (r == 0)
		r = listening_socket_adopt(fd, ret_address);
	if (r < 0)
		return refuse_socket(r, supervisor, address, refusal);
	*ret_fd = descriptor_take(&fd);
	return 0;
}

static int parse_address(
	const char *text, struct address *ret_address, struct listener_refusal *refusal)
{
	const char *complaint;
	int r = address_parse(text, ret_address, &complaint);

	return r < 0 ? listener_request_refuse(r, refusal, "InvalidValue", "address",
			       "'%.200s': %s", text, complaint)
		     : 0;
}

int listener_request_try(struct supervisor *supervisor, const struct listener_request *request,
	struct listener_refusal *ret_refusal)
{
	_cleanup_close_ int fd = -1;
	struct address address;
	int r;

	if (listener_request_systemd_name(request->address))
		return open_systemd_socket(
			supervisor, request->address, &address, &fd, ret_refusal);
	r = parse_address(request->address, &address, ret_refusal);
	if (r < 0)
		return r;
	r = listening_socket_try(&address);
	/* As in listener_request_bind. */
	if (r == -EADDRINUSE && request->name &&
		former_socket_open(supervisor, request->name, &address, &fd) == 0)
		r = 0;
	return r < 0 ? refuse_address(r, request->address, ret_refusal) : 0;
}

int listener_request_bind(struct supervisor *supervisor, const struct listener_request *request,
	struct address *ret_address, int *ret_fd, struct listener_refusal *ret_refusal)
{
	int r;

	if (listener_request_systemd_name(request->address))
		return open_systemd_socket(
			supervisor, request->address, ret_address, ret_fd, ret_refusal);
	r = parse_address(request->address, ret_address, ret_refusal);
	if (r < 0)
		return r;
	r = listening_socket_open(ret_address, ret_fd);
	/* The listener itself may have left it, with clients that wait there. */
	if (r == -EADDRINUSE && request->name &&
		former_socket_open(supervisor, request->name, ret_address, ret_fd) == 0)
		r = 0;
	return r < 0 ? refuse_address(r, request->address, ret_refusal) : 0;
}

int listener_request_open(struct supervisor *supervisor, const struct listener_request *request,
	struct listener_opening *ret_opening, struct listener_refusal *ret_refusal)
{
	struct listener_opening opening = {.fd = -1};
	_cleanup_close_ int fd = -1;
	int r = check_number(supervisor, ret_refusal);

	/* A name that was given is looked at before anything is bound; else the port makes it. */
	if (r == 0 && request->name)
		r = check_name(supervisor, request->name, ret_refusal);

	if (r == 0)
		r = listener_request_bind(supervisor, request, &opening.address, &fd, ret_refusal);
	if (r < 0)
		return r;
	listener_request_default_name(request, &opening.address, opening.name);
	if (request->name)
		(void)strcpy(opening.name, request->name);
	else
		r = check_name(supervisor, opening.name, ret_refusal);
	if (r < 0)
		return r;
	opening.fd = descriptor_take(&fd);
	*ret_opening = opening;
	return 0;
}
