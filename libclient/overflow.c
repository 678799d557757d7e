/*
 * Naming the task whose stack overflowed, in a signal handler, and so with write(2) alone.
 */

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libclient/scheduler.h"
#include "libclient/task.h"

/* Enough for the kernel's frame with every register there is, and the handler. */
#define HANDLER_STACK_BYTES (64 * 1024)

static void say(const char *text)
{
	(void)!write(STDERR_FILENO, text, strlen(text));
}

static void on_fault(int signal_number, siginfo_t *info, void *context)
{
	struct inko_task *task = scheduler_running_task();
	bool is_fault = info->si_code > 0; /* else somebody sent it (sigaction(2)) */

	(void)context;
	if (is_fault && task && stack_guards(&task->runtime->stacks, task->stack, info->si_addr)) {
		say("libinko: the stack of task ");
		say(task->name);
		say(" overflowed\n");
	}
	/* The instruction is tried again, and ends the process as it would have. */
	(void)signal(signal_number, SIG_DFL);
	if (!is_fault)
		(void)raise(signal_number);
}

/* A handler needs a stack of its own when the task's is used up. It stays for the thread's life;
 * one that the program has is as good. */
static int ensure_handler_stack(void)
{
	stack_t stack;

	if (sigaltstack(NULL, &stack) < 0)
		return -errno;
	if (!(stack.ss_flags & SS_DISABLE))
		return 0;
	stack = (stack_t){.ss_size = HANDLER_STACK_BYTES};
	stack.ss_sp = mmap(NULL, stack.ss_size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (stack.ss_sp == MAP_FAILED)
		return -ENOMEM;
	return sigaltstack(&stack, NULL) < 0 ? -errno : 0;
}

int inko_task_report_overflow(void)
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	int r = ensure_handler_stack();

	if (r < 0)
		return r;
	(void)sigemptyset(&action.sa_mask);
	return sigaction(SIGSEGV, &action, NULL) < 0 ? -errno : 0;
}
