/*
 * The control client.
 *
 * A frame is one JSON object and a NUL byte, on a stream that may cut and join frames as it likes.
 * Calls go one at a time, so what is buffered behind the last answer of a call is an answer that
 * nobody asked for: the two sides then no longer mean the same call, and the connection is of no
 * more use.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <inko/control.h>
#include <inko/socket.h>

#include "libclient/wait.h"
#include "proto/descriptor.h"
#include "proto/json-fields.h"
#include "proto/json.h"
#include "proto/limits.h"
#include "proto/runtime.h"

struct inko_control {
	int fd; /* -1 when the connection is of no more use */
	char *buffer;
	size_t size;
	size_t capacity;
	bool streams;	       /* a call is open that is answered more than once */
	uint64_t timeout_usec; /* 0: none */
};

struct reply {
	char *error;
	cJSON *parameters;
	char *text; /* of the parameters, as it came */
	bool continues;
};

static const struct json_field reply_fields[] = {
	{.name = "error", .type = JSON_STRING, .offset = offsetof(struct reply, error)},
	{.name = "parameters", .type = JSON_OBJECT, .offset = offsetof(struct reply, parameters)},
	{.name = "continues", .type = JSON_BOOLEAN, .offset = offsetof(struct reply, continues)},
	{},
};

int inko_control_directory(const char *option, char **ret_directory)
{
	char path[PATH_MAX];
	char *directory;
	int r;

	r = runtime_directory(option, path);
	if (r < 0)
		return r;
	directory = strdup(path);
	if (!directory)
		return -ENOMEM;
	*ret_directory = directory;
	return 0;
}

/* A full backlog is waited for as it is for any Unix socket. */
static int connect_to(const char *path, int *ret_fd)
{
	struct inko_unix_address address;
	struct inko_socket *socket;
	int r = inko_unix_address_path(path, &address);

	if (r == 0)
		r = inko_socket_new(INKO_UNIX, INKO_STREAM, 0, &socket);
	if (r < 0)
		return r;
	r = inko_socket_connect_unix(socket, &address);
	if (r < 0)
		inko_socket_close(socket);
	else
		*ret_fd = inko_socket_release(socket);
	return r;
}

static int make(int *take_fd, struct inko_control **ret_control)
{
	struct inko_control *control = calloc(1, sizeof(*control));

	if (!control)
		return -ENOMEM;
	control->fd = descriptor_take(take_fd);
	*ret_control = control;
	return 0;
}

int inko_control_connect(const char *option, struct inko_control **ret_control)
{
	char directory[PATH_MAX], path[PATH_MAX];
	_cleanup_close_ int fd = -1;
	int r;

	r = runtime_directory(option, directory);
	if (r >= 0)
		r = runtime_path(directory, RUNTIME_CONTROL, path);
	if (r >= 0)
		r = connect_to(path, &fd);
	return r < 0 ? r : make(&fd, ret_control);
}

