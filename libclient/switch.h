#pragma once

/*
 * Going from one stack to another.
 */

#include <stddef.h>

/* A stack that is left, or not yet begun, and how to come back to it. All zero is that of the
 * thread, to be left first. */
struct switch_context {
	void *top; /* of what the stack holds while it is left */
	const void *bottom;
	size_t size_bytes;
	void *shadow; /* the address sanitizer's */
};

/* Prepares the stack of size_bytes from bottom so that the first switch to it calls
 * entry(argument), which must end in switch_for_good. */
void switch_prepare(struct switch_context *context, void *bottom, size_t size_bytes,
	void (*entry)(void *argument), void *argument);
/* First thing in entry: from is who switched. */
void switch_arrive(struct switch_context *from);

/* Leaves from, in which the caller runs, for to; returns when somebody switches to from. errno is
 * the thread's: who needs it saves it. */
void switch_to(struct switch_context *from, struct switch_context *to);
/* The same, never to come back. */
_Noreturn void switch_for_good(struct switch_context *from, struct switch_context *to);
