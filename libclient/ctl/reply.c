/*
 * Reading what inkod said.
 */

#include <stdio.h>
#include <string.h>

#include "reply.h"

const cJSON *reply_member(const cJSON *object, const char *member)
{
	return cJSON_GetObjectItemCaseSensitive(object, member);
}

const char *reply_text(const cJSON *object, const char *member)
{
	return cJSON_GetStringValue(reply_member(object, member));
}

const char *reply_shown(const cJSON *object, const char *member)
{
	const char *text = reply_text(object, member);

	return text && *text ? text : "-";
}

void reply_format_address(const cJSON *listener, char text[static REPLY_ADDRESS_BYTES])
{
	const char *listens_on = reply_text(listener, "listensOn");

	(void)snprintf(text, REPLY_ADDRESS_BYTES, "%s%s%s%s", reply_shown(listener, "address"),
		listens_on ? " (" : "", listens_on ? listens_on : "", listens_on ? ")" : "");
}

int64_t reply_number(const cJSON *object, const char *member)
{
	const cJSON *item = reply_member(object, member);

	return cJSON_IsNumber(item) ? (int64_t)item->valuedouble : 0;
}

int reply_count_ready(const cJSON *actor)
{
	const cJSON *instance;
	int ready = 0;

	cJSON_ArrayForEach(instance, reply_member(actor, "instances")) {
		ready += strcmp(reply_shown(instance, "state"), "ready") == 0;
	}
	return ready;
}

int reply_count_retiring(const cJSON *actor)
{
	const cJSON *instance;
	int retiring = 0;

	cJSON_ArrayForEach(instance, reply_member(actor, "instances")) {
		retiring += cJSON_IsTrue(reply_member(instance, "retiring"));
	}
	return retiring;
}
