#pragma once

/*
 * The mailbox of a task: a bounded queue of messages in memory.
 */

#include <stdbool.h>

#include "libclient/message.h"
#include "libclient/wait-list.h"

#include <inko/mailbox.h>

/* As many as an actor's mailbox has room for unless told otherwise. */
#define TASK_MAILBOX_MAX 64

struct task_queue {
	struct message_queue messages;
	struct wait_list receiving, sending;
	bool ended;
};

/* Its context is the struct inko_task. */
extern const struct inko_mailbox_transport task_mailbox_transport;

unsigned int task_mailbox_room(const struct inko_task *task);
/* Sends answer to task, which asked; waits. Errors of inko_message_reply. */
int task_mailbox_answer(struct inko_task *task, struct inko_message *take_answer);
/* The task has ended: who waits to send is told, and what was not received is closed. */
void task_mailbox_end(struct inko_task *task);
