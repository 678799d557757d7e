/*
 * Messages into mailboxes.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "errors.h"
#include "printable.h"
#include "reply.h"
#include "verbs.h"

/* Nothing larger fits one call whatever it is, so there is no need to read more. */
#define MESSAGE_MAX (1u << 20)

struct bytes {
	char *data; /* with a NUL after */
	size_t size;
};

static int read_input(struct bytes *ret_bytes)
{
	char *data = malloc(MESSAGE_MAX + 1);
	size_t size = 0;
	ssize_t n = 1;

	if (!data)
		return complain(STATUS_REFUSED, "there is not enough memory");
	while (n != 0 && size < MESSAGE_MAX) {
		n = read(STDIN_FILENO, data + size, MESSAGE_MAX - size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			free(data);
			return complain(
				STATUS_REFUSED, "cannot read standard input: %s", strerror(errno));
		}
		size += n;
	}
	data[size] = '\0';
	*ret_bytes = (struct bytes){.data = data, .size = size};
	return STATUS_DONE;
}

/* RFC 4648, with padding. malloc'd. */
static char *format_base64(const unsigned char *bytes, size_t size)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *text = malloc((size + 2) / 3 * 4 + 1), *to = text;

	if (!text)
		return NULL;
	for (size_t at = 0; at < size; at += 3) {
		size_t left = size - at;
		unsigned int group = bytes[at] << 16 | (left > 1 ? bytes[at + 1] << 8 : 0) |
				     (left > 2 ? bytes[at + 2] : 0);

		*to++ = digits[group >> 18];
		*to++ = digits[group >> 12 & 63];
		*to++ = left > 1 ? digits[group >> 6 & 63] : '=';
		*to++ = left > 2 ? digits[group & 63] : '=';
	}
	*to = '\0';
	return text;
}

static cJSON *add_bytes(cJSON *parameters, const struct bytes *bytes)
{
	cJSON *item;
	char *text;

	if (!memchr(bytes->data, '\0', bytes->size) && printable_is_utf8(bytes->data, bytes->size))
		return cJSON_AddStringToObject(parameters, "text", bytes->data);
	text = format_base64((const unsigned char *)bytes->data, bytes->size);
	item = text ? cJSON_AddStringToObject(parameters, "base64", text) : NULL;
	free(text);
	return item;
}

int run_send(struct session *session, const struct verb *verb, cJSON *parameters)
{
	struct bytes bytes = {};
	cJSON *added;
	int status;

	if (reply_member(parameters, "text"))
		return verb_call(session, verb, parameters);
	status = read_input(&bytes);
	if (status != STATUS_DONE)
		return status;
	added = add_bytes(parameters, &bytes);
	free(bytes.data);
	if (!added)
		return complain(STATUS_REFUSED, "there is not enough memory");
	return verb_call(session, verb, parameters);
}

void print_sent(const cJSON *parameters, const cJSON *reply)
{
	(void)parameters;
	printf("%s: the message is in its mailbox\n", reply_shown(reply, "instance"));
}