int inko_control_adopt(int *take_fd, struct inko_control **ret_control)
{
	socklen_t size = sizeof(int);
	int type;

	if (getsockopt(*take_fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
		return -errno;
	return type == SOCK_STREAM ? make(take_fd, ret_control) : -EPROTOTYPE;
}

int inko_control_release(struct inko_control *take_control)
{
	int fd = descriptor_take(&take_control->fd);

	inko_control_close(take_control);
	return fd < 0 ? -ENOTCONN : fd;
}

struct inko_control *inko_control_close(struct inko_control *control)
{
	if (control) {
		descriptor_close(&control->fd);
		free(control->buffer);
		free(control);
	}
	return NULL;
}

int inko_control_set_timeout(struct inko_control *control, uint64_t timeout_usec)
{
	if (control->fd < 0)
		return -ENOTCONN;
	control->timeout_usec = timeout_usec;
	return 0;
}

static int add_method(cJSON *call, const char *method)
{
	char name[256];
	int length;

	if (strchr(method, '.'))
		return cJSON_AddStringToObject(call, "method", method) ? 0 : -ENOMEM;
	length = snprintf(name, sizeof(name), "%s.%s", RUNTIME_CONTROL, method);
	if (length >= (int)sizeof(name))
		return -EBADMSG;
	return cJSON_AddStringToObject(call, "method", name) ? 0 : -ENOMEM;
}

/* All digits of its numbers are kept, which cJSON would print anew. */
static int add_parameters(cJSON *call, const char *text)
{
	_cleanup_free_ char *copy = NULL;
	cJSON *parameters;
	int r;

	if (!text)
		return 0;
	r = json_parse(text, strlen(text), &parameters);
	if (r < 0)
		return r;
	cJSON_Delete(parameters);
	copy = json_copy_text(text, strlen(text));
	return copy && cJSON_AddRawToObject(call, "parameters", copy) ? 0 : -ENOMEM;
}

/* The frame of a call, with its NUL. */
static int format_call(const char *method, const char *parameters, bool more, char **ret_frame)
{
	cJSON *call = cJSON_CreateObject();
	char *frame = NULL;
	int r = -ENOMEM;

	if (call)
		r = add_method(call, method);
	if (r >= 0)
		r = add_parameters(call, parameters);
	if (r >= 0 && more && !cJSON_AddTrueToObject(call, "more"))
		r = -ENOMEM;
	if (r >= 0)
		frame = cJSON_PrintUnformatted(call);
	cJSON_Delete(call);
	if (r < 0)
		return r;
	if (!frame)
		return -ENOMEM;
	*ret_frame = frame;
	return 0;
}

/* Until when the call that begins now may wait. */
static uint64_t call_deadline(const struct inko_control *control)
{
	return control->timeout_usec ? wait_now_usec() + control->timeout_usec : 0;
}

static int send_frame(struct inko_control *control, const char *frame, size_t size)
{
	struct pollfd room = {.fd = control->fd, .events = POLLOUT};
	uint64_t deadline_usec = call_deadline(control);

	while (size > 0) {
		ssize_t n = send(control->fd, frame, size, MSG_NOSIGNAL | MSG_DONTWAIT);
		int r = n < 0 ? -errno : 0;

		if (n > 0) {
			frame += n;
			size -= (size_t)n;
		}
		if (r == -EAGAIN)
			r = wait_for(&room, 1, deadline_usec);
		if (r < 0 && r != -EINTR)
			return r == -EPIPE ? -ECONNRESET : r;
	}
	return 0;
}

/* Waits for more of an answer; who follows a call that is answered more than once wants to know of
 * signals meanwhile. */
static int wait_for_bytes(struct inko_control *control, uint64_t deadline_usec)
{
	struct pollfd readable = {.fd = control->fd, .events = POLLIN};

	return control->streams ? wait_for_or_signal(&readable, 1, deadline_usec)
				: wait_for(&readable, 1, deadline_usec);
}

/* Reads what there is: how much, at least a byte. */
static ssize_t receive_bytes(
	struct inko_control *control, void *buffer, size_t size, uint64_t deadline_usec)
{
	for (;;) {
		ssize_t n = recv(control->fd, buffer, size, MSG_DONTWAIT);
		int r;

		if (n > 0)
			return n;
		if (n == 0)
			return -ECONNRESET;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		r = wait_for_bytes(control, deadline_usec);
		if (r < 0)
			return r;
	}
}

static int grow(struct inko_control *control)
{
	size_t capacity = control->capacity ? control->capacity * 2 : 4096;
	char *buffer;

	if (control->size < control->capacity)
		return 0;
	/* What inkod queues for a client is bounded, so more than that cannot be its answer. */
	if (control->capacity >= LIMIT_UNREAD_BYTES)
		return -EBADMSG;
	buffer = realloc(control->buffer, capacity);
	if (!buffer)
		return -ENOMEM;
	control->buffer = buffer;
	control->capacity = capacity;
	return 0;
}

/* Reads until the buffer holds a whole frame. *ret_size is its size without the NUL. */
static int receive_frame(struct inko_control *control, size_t *ret_size)
{
	char *end = control->size > 0 ? memchr(control->buffer, '\0', control->size) : NULL;
	uint64_t deadline_usec = call_deadline(control);
	ssize_t n;
	int r;

	while (!end) {
		r = grow(control);
		if (r < 0)
			return r;
		n = receive_bytes(control, control->buffer + control->size,
			control->capacity - control->size, deadline_usec);
		if (n < 0)
			return (int)n;
		end = memchr(control->buffer + control->size, '\0', n);
		control->size += n;
	}
	*ret_size = end - control->buffer;
	return 0;
}

static int decode_reply(const struct inko_control *control, size_t size, struct reply *ret_reply)
{
	enum json_problem problem;
	const char *field;
	cJSON *object;
	int r;

	r = json_parse(control->buffer, size, &object);
	if (r < 0)
		return r;
	r = json_decode(object, reply_fields, ret_reply, &field, &problem);
	if (r == 0) {
		ret_reply->text = json_copy_member(control->buffer, size, object, "parameters");
		r = ret_reply->text ? 0 : -ENOMEM;
	}
	cJSON_Delete(object);
	if (r == -EINVAL)
		return -EBADMSG;
	if (r < 0)
		return r;
	/* More than one answer comes only to who asked for more. */
	return ret_reply->continues && !control->streams ? -EBADMSG : 0;
}

static int give_reply(struct reply *reply, char **ret_error, char **ret_parameters)
{
	*ret_parameters = reply->text;
	reply->text = NULL;
	if (!reply->error)
		return 0;
	*ret_error = reply->error;
	reply->error = NULL;
	return -EREMOTEIO;
}

/* 1 when there are others to come, or 0. */
static int receive_reply(struct inko_control *control, char **ret_error, char **ret_parameters)
{
	struct reply reply = {};
	size_t size = 0;
	int r;

	r = receive_frame(control, &size);
	if (r < 0)
		return r;
	r = decode_reply(control, size, &reply);
	if (r >= 0)
		r = give_reply(&reply, ret_error, ret_parameters) ?: reply.continues;
	json_release(reply_fields, &reply);
	free(reply.text);
	control->size -= size + 1;
	memmove(control->buffer, control->buffer + size + 1, control->size);
	return r;
}

/* Errors that leave the connection as good as it was. */
static bool is_harmless(int r)
{
	return r == -EREMOTEIO || r == -EINTR;
}

static int send_call(
	struct inko_control *control, const char *method, const char *parameters, bool more)
{
	_cleanup_free_ char *frame = NULL;
	size_t size;
	int r;

	if (control->fd < 0)
		return -ENOTCONN;
	if (control->streams)
		return -EBUSY;
	r = format_call(method, parameters, more, &frame);
	if (r < 0)
		return r;
	size = strlen(frame) + 1;
	if (size > LIMIT_FRAME_BYTES)
		return -EMSGSIZE;
	r = control->size > 0 ? -EBADMSG : send_frame(control, frame, size);
	if (r < 0)
		descriptor_close(&control->fd);
	return r;
}

int inko_control_call(struct inko_control *control, const char *method, const char *parameters,
	char **ret_error, char **ret_parameters)
{
	int r = send_call(control, method, parameters, false);

	if (r < 0)
		return r;
	r = receive_reply(control, ret_error, ret_parameters);
	if (r < 0 && !is_harmless(r))
		descriptor_close(&control->fd);
	return r;
}

int inko_control_call_more(struct inko_control *control, const char *method, const char *parameters)
{
	int r = send_call(control, method, parameters, true);

	control->streams |= r == 0;
	return r;
}

int inko_control_next(struct inko_control *control, char **ret_error, char **ret_parameters)
{
	int r;

	if (control->fd < 0)
		return -ENOTCONN;
	if (!control->streams)
		return -ENODATA;
	r = receive_reply(control, ret_error, ret_parameters);
	if (r < 0 && !is_harmless(r))
		descriptor_close(&control->fd);
	if (r <= 0 && r != -EINTR)
		control->streams = false;
	return r;
}
