/*
 * Switching with what the sanitizers must be told of it. The switch itself is in assembler where
 * there is one (switch-stacks.S): swapcontext(3) calls the kernel each time for the signal mask,
 * which all tasks share, and that is more than all else that a switch does.
 */

#include <stdlib.h>

#include "libclient/instrument.h"
#include "libclient/switch-stacks.h"
#include "libclient/switch.h"

void switch_prepare(struct switch_context *context, void *bottom, size_t size_bytes,
	void (*entry)(void *argument), void *argument)
{
	*context = (struct switch_context){
		.top = switch_stacks_prepare(bottom, size_bytes, entry, argument),
		.bottom = bottom,
		.size_bytes = size_bytes,
	};
}

void switch_arrive(struct switch_context *from)
{
	instrument_end_switch(NULL, &from->bottom, &from->size_bytes);
}

void switch_to(struct switch_context *from, struct switch_context *to)
{
	instrument_begin_switch(&from->shadow, to->bottom, to->size_bytes);
	switch_stacks(&from->top, to->top);
	/* Who switches to a task is always the one that it switches to. */
	instrument_end_switch(from->shadow, &to->bottom, &to->size_bytes);
}

_Noreturn void switch_for_good(struct switch_context *from, struct switch_context *to)
{
	instrument_begin_switch(NULL, to->bottom, to->size_bytes);
	switch_stacks(&from->top, to->top);
	abort();
}
