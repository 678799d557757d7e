/*
 * Switching by ucontext: slower than switch-stacks.S, and the same for every machine. What a stack
 * is left with is a ucontext_t on that stack, its top.
 */

#include <signal.h>
#include <stdint.h>
#include <ucontext.h>

#include "libclient/switch-stacks.h"

struct prepared {
	ucontext_t context; /* first: its address is the stack's top */
	void (*entry)(void *argument);
	void *argument;
};

void switch_stacks(void **save_top, void *top)
{
	ucontext_t own, *next = top;

	*save_top = &own;
	/* The mask is the thread's and not the stack's. */
	(void)pthread_sigmask(SIG_SETMASK, NULL, &next->uc_sigmask);
	(void)swapcontext(&own, next);
}

/* makecontext(3) passes ints: a pointer is two of them. */
static void switch_stacks_begin(unsigned int high, unsigned int low)
{
	struct prepared *prepared = (void *)((uintptr_t)high << 16 << 16 | (uintptr_t)low);

	prepared->entry(prepared->argument);
}

void *switch_stacks_prepare(
	void *bottom, size_t size_bytes, void (*entry)(void *argument), void *argument)
{
	uintptr_t end = ((uintptr_t)bottom + size_bytes - sizeof(struct prepared)) & ~(uintptr_t)63;
	struct prepared *prepared = (void *)end;

	prepared->entry = entry;
	prepared->argument = argument;
	(void)getcontext(&prepared->context);
	prepared->context.uc_stack.ss_sp = bottom;
	prepared->context.uc_stack.ss_size = end - (uintptr_t)bottom;
	prepared->context.uc_link = NULL;
	makecontext(&prepared->context, (void (*)(void))switch_stacks_begin, 2,
		(unsigned int)(end >> 16 >> 16), (unsigned int)end);
	return &prepared->context;
}
