/*
 * Messages between tasks move by their pointers, and with them the sockets that they hold. Only
 * its task receives from a mailbox; any task of its runtime sends, and so does the program outside
 * of tasks, which cannot wait for room: nobody would run who makes any.
 */

#include <errno.h>

#include "libclient/scheduler.h"
#include "libclient/task-mailbox.h"
#include "libclient/task.h"
#include "libclient/wait.h"

static int task_mailbox_try_receive(void *context, struct inko_message **ret_message)
{
	struct inko_task *task = context;
	struct inko_message *message;

	if (scheduler_running_task() != task)
		return -EOPNOTSUPP;
	message = message_queue_take(&task->queue.messages);
	if (!message)
		return -EAGAIN;
	wait_list_wake_one(&task->queue.sending);
	*ret_message = message;
	return 0;
}

/* Puts message in, as kind. */
static int task_mailbox_put(
	struct inko_task *task, struct inko_message *take_message, enum inko_message_kind kind)
{
	struct inko_task *sender = scheduler_running_task();

	if (task->queue.ended)
		return -EPIPE;
	if (sender && sender->runtime != task->runtime)
		return -EXDEV;
	if (task_mailbox_room(task) == 0)
		return -EAGAIN;
	message_note_sent(take_message, kind, sender);
	message_queue_push(&task->queue.messages, take_message);
	wait_list_wake_one(&task->queue.receiving);
	return 0;
}

static int task_mailbox_try_send(void *context, struct inko_message *take_message)
{
	bool is_connection = inko_message_get_kind(take_message) == INKO_CONNECTION;

	return task_mailbox_put(
		context, take_message, is_connection ? INKO_CONNECTION : INKO_MESSAGE);
}

static int task_mailbox_wait_for_room(struct inko_task *task)
{
	struct inko_task *running = scheduler_running_task();

	if (!running || running == task)
		return -EDEADLK;
	return wait_in(&task->queue.sending, NULL, 0, 0);
}

static int task_mailbox_wait(void *context, bool to_send)
{
	struct inko_task *task = context;

	return to_send ? task_mailbox_wait_for_room(task)
		       : wait_in(&task->queue.receiving, NULL, 0, 0);
}

unsigned int task_mailbox_room(const struct inko_task *task)
{
	unsigned int n_messages = task->queue.messages.n_messages;

	return n_messages < TASK_MAILBOX_MAX ? TASK_MAILBOX_MAX - n_messages : 0;
}

int task_mailbox_answer(struct inko_task *task, struct inko_message *take_answer)
{
	int r;

	do {
		r = task_mailbox_put(task, take_answer, INKO_ANSWER);
		if (r == -EAGAIN)
			r = task_mailbox_wait_for_room(task) ?: -EAGAIN;
	} while (r == -EAGAIN);
	return r == -EPIPE ? -ENOTCONN : r;
}

void task_mailbox_end(struct inko_task *task)
{
	task->queue.ended = true;
	message_queue_done(&task->queue.messages);
	wait_list_wake_all(&task->queue.sending);
}

const struct inko_mailbox_transport task_mailbox_transport = {
	.try_receive = task_mailbox_try_receive,
	.try_send = task_mailbox_try_send,
	.wait = task_mailbox_wait,
};
