#pragma once

/*
 * Messages that clients of the control socket put into mailboxes.
 */

#include <stddef.h>

struct actor;

/* Sends to the next ready instance that has room; *ret_instance is its name (borrowed).
 * -EHOSTDOWN when none is ready, -EAGAIN when all are full, -EMSGSIZE. */
int mail_send(struct actor *actor, const void *bytes, size_t size, const char **ret_instance);

/* RFC 4648, section 4, without line breaks; *ret_bytes is malloc'd. -EINVAL. */
int mail_decode_base64(const char *text, void **ret_bytes, size_t *ret_size);
