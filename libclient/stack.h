#pragma once

/*
 * Stacks for tasks, all of one size, each with a guard page below it.
 */

#include <stdbool.h>
#include <stddef.h>

struct stack_slab;

struct stack {
	struct stack_slab *slab;
	struct stack *next; /* while it is free */
	void *bottom;	    /* lowest address; the guard page ends here */
	unsigned int id;    /* valgrind's */
	bool guarded;
};

struct stack_pool {
	size_t page_bytes;
	size_t size_bytes; /* of a stack, without its guard page */
	bool guard_by_advice;
	struct stack_slab *slabs;
	struct stack *warm; /* free, with the pages that they were used with */
	unsigned int n_warm;
};

/* Nothing is mapped yet. size_bytes is rounded up to pages. */
void stack_pool_init(struct stack_pool *pool, size_t size_bytes);
/* Every stack has been given back. */
void stack_pool_done(struct stack_pool *pool);

/* -ENOMEM, also at the limits of mappings (vm.max_map_count, RLIMIT_AS). */
int stack_pool_take(struct stack_pool *pool, struct stack **ret_stack);
/* Gives the stack back, which nobody stands on any more. */
void stack_pool_return(struct stack_pool *pool, struct stack *stack);

/* Is address in the guard page below stack? */
bool stack_guards(const struct stack_pool *pool, const struct stack *stack, const void *address);
