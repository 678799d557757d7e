#pragma once

/*
 * What an instance says on its notify socket (sd_notify(3)), and what follows from it. What it
 * cannot be granted is said in its status, once in the log, and has no other effect.
 */

struct instance;
struct keep_message;

/* Listens on it. Errors of sd_event. */
int instance_notice_watch(struct instance *instance);
/* What the keeper heard of it before this supervisor ran: what follows from it. */
void instance_notice_adopt(struct instance *instance, const struct keep_message *message);
/* Hears now what it has said, as far as that can be heard. */
void instance_notice_hear(struct instance *instance);
/* Its process is a new one: nothing was said yet. */
void instance_notice_forget(struct instance *instance);
