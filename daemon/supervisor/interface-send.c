/* The method that sends to a mailbox. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/adapter.h"
#include "daemon/supervisor/describe.h"
#include "daemon/supervisor/interface.h"
#include "daemon/supervisor/interface-answer.h"
#include "daemon/supervisor/service.h"
#include "daemon/supervisor/mail.h"
#include "proto/descriptor.h"
#include "proto/json-fields.h"

struct send {
	char *mailbox, *text, *base64;
};

static const struct json_field send_fields[] = {
	JSON_FIELD(send, "mailbox", JSON_STRING, mailbox, true),
	JSON_FIELD(send, "text", JSON_STRING, text, false),
	JSON_FIELD(send, "base64", JSON_STRING, base64, false),
	JSON_FIELDS_END,
};

static bool check_takes_messages(struct call *call, const struct actor *actor)
{
	if (adapter_takes_messages(&actor->spec))
		return true;
	if (!adapter_has_mailbox(&actor->spec))
		describe_failure(call, "Failed", NULL,
			"%s has no mailbox, by its adapter; it takes no messages",
			actor->spec.name);
	else
		describe_failure(call, "Failed", NULL,
			"%s takes no messages, by its adapter, but connections alone; 'inkoctl "
			"listen ADDRESS --to %s' hands it some",
			actor->spec.name, actor->spec.name);
	return false;
}

static void send_message(struct supervisor *supervisor, struct call *call, void *parameters)
{
	struct send *wanted = parameters;
	struct actor *actor = interface_find_own_actor(supervisor, call, wanted->mailbox);
	_cleanup_free_ void *decoded = NULL;
	const char *instance;
	size_t size = wanted->text ? strlen(wanted->text) : 0;
	int r = 0;

	if (!actor || !check_takes_messages(call, actor))
		return;
	if (!wanted->text == !wanted->base64 ||
		(wanted->base64 && mail_decode_base64(wanted->base64, &decoded, &size) < 0)) {
		describe_failure(call, "InvalidValue", "text",
			"give the message as text, or as base64: one of the two, and valid");
		return;
	}
	r = mail_send(actor, wanted->text ? wanted->text : decoded, size, &instance);
	if (r == -EHOSTDOWN)
		describe_failure(call, "NobodyReady", wanted->mailbox,
			"no instance of %s is ready; 'inkoctl start %s', or send over nng, where "
			"messages wait",
			wanted->mailbox, wanted->mailbox);
	else if (r == -EAGAIN)
		describe_failure(call, "MailboxFull", wanted->mailbox,
			"every mailbox of %s is full; send again when it has read some",
			wanted->mailbox);
	else if (r < 0)
		interface_fail_errno(call, "the message cannot be sent", r);
	else
		interface_reply(call, "instance", cJSON_CreateString(instance));
}

/* clang-format off */
const struct interface_method interface_send_methods[] = {
	{SERVICE_SUPERVISOR ".Send", send_fields, sizeof(struct send), INTERFACE_CHANGE, NULL, send_message},
	{0},
};
/* clang-format on */
