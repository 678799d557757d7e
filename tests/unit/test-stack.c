/*
 * Stacks by the slab, and their guard pages.
 */

#include "tests/unit/leaks.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "libclient/stack.h"

#define SIZE 16384
#define SOME 200
/* More than vm.max_map_count allows where every guard is a mapping. */
#define VERY_MANY 40000

static void take_all(struct stack_pool *pool, struct stack **stacks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(stack_pool_take(pool, &stacks[i]), 0);
}

static void return_all(struct stack_pool *pool, struct stack **stacks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		stack_pool_return(pool, stacks[i]);
}

/* The signal that ends a child that writes to address, or 0. */
static int signal_at(char *address)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)signal(SIGSEGV, SIG_DFL);
		*(volatile char *)address = 1;
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void check_guards(bool by_advice)
{
	struct stack_pool pool;
	struct stack *stacks[3];

	stack_pool_init(&pool, SIZE - 1);
	assert_int_equal(pool.size_bytes, SIZE);
	if (!by_advice)
		pool.guard_by_advice = false;
	take_all(&pool, stacks, 3);
	for (size_t i = 0; i < 3; i++) {
		char *bottom = stacks[i]->bottom;

		memset(bottom, 1, SIZE);
		assert_true(stack_guards(&pool, stacks[i], bottom - 1));
		assert_true(stack_guards(&pool, stacks[i], bottom - pool.page_bytes));
		assert_false(stack_guards(&pool, stacks[i], bottom));
		assert_false(stack_guards(&pool, stacks[i], bottom - pool.page_bytes - 1));
		assert_int_equal(signal_at(bottom), 0);
		assert_int_equal(signal_at(bottom - 1), SIGSEGV);
		assert_int_equal(signal_at(bottom - pool.page_bytes), SIGSEGV);
	}
	return_all(&pool, stacks, 3);
	stack_pool_done(&pool);
}

static void test_guards(void **state)
{
	(void)state;
	check_guards(true);
}

static void test_guards_by_protection(void **state)
{
	(void)state;
	check_guards(false);
}

static bool is_resident(const struct stack_pool *pool, void *bottom)
{
	unsigned char pages[SIZE / 1024] = {0};
	unsigned char any = 0;

	assert_int_equal(mincore(bottom, SIZE, pages), 0);
	for (size_t i = 0; i < SIZE / pool->page_bytes; i++)
		any |= pages[i];
	return any & 1;
}

/* Pages of what is not used any more go back, but for a few stacks, and no stack is given twice. */
static void test_pages_go_back(void **state)
{
	struct stack *stacks[SOME], *kept;
	void *bottoms[SOME];
	struct stack_pool pool;
	size_t n_beside = 0;

	(void)state;
	stack_pool_init(&pool, SIZE);
	assert_int_equal(stack_pool_take(&pool, &kept), 0);
	take_all(&pool, stacks, SOME);
	for (size_t i = 0; i < SOME; i++) {
		memset(stacks[i]->bottom, 1, SIZE);
		/* These stay mapped, beside the one that is kept. */
		if (stacks[i]->slab == kept->slab)
			bottoms[n_beside++] = stacks[i]->bottom;
	}
	assert_true(n_beside > 0);
	for (size_t i = SOME; i-- > 0;)
		stack_pool_return(&pool, stacks[i]);
	for (size_t i = 0; i < n_beside; i++)
		assert_false(is_resident(&pool, bottoms[i]));
	take_all(&pool, stacks, SOME);
	for (size_t i = 0; i < SOME; i++)
		*(struct stack **)stacks[i]->bottom = stacks[i];
	for (size_t i = 0; i < SOME; i++)
		assert_ptr_equal(*(struct stack **)stacks[i]->bottom, stacks[i]);
	return_all(&pool, stacks, SOME);
	stack_pool_return(&pool, kept);
	stack_pool_done(&pool);
}

/* How large the address space of this process is, in pages. */
static size_t count_mapped(void)
{
	FILE *statm = fopen("/proc/self/statm", "re");
	size_t n;

	assert_non_null(statm);
	assert_int_equal(fscanf(statm, "%zu", &n), 1);
	(void)fclose(statm);
	return n;
}

/* Slabs whose stacks are all free are unmapped, but for those of warm ones. */
static void test_slabs_go_back(void **state)
{
	struct stack **stacks = calloc(1024, sizeof(*stacks));
	struct stack_pool pool;
	size_t before, between, after;

	(void)state;
	assert_non_null(stacks);
	stack_pool_init(&pool, SIZE);
	before = count_mapped();
	take_all(&pool, stacks, 1024);
	between = count_mapped();
	return_all(&pool, stacks, 1024);
	after = count_mapped();
	assert_true(between - before >= 1024 * SIZE / pool.page_bytes);
	assert_true(after - before < (between - before) / 2);
	stack_pool_done(&pool);
	assert_true(count_mapped() - before < (between - before) / 8);
	free(stacks);
}

static void test_very_many(void **state)
{
	struct stack **stacks = calloc(VERY_MANY, sizeof(*stacks));
	struct stack_pool pool;

	(void)state;
	assert_non_null(stacks);
	stack_pool_init(&pool, SIZE);
	assert_int_equal(stack_pool_take(&pool, &stacks[0]), 0);
	if (!pool.guard_by_advice) {
		stack_pool_return(&pool, stacks[0]);
		stack_pool_done(&pool);
		free(stacks);
		print_message("this kernel has no MADV_GUARD_INSTALL\n");
		skip();
	}
	for (size_t i = 1; i < VERY_MANY; i++) {
		assert_int_equal(stack_pool_take(&pool, &stacks[i]), 0);
		*(char *)stacks[i]->bottom = 1;
	}
	return_all(&pool, stacks, VERY_MANY);
	stack_pool_done(&pool);
	free(stacks);
}

/* In a child: how taking ends when there is no more address space. */
static int exhaust(void)
{
	struct rlimit limit = {.rlim_cur = 1 << 30, .rlim_max = 1 << 30};
	struct stack *stacks[2048];
	struct stack_pool pool;
	size_t n = 0;
	int r = 0;

	stack_pool_init(&pool, 1 << 20);
	if (setrlimit(RLIMIT_AS, &limit) < 0)
		return 1;
	while (n < 2048 && r == 0)
		if ((r = stack_pool_take(&pool, &stacks[n])) == 0)
			n++;
	if (r != -ENOMEM || n == 0)
		return 2;
	/* What is there goes on to serve. */
	stack_pool_return(&pool, stacks[--n]);
	if (stack_pool_take(&pool, &stacks[n]) != 0)
		return 3;
	n++;
	while (n > 0)
		stack_pool_return(&pool, stacks[--n]);
	stack_pool_done(&pool);
	return 0;
}

static void test_no_memory(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(exhaust());
	assert_int_equal(waitpid(pid, &status, 0), pid);
#ifdef __SANITIZE_ADDRESS__
	skip(); /* its shadow takes more address space than the limit */
#endif
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(test_guards),
		leaks_test(test_guards_by_protection),
		leaks_test(test_pages_go_back),
		leaks_test(test_slabs_go_back),
		leaks_test(test_very_many),
		leaks_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
