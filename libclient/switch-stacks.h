#pragma once

/*
 * The bare switch: switch-stacks.S, or switch-stacks.c on machines that it does not know.
 */

#include <stddef.h>

/* Saves what a called function must keep on the stack, the stack's pointer in *save_top, and goes
 * on with the stack that top is of. */
void switch_stacks(void **save_top, void *top);

/* The top of a new stack of size_bytes from bottom, on which entry(argument) is called at the
 * first switch. entry must not return. */
void *switch_stacks_prepare(
	void *bottom, size_t size_bytes, void (*entry)(void *argument), void *argument);
