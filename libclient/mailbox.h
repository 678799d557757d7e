#pragma once

/*
 * What a mailbox is made of.
 */

#include <stdbool.h>

#include <inko/mailbox.h>

struct inko_mailbox {
	const struct inko_mailbox_transport *transport;
	void *context;
	bool of_task; /* it ends with its task: closing does nothing */
};
