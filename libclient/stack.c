/*
 * Stacks are mapped by the slab. A page below each is the guard that an overflow hits. Where the
 * kernel has MADV_GUARD_INSTALL (6.13) a slab stays one mapping; otherwise each guard splits it,
 * and vm.max_map_count, 65530 unless somebody raised it, allows some 32000 stacks.
 *
 * A stack that was used keeps its pages for the next task, up to WARM_MAX of them; the pages of
 * others go back to the kernel at once, and a slab does when none of its stacks is in use.
 */

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libclient/instrument.h"
#include "libclient/stack.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define SLAB_STACKS 64
#define WARM_MAX 64

struct stack_slab {
	struct stack_slab *next, *previous;
	void *memory;
	struct stack *cold; /* free, without pages */
	unsigned int n_cold;
	struct stack stacks[SLAB_STACKS];
};

void stack_pool_init(struct stack_pool *pool, size_t size_bytes)
{
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);

	*pool = (struct stack_pool){
		.page_bytes = page_bytes,
		.size_bytes = (size_bytes + page_bytes - 1) / page_bytes * page_bytes,
		.guard_by_advice = true, /* until the kernel says that it cannot */
	};
}

static size_t slab_bytes(const struct stack_pool *pool)
{
	return SLAB_STACKS * (pool->page_bytes + pool->size_bytes);
}

/* Only slabs that have a cold stack are in the list. */
static void slab_link(struct stack_pool *pool, struct stack_slab *slab)
{
	slab->previous = NULL;
	slab->next = pool->slabs;
	if (pool->slabs)
		pool->slabs->previous = slab;
	pool->slabs = slab;
}

static void slab_unlink(struct stack_pool *pool, struct stack_slab *slab)
{
	if (slab->previous)
		slab->previous->next = slab->next;
	else
		pool->slabs = slab->next;
	if (slab->next)
		slab->next->previous = slab->previous;
	slab->next = slab->previous = NULL;
}

static void slab_push(struct stack_pool *pool, struct stack *stack)
{
	struct stack_slab *slab = stack->slab;

	stack->next = slab->cold;
	slab->cold = stack;
	if (slab->n_cold++ == 0)
		slab_link(pool, slab);
}

static void slab_pop(struct stack_pool *pool, struct stack_slab *slab)
{
	slab->cold = slab->cold->next;
	if (--slab->n_cold == 0)
		slab_unlink(pool, slab);
}

static int slab_new(struct stack_pool *pool)
{
	struct stack_slab *slab = calloc(1, sizeof(*slab));

	if (!slab)
		return -ENOMEM;
	slab->memory = mmap(NULL, slab_bytes(pool), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (slab->memory == MAP_FAILED) {
		free(slab);
		return -ENOMEM;
	}
	/* One huge page would give every stack of the slab all of its pages at the first touch. */
	(void)madvise(slab->memory, slab_bytes(pool), MADV_NOHUGEPAGE);
	for (size_t i = SLAB_STACKS; i-- > 0;) {
		struct stack *stack = &slab->stacks[i];

		stack->slab = slab;
		stack->bottom = (char *)slab->memory + i * (pool->page_bytes + pool->size_bytes) +
				pool->page_bytes;
		slab_push(pool, stack);
	}
	return 0;
}

static void slab_free(struct stack_pool *pool, struct stack_slab *slab)
{
	slab_unlink(pool, slab);
	for (size_t i = 0; i < SLAB_STACKS; i++)
		if (slab->stacks[i].guarded)
			instrument_forget_stack(slab->stacks[i].id);
	(void)munmap(slab->memory, slab_bytes(pool));
	free(slab);
}

static int stack_guard(struct stack_pool *pool, struct stack *stack)
{
	char *page = (char *)stack->bottom - pool->page_bytes;

	if (pool->guard_by_advice && madvise(page, pool->page_bytes, MADV_GUARD_INSTALL) < 0) {
		if (errno != EINVAL)
			return -ENOMEM;
		pool->guard_by_advice = false;
	}
	if (!pool->guard_by_advice && mprotect(page, pool->page_bytes, PROT_NONE) < 0)
		return -ENOMEM;
	stack->id = instrument_name_stack(stack->bottom, pool->size_bytes);
	stack->guarded = true;
	return 0;
}

/* Without its pages. */
static int take_cold(struct stack_pool *pool, struct stack **ret_stack)
{
	struct stack *stack;
	int r = 0;

	if (!pool->slabs)
		r = slab_new(pool);
	if (r < 0)
		return r;
	stack = pool->slabs->cold;
	if (!stack->guarded)
		r = stack_guard(pool, stack);
	if (r < 0)
		return r;
	slab_pop(pool, stack->slab);
	*ret_stack = stack;
	return 0;
}

static struct stack *take_warm(struct stack_pool *pool)
{
	struct stack *stack = pool->warm;

	pool->warm = stack->next;
	pool->n_warm--;
	return stack;
}

int stack_pool_take(struct stack_pool *pool, struct stack **ret_stack)
{
	if (!pool->warm)
		return take_cold(pool, ret_stack);
	*ret_stack = take_warm(pool);
	return 0;
}

void stack_pool_return(struct stack_pool *pool, struct stack *stack)
{
	instrument_clear_stack(stack->bottom, pool->size_bytes);
	if (pool->n_warm < WARM_MAX) {
		stack->next = pool->warm;
		pool->warm = stack;
		pool->n_warm++;
		return;
	}
	(void)madvise(stack->bottom, pool->size_bytes, MADV_DONTNEED);
	slab_push(pool, stack);
	if (stack->slab->n_cold == SLAB_STACKS)
		slab_free(pool, stack->slab);
}

void stack_pool_done(struct stack_pool *pool)
{
	while (pool->warm)
		slab_push(pool, take_warm(pool));
	while (pool->slabs)
		slab_free(pool, pool->slabs);
}

bool stack_guards(const struct stack_pool *pool, const struct stack *stack, const void *address)
{
	const char *end = stack->bottom, *at = address;

	return at < end && at >= end - pool->page_bytes;
}
