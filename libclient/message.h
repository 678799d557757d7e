#pragma once

/*
 * Messages from the inside: between a lane and the program.
 */

#include <stdbool.h>
#include <stddef.h>

#include "libclient/service.h"
#include "proto/lane.h"

#include <inko/mailbox.h>

struct inko_task;

/* The write end of a lane that answers go out on. It is counted: a question that the program
 * still has keeps the way back open after the lane that it came in on has ended. */
struct answer_way {
	unsigned int n_references;
	int fd;
};

/* Takes the write end. */
int answer_way_new(int *take_fd, struct answer_way **ret_way);
struct answer_way *answer_way_unref(struct answer_way *way);

/* Makes a message of what came off a lane, which is emptied on success. Connections are entered
 * into service. way, which may be NULL, stays the caller's. */
int message_new_from_lane(struct lane_message *take_message, struct service *service,
	struct answer_way *way, struct inko_message **ret_message);

/* Sends message into a lane without waiting, as kind. Errors of lane_send; the message stays the
 * caller's, whatever happens. */
int message_send_into_lane(int write_fd, struct inko_message *message, enum envelope_kind kind);
/* A message that goes to another task is of kind from now on, sent now, and can be answered by who
 * gets it if asker, a task or NULL, receives answers; unless it has a way back already. */
void message_note_sent(
	struct inko_message *message, enum inko_message_kind kind, struct inko_task *asker);
bool message_has_bytes(const struct inko_message *message);

/* After -ETOOMANYREFS: waits a moment, 0; or, when that was tried for long enough, -ETOOMANYREFS;
 * or the errors of wait_for. *n_tries is 0 at first. */
int message_wait_for_refs(unsigned int *n_tries);

/* Messages that wait to be received by the program, first in first out. No task owns them; who
 * takes one does. */
struct message_queue {
	struct inko_message *first, *last;
	unsigned int n_messages;
};

void message_queue_push(struct message_queue *queue, struct inko_message *take_message);
/* NULL when it is empty. */
struct inko_message *message_queue_take(struct message_queue *queue);
void message_queue_done(struct message_queue *queue);
