#pragma once

/*
 * Reading what inkod said. A member that is not there, or null, is what a person reads as nothing:
 * a newer or older inkod must not break the tables.
 */

#include <stdint.h>

#include <cjson/cJSON.h>

/* The string member of object, borrowed; NULL if there is none. */
const char *reply_text(const cJSON *object, const char *member);

/* The same, "-" if there is none or it is empty. */
const char *reply_shown(const cJSON *object, const char *member);

/* Where a listener listens; of one that systemd opened both its name and that. */
#define REPLY_ADDRESS_BYTES 320
void reply_format_address(const cJSON *listener, char text[static REPLY_ADDRESS_BYTES]);

/* The number member of object; 0 if there is none. */
int64_t reply_number(const cJSON *object, const char *member);

/* The array or object member of object, borrowed; NULL if there is none. */
const cJSON *reply_member(const cJSON *object, const char *member);

/* How many of an actor's instances are ready. */
int reply_count_ready(const cJSON *actor);

/* How many of them are not wanted any more, and end. */
int reply_count_retiring(const cJSON *actor);
